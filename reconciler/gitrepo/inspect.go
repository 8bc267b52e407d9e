package gitrepo

import (
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/go-git/go-git/v5/plumbing"
)

// An inspector reads a pack that comes from somewhere.
type inspector struct {
	limits  Limits
	in      *intake
	scanner *packScanner
	pack    *packIndex
	delta   bytes.Buffer // of the object that is read
	id      hash.Hash    // likewise
}

// inspect reads a pack to its end, keeps it and finds out the ids of its objects. The pack comes back only if it is within
// the limits, has as many objects, each as long, as its headers say, and its sums are right: nothing is allocated for what
// a header says, as one of twelve bytes could ask for all the memory there is. started is called once the pack has begun, and
// ended once all of it is here. The rest takes this machine's time alone, and ends with ctx.
func inspect(ctx context.Context, scanner *packScanner, pack io.Reader, dir string, limits Limits, started, ended func()) (*packIndex, error) {
	p := newPackIndex(dir)
	in := newIntake(&bounded{Reader: pack, remaining: limits.PackBytes, excess: limits.tooMuchPack()}, &p.spool)
	scanner.in.Reset(in)
	i := &inspector{limits: limits, in: in, scanner: scanner, pack: p, id: sha1.New()}
	err := i.inspect(started)
	if err == nil {
		ended()
		err = newResolver(p, limits).resolveAll(ctx)
	}
	if err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

func (i *inspector) inspect(started func()) error {
	var header [12]byte // read for itself, as a server may take its time before it
	n, err := io.ReadFull(i.in, header[:])
	if err != nil && !endOfPack(err) {
		return err
	}
	started()
	i.in.objectSum(int64(n))
	if err := i.readObjects(header[:n]); err != nil {
		return err
	}
	if err := i.readChecksum(); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, i.in) // bytes that follow are no part of the pack
	return err
}

// readObjects reads the objects of a pack, one after the other.
func (i *inspector) readObjects(header []byte) error {
	objects, err := objectsOf(header)
	if err != nil {
		return err
	}
	if int64(objects) > int64(i.limits.PackObjects) {
		return &excessError{
			fmt.Sprintf("the pack says that it has %s objects", countText(int64(objects))), countText(int64(i.limits.PackObjects)),
			"--git-pack-objects",
		}
	}
	unpacked := int64(0)
	for n := range objects {
		size, err := i.readObject()
		if endOfPack(err) {
			return fmt.Errorf("the pack ends after %s of the %s objects that it says it has", countText(int64(n)), countText(int64(objects)))
		}
		if err != nil {
			return err
		}
		if unpacked += size; unpacked > i.limits.unpackedBytes() {
			return i.limits.tooMuchUnpacked()
		}
	}
	return nil
}

// readChecksum reads the sum of all bytes, with which a pack ends.
func (i *inspector) readChecksum() error {
	i.pack.end = i.in.position(i.scanner.in)
	i.in.sumUpTo(i.pack.end)
	sum := i.in.packSum()
	_, err := io.ReadFull(i.scanner.in, i.pack.checksum[:])
	if endOfPack(err) {
		return errors.New("the pack ends before its checksum")
	}
	if err == nil && i.pack.checksum != sum {
		return fmt.Errorf("the pack is broken: its checksum is %s, and that of its bytes %s", i.pack.checksum, sum)
	}
	return err
}

// readObject reads the next object and returns its size; of a delta, that of its result where it is larger.
func (i *inspector) readObject() (int64, error) {
	o := packedObject{offset: i.in.position(i.scanner.in)}
	h, err := i.scanner.nextHeader()
	if err != nil {
		return 0, err
	}
	o.kind, o.size = h.kind, h.size
	size := h.size
	switch {
	case size > i.limits.ObjectBytes:
	case h.kind.IsDelta():
		size, err = i.readDelta(h)
	default:
		o.id, err = i.readWhole(h)
	}
	if err != nil {
		return 0, err
	}
	if size > i.limits.ObjectBytes {
		return 0, &excessError{"the pack has an object of " + sizeText(size), sizeText(i.limits.ObjectBytes), "--git-object-bytes"}
	}
	o.crc = i.in.objectSum(i.in.position(i.scanner.in))
	if h.kind.IsDelta() {
		return size, i.pack.addDelta(o, h, i.delta.Bytes())
	}
	i.pack.add(o)
	return size, nil
}

// readWhole reads the content of an object that is no delta, for its id.
func (i *inspector) readWhole(h packHeader) (plumbing.Hash, error) {
	beginID(i.id, h.kind, h.size)
	if err := i.scanner.nextContent(h.size, i.id); err != nil {
		return plumbing.ZeroHash, brokenPack(err)
	}
	return plumbing.Hash(i.id.Sum(nil)), nil
}

// readDelta reads a delta, and returns how long the longer one is of the delta and its result.
func (i *inspector) readDelta(h packHeader) (int64, error) {
	i.delta.Reset()
	if err := i.scanner.nextContent(h.size, &i.delta); err != nil {
		return 0, brokenPack(err)
	}
	result, err := deltaResult(i.delta.Bytes())
	return max(h.size, result), err
}

// endOfPack says whether reading failed because there is no more.
func endOfPack(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }

// brokenPack is the error with which reading a pack failed. The error that stopped the reading says more than that of who
// reads.
func brokenPack(err error) error {
	var excess *excessError
	var damaged *storageError
	if errors.As(err, &excess) || errors.As(err, &damaged) || endOfPack(err) {
		return err
	}
	return fmt.Errorf("the pack is broken: %w", err)
}

// deltaResult is how long the object is that a delta makes, as the start of the delta says: two numbers come first, the length
// of the base object and that of the result.
func deltaResult(start []byte) (int64, error) {
	_, n := binary.Uvarint(start)
	if n <= 0 {
		return 0, errBrokenDelta
	}
	result, m := binary.Uvarint(start[n:])
	if m <= 0 || result > 1<<62 {
		return 0, errBrokenDelta
	}
	return int64(result), nil
}

var errBrokenDelta = errors.New("the pack is broken: a delta does not say what it makes")
