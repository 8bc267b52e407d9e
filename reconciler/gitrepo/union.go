package gitrepo

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"os"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/idxfile"
)

// unionBuffer is how many bytes are written at once to a union that is a file.
const unionBuffer = 64 << 10

// A union is a pack of the objects of several, each once. They are copied as they are packed: a pass waits for it, and to unpack
// them and pack them anew takes many times as long. Each of the packs has the bases of its deltas, so that the union has, too.
type union struct {
	*packIndex
	out     *bufio.Writer // to the pack
	sum     hash.Hash
	scanner packScanner
	offsets map[plumbing.Hash]int64 // in the union, of the objects that it has
}

// A whole is a pack in memory.
type whole struct {
	file    []byte
	entries []*idxfile.Entry // in the order of the file
}

// union makes one pack of some.
func (m *mirror) union(some []pack) (*packIndex, error) {
	packs, objects, size := make([]whole, 0, len(some)), map[plumbing.Hash]bool{}, 0
	for _, p := range some {
		w, err := m.whole(p.id)
		if err != nil {
			return nil, err
		}
		for _, e := range w.entries {
			objects[e.Hash] = true
		}
		size += len(w.file)
		packs = append(packs, w)
	}
	u := &union{
		packIndex: newPackIndex(m.dir), sum: sha1.New(), scanner: packScanner{in: bufio.NewReaderSize(nil, 64)},
		offsets: make(map[plumbing.Hash]int64, len(objects)),
	}
	u.out = bufio.NewWriterSize(u.packIndex, unionBuffer)
	u.objects = make([]packedObject, 0, len(objects))
	if size += len(plumbing.ZeroHash); size <= inMemory {
		u.memory.Grow(size)
	}
	err := u.write(binary.BigEndian.AppendUint32([]byte("PACK\x00\x00\x00\x02"), uint32(len(objects))))
	for _, w := range packs {
		if err == nil {
			err = u.take(w)
		}
	}
	if err == nil {
		u.checksum = plumbing.Hash(u.sum.Sum(nil))
		_, err = u.out.Write(u.checksum[:])
	}
	if err == nil {
		err = u.out.Flush()
	}
	if err != nil {
		u.close()
		return nil, err
	}
	return u.packIndex, nil
}

// whole reads a pack of the mirror whose checksum is right.
func (m *mirror) whole(id plumbing.Hash) (whole, error) {
	file, err := os.ReadFile(m.packFile(id, "pack"))
	if err != nil {
		return whole{}, err
	}
	end := len(file) - len(plumbing.ZeroHash)
	if end < 0 || sha1.Sum(file[:end]) != id || plumbing.Hash(file[end:]) != id {
		return whole{}, fmt.Errorf("pack %s is damaged", id)
	}
	content, err := os.ReadFile(m.packFile(id, "idx"))
	if err != nil {
		return whole{}, err
	}
	index := idxfile.NewMemoryIndex()
	if err := idxfile.NewDecoder(bytes.NewReader(content)).Decode(index); err != nil {
		return whole{}, err
	}
	entries, err := index.EntriesByOffset()
	if err != nil {
		return whole{}, err
	}
	count, err := index.Count()
	if err != nil {
		return whole{}, err
	}
	w := whole{file: file[:end], entries: make([]*idxfile.Entry, 0, count)}
	for {
		e, err := entries.Next()
		if errors.Is(err, io.EOF) {
			return w, nil
		}
		if err != nil {
			return whole{}, err
		}
		if e.Offset >= uint64(end) || len(w.entries) > 0 && e.Offset <= w.entries[len(w.entries)-1].Offset {
			return whole{}, fmt.Errorf("the index of pack %s is damaged", id)
		}
		w.entries = append(w.entries, e)
	}
}

// take adds the objects of a pack that the union does not have yet.
func (u *union) take(w whole) error {
	ids := make(map[int64]plumbing.Hash, len(w.entries))
	for n, e := range w.entries {
		ids[int64(e.Offset)] = e.Hash
		if _, ok := u.offsets[e.Hash]; ok {
			continue
		}
		end := uint64(len(w.file))
		if n+1 < len(w.entries) {
			end = w.entries[n+1].Offset
		}
		packed, err := u.moved(w.file[e.Offset:end], int64(e.Offset), ids)
		if err != nil {
			return err
		}
		u.add(packedObject{offset: u.end, id: e.Hash, crc: crc32.ChecksumIEEE(packed)})
		u.offsets[e.Hash] = u.end
		if err := u.write(packed); err != nil {
			return err
		}
	}
	return nil
}

// moved is an object from an offset of its pack as it is at the end of the union: a delta that says by a distance where its base
// object is has another one there. The ids are those of the objects before it in its pack.
func (u *union) moved(packed []byte, offset int64, ids map[int64]plumbing.Hash) ([]byte, error) {
	if plumbing.ObjectType(packed[0]>>4&7) != plumbing.OFSDeltaObject {
		return packed, nil
	}
	rest := bytes.NewReader(packed)
	u.scanner.in.Reset(rest)
	h, err := u.scanner.nextHeader()
	if err != nil {
		return nil, err
	}
	base, ok := u.offsets[ids[offset-h.distance]]
	if !ok {
		return nil, errors.New("a delta is of an object that is not there")
	}
	size := 1 // byte
	for packed[size-1] >= 0x80 {
		size++
	}
	content := packed[len(packed)-rest.Len()-u.scanner.in.Buffered():]
	header := appendDistance(bytes.Clone(packed[:size]), u.end-base)
	return append(header, content...), nil
}

// appendDistance appends a distance as a delta has it: each byte but the first adds one to those before.
func appendDistance(to []byte, distance int64) []byte {
	bytes := [10]byte{}
	first := len(bytes) - 1
	bytes[first] = byte(distance & 0x7f)
	for distance >>= 7; distance > 0; distance >>= 7 {
		distance--
		first--
		bytes[first] = byte(distance&0x7f) | 0x80
	}
	return append(to, bytes[first:]...)
}

// write appends to the union.
func (u *union) write(p []byte) error {
	_, _ = u.sum.Write(p)
	u.end += int64(len(p))
	_, err := u.out.Write(p)
	return err
}
