package gitrepo

import (
	"bufio"
	"bytes"
	"errors"
	"os"
	"sort"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/idxfile"
)

// deltasInMemory is how many bytes of deltas are kept until their base objects are known. Others are inflated once more.
const deltasInMemory = 16 << 20

// A packIndex is a pack that was read to its end, and what is where in it. A delta is a child of its base object.
type packIndex struct {
	spool
	end      int64 // where the checksum begins
	checksum plumbing.Hash
	objects  []packedObject

	deltas  map[int32][]byte // by the number of the object
	room    int              // for more of them
	waiting map[plumbing.Hash]int32
}

// A packedObject is an object as it is in a pack. Others are named by their number in the pack.
type packedObject struct {
	offset  int64
	size    int64 // as the header says: of a delta, of the delta
	id      plumbing.Hash
	crc     uint32
	kind    plumbing.ObjectType
	child   int32 // the first delta of this object
	sibling int32 // the next delta of the same base object
}

const none = -1

func newPackIndex(dir string) *packIndex {
	return &packIndex{spool: spool{dir: dir}, deltas: map[int32][]byte{}, room: deltasInMemory, waiting: map[plumbing.Hash]int32{}}
}

// add appends an object, and returns its number.
func (p *packIndex) add(o packedObject) int32 {
	o.child, o.sibling = none, none
	p.objects = append(p.objects, o)
	return int32(len(p.objects) - 1)
}

// addDelta appends an object that is a delta: a child of one before it, or one that waits for its base object's id.
func (p *packIndex) addDelta(o packedObject, h packHeader, delta []byte) error {
	number := p.add(o)
	if len(delta) <= p.room {
		p.room -= len(delta)
		p.deltas[number] = bytes.Clone(delta)
	}
	if h.kind == plumbing.REFDeltaObject {
		if other, ok := p.waiting[h.base]; ok {
			p.objects[number].sibling = other
		}
		p.waiting[h.base] = number
		return nil
	}
	at := o.offset - h.distance
	base := sort.Search(int(number), func(i int) bool { return p.objects[i].offset >= at })
	if base == int(number) || p.objects[base].offset != at {
		return errors.New("the pack is broken: a delta is of an object that is not there")
	}
	p.objects[number].sibling, p.objects[base].child = p.objects[base].child, number
	return nil
}

// attachWaiting makes the deltas that wait for an object's id children of it.
func (p *packIndex) attachWaiting(number int32) {
	o := &p.objects[number]
	first, ok := p.waiting[o.id]
	if !ok {
		return
	}
	delete(p.waiting, o.id)
	last := first
	for p.objects[last].sibling != none {
		last = p.objects[last].sibling
	}
	p.objects[last].sibling, o.child = o.child, first
}

// endOf is where an object ends.
func (p *packIndex) endOf(number int32) int64 {
	if int(number) == len(p.objects)-1 {
		return p.end
	}
	return p.objects[number+1].offset
}

// length is that of the pack, with its checksum.
func (p *packIndex) length() int64 { return p.end + int64(len(p.checksum)) }

// index returns the index of the pack, from which go-git learns what is where in it.
func (p *packIndex) index() (*idxfile.Writer, error) {
	w := &idxfile.Writer{}
	if err := w.OnHeader(uint32(len(p.objects))); err != nil {
		return nil, err
	}
	for _, o := range p.objects {
		w.Add(o.id, uint64(o.offset), o.crc)
	}
	return w, w.OnFooter(p.checksum)
}

// writeIndex writes the file of an index.
func writeIndex(file *os.File, w *idxfile.Writer) error {
	index, err := w.Index()
	if err != nil {
		return err
	}
	buffered := bufio.NewWriter(file)
	if _, err := idxfile.NewEncoder(buffered).Encode(index); err != nil {
		return err
	}
	return buffered.Flush()
}
