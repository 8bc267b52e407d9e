package gitrepo

import (
	"bufio"
	"crypto/sha1"
	"hash"
	"hash/crc32"
	"io"

	"github.com/go-git/go-git/v5/plumbing"
)

// An intake hands on the bytes of a pack as they arrive, puts them into a spool, and sums them up to where the scanner is:
// a pack has a sum of all its bytes, and an index one of each object. The scanner's buffer reads on only when it is empty, so
// that whatever was handed on before belongs to the object that is read then.
type intake struct {
	from  io.Reader
	spool *spool

	chunk  []byte // the bytes that were handed on last
	read   int64  // how many were handed on
	summed int64  // how many of these are in the sums
	object uint32
	all    hash.Hash
}

func newIntake(from io.Reader, to *spool) *intake {
	return &intake{from: from, spool: to, all: sha1.New()}
}

// Read implements io.Reader.
func (t *intake) Read(p []byte) (int, error) {
	t.sumUpTo(t.read)
	n, err := t.from.Read(p)
	t.chunk, t.read = append(t.chunk[:0], p[:n]...), t.read+int64(n)
	if _, err := t.spool.Write(p[:n]); err != nil {
		return n, err
	}
	return n, err
}

// position is where in the pack the next byte of a reader is whose bytes come from t.
func (t *intake) position(in *bufio.Reader) int64 { return t.read - int64(in.Buffered()) }

func (t *intake) sumUpTo(position int64) {
	part := t.chunk[int64(len(t.chunk))-(t.read-t.summed):][:position-t.summed]
	t.object = crc32.Update(t.object, crc32.IEEETable, part)
	_, _ = t.all.Write(part)
	t.summed = position
}

// objectSum returns the sum of the object that ends at position, and begins that of the next.
func (t *intake) objectSum(position int64) uint32 {
	t.sumUpTo(position)
	defer func() { t.object = 0 }()
	return t.object
}

// packSum is the sum of all bytes so far.
func (t *intake) packSum() plumbing.Hash { return plumbing.Hash(t.all.Sum(nil)) }
