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

// A packScanner reads the objects of a pack for their sizes. go-git's own scanner would do, but it takes three times as long: it
// hashes each byte twice, and the standard library's inflate is slower. The objects are read by go-git once more when they are
// indexed; both check Adler's sum of each content, so that neither can see an object where the other sees something else.
type packScanner struct {
	in       *bufio.Reader
	inflated io.ReadCloser // made for the first object and set back for each further one
	buffer   [16 << 10]byte
	start    [2 * binary.MaxVarintLen64]byte
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

// nextHeader returns the kind of the next object and how long its content says to be: of a delta, the delta.
func (s *packScanner) nextHeader() (plumbing.ObjectType, int64, error) {
	b, err := s.in.ReadByte()
	if err != nil {
		return 0, 0, err
	}
	kind, size := plumbing.ObjectType(b>>4&7), int64(b&15)
	for shift := 4; b >= 0x80; shift += 7 {
		if b, err = s.in.ReadByte(); err != nil {
			return 0, 0, err
		}
		if shift > 55 { // 2^62 is more than any limit, and no sum of sizes can overflow
			return 0, 0, errors.New("the pack is broken: an object says a length that no object has")
		}
		size |= int64(b&0x7f) << shift
	}
	switch kind {
	case plumbing.CommitObject, plumbing.TreeObject, plumbing.BlobObject, plumbing.TagObject:
	case plumbing.OFSDeltaObject:
		for b = 0x80; b >= 0x80; { // the distance to the base object
			if b, err = s.in.ReadByte(); err != nil {
				return 0, 0, err
			}
		}
	case plumbing.REFDeltaObject:
		_, err = s.in.Discard(len(plumbing.ZeroHash))
	default:
		return 0, 0, fmt.Errorf("the pack is broken: it has an object of kind %d, which Git does not know", kind)
	}
	return kind, size, err
}

// nextContent reads the content of an object whose header was read, and returns its first bytes, until the next call. Content
// that is longer or shorter than size is an error.
func (s *packScanner) nextContent(size int64) ([]byte, error) {
	if err := s.inflate(); err != nil {
		return nil, err
	}
	read, kept := int64(0), 0
	for {
		n, err := s.inflated.Read(s.buffer[:])
		kept += copy(s.start[kept:], s.buffer[:n])
		read += int64(n)
		if read > size {
			return nil, fmt.Errorf("an object has over %d bytes and says %d", size, size)
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	if read != size {
		return nil, fmt.Errorf("an object has %d bytes and says %d", read, size)
	}
	return s.start[:kept], nil
}

// inflate begins the content that comes next.
func (s *packScanner) inflate() (err error) {
	if again, ok := s.inflated.(zlib.Resetter); ok {
		return again.Reset(s.in, nil)
	}
	s.inflated, err = zlib.NewReader(s.in)
	return err
}
