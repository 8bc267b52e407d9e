package gitrepo

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/klauspost/compress/zlib"
)

// A packScanner reads the objects of a pack. go-git's own scanner would do, but it takes three times as long: it hashes each
// byte twice, and the standard library's inflate is slower. Both check Adler's sum of each content.
type packScanner struct {
	in       *bufio.Reader
	inflated io.ReadCloser // made for the first object and set back for each further one
	buffer   [16 << 10]byte
}

// A packHeader is what a pack says of an object before its content.
type packHeader struct {
	kind     plumbing.ObjectType
	size     int64         // of the content; of a delta, of the delta
	distance int64         // of an OFSDeltaObject: how far before it its base object begins
	base     plumbing.Hash // of a REFDeltaObject
}

// objectsOf returns how many objects a pack with this header says that it has.
func objectsOf(header []byte) (uint32, error) {
	switch {
	case len(header) == 0:
		return 0, errors.New("the answer has no pack")
	case len(header) < 12:
		return 0, errors.New("the pack ends within its header")
	case string(header[:4]) != "PACK":
		return 0, errors.New("the pack is broken: it does not begin as packs do")
	}
	if version := binary.BigEndian.Uint32(header[4:]); version != 2 {
		return 0, fmt.Errorf("the pack is broken: it has version %d, which is not 2", version)
	}
	return binary.BigEndian.Uint32(header[8:]), nil
}

// nextHeader returns the header of the next object.
func (s *packScanner) nextHeader() (h packHeader, err error) {
	b, err := s.in.ReadByte()
	if err != nil {
		return h, err
	}
	h.kind, h.size = plumbing.ObjectType(b>>4&7), int64(b&15)
	for shift := 4; b >= 0x80; shift += 7 {
		if b, err = s.in.ReadByte(); err != nil {
			return h, err
		}
		if shift > 55 { // 2^62 is more than any limit, and no sum of sizes can overflow
			return h, errors.New("the pack is broken: an object says a length that no object has")
		}
		h.size |= int64(b&0x7f) << shift
	}
	switch h.kind {
	case plumbing.CommitObject, plumbing.TreeObject, plumbing.BlobObject, plumbing.TagObject:
	case plumbing.OFSDeltaObject:
		h.distance, err = s.nextDistance()
	case plumbing.REFDeltaObject:
		_, err = io.ReadFull(s.in, h.base[:])
	default:
		return h, fmt.Errorf("the pack is broken: it has an object of kind %d, which Git does not know", h.kind)
	}
	return h, err
}

// nextDistance reads the distance to a base object. Each further byte adds one to the number of those before it, so that no
// number can be written in two ways.
func (s *packScanner) nextDistance() (int64, error) {
	distance := int64(-1)
	for {
		b, err := s.in.ReadByte()
		if err != nil {
			return 0, err
		}
		if distance > 1<<55 {
			return 0, errors.New("the pack is broken: a delta is of an object before the pack")
		}
		distance = (distance+1)<<7 | int64(b&0x7f)
		if b < 0x80 {
			return distance, nil
		}
	}
}

// nextContent writes the content of an object whose header was read. Content that is longer or shorter than size is an error.
func (s *packScanner) nextContent(size int64, to io.Writer) error {
	if err := s.inflate(); err != nil {
		return err
	}
	read := int64(0)
	for {
		n, err := s.inflated.Read(s.buffer[:])
		if read += int64(n); read > size {
			return fmt.Errorf("an object has over %d bytes and says %d", size, size)
		}
		if _, err := to.Write(s.buffer[:n]); err != nil {
			return err
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
	}
	if read != size {
		return fmt.Errorf("an object has %d bytes and says %d", read, size)
	}
	return nil
}

// inflate begins the content that comes next.
func (s *packScanner) inflate() (err error) {
	if again, ok := s.inflated.(zlib.Resetter); ok {
		return again.Reset(s.in, nil)
	}
	s.inflated, err = zlib.NewReader(s.in)
	return err
}
