package gitrepo

import (
	"bytes"
	"crypto/sha1"
	"encoding/binary"
	"hash/adler32"
	"hash/crc32"
	"maps"
	"math"
	"slices"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/zlib"
)

// fewBytes is up to how many bytes of objects are compressed by an encoder without a memory. The other one compresses better, and takes
// a megabyte for its memory: more than all else of a small commit.
const fewBytes = 1 << 20

// mostAround is how many bytes a pack has around a small object that does not become shorter, and how many more at its ends.
const mostAround = 32

// packOf returns all objects in the form in which they are sent, with what is where in it. go-git's own encoder would do, but it has no encoder
// for a few bytes.
func packOf(all map[plumbing.Hash]madeObject) (*packIndex, error) {
	bytesOfAll := 0
	for _, o := range all {
		bytesOfAll += len(o.content)
	}
	p := &packIndex{objects: make([]packedObject, 0, len(all))}
	pack, compress := &p.memory, compressFew
	if bytesOfAll > fewBytes {
		compress = compressMany()
	} else {
		pack.Grow(bytesOfAll + mostAround*(len(all)+1))
	}
	pack.Write(binary.BigEndian.AppendUint32([]byte("PACK\x00\x00\x00\x02"), uint32(len(all))))
	for _, id := range slices.SortedFunc(maps.Keys(all), func(a, b plumbing.Hash) int { return bytes.Compare(a[:], b[:]) }) {
		o, begin := all[id], pack.Len()
		pack.Write(packedHeader(o.kind, len(o.content)))
		if err := compress(pack, o); err != nil {
			return nil, err
		}
		p.add(packedObject{offset: int64(begin), id: id, kind: o.kind, size: int64(len(o.content)), crc: crc32.ChecksumIEEE(pack.Bytes()[begin:])})
	}
	p.end, p.checksum = int64(pack.Len()), sha1.Sum(pack.Bytes())
	pack.Write(p.checksum[:])
	return p, nil
}

// packedHeader is what comes before the content of an object in a pack: its kind, and its size of which seven bits follow in each further byte.
func packedHeader(kind plumbing.ObjectType, size int) []byte {
	header := []byte{byte(kind)<<4 | byte(size&15)}
	for size >>= 4; size > 0; size >>= 7 {
		header[len(header)-1] |= 0x80
		header = append(header, byte(size&0x7f))
	}
	return header
}

// compressFew appends the content of an object as zlib has it.
func compressFew(to *bytes.Buffer, o madeObject) error {
	to.Write([]byte{0x78, 0x01})
	if o.kind == plumbing.TreeObject {
		storeUncompressed(to, o.content)
	} else if err := flate.StatelessDeflate(to, o.content, true, nil); err != nil {
		return err
	}
	to.Write(binary.BigEndian.AppendUint32(nil, adler32.Checksum(o.content)))
	return nil
}

// storeUncompressed appends content in the blocks that zlib has for what cannot be made shorter. Most of a directory are ids, and a folder of
// very many teams is written with each commit.
func storeUncompressed(to *bytes.Buffer, content []byte) {
	for last := false; !last; {
		block := content[:min(len(content), math.MaxUint16)]
		content = content[len(block):]
		header := byte(0)
		if last = len(content) == 0; last {
			header = 1
		}
		to.WriteByte(header)
		to.Write(binary.LittleEndian.AppendUint16(nil, uint16(len(block))))
		to.Write(binary.LittleEndian.AppendUint16(nil, ^uint16(len(block))))
		to.Write(block)
	}
}

// compressMany returns compressFew for much more.
func compressMany() func(*bytes.Buffer, madeObject) error {
	z := zlib.NewWriter(nil)
	return func(to *bytes.Buffer, o madeObject) error {
		z.Reset(to)
		if _, err := z.Write(o.content); err != nil {
			return err
		}
		return z.Close()
	}
}
