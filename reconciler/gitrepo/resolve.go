package gitrepo

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
)

const (
	// longestChain is how many deltas may lead to an object. Git writes no longer chains.
	longestChain = 4095
	// basesInMemory is how many bytes of base objects are kept while their deltas are resolved. Others are made once more.
	basesInMemory = 32 << 20
)

// A resolver finds out the ids of the objects that a pack has as deltas. It goes down from each object that is whole, so that
// a base object is made once for all its deltas. A pack whose base objects do not fit into memory costs time instead, which is
// bounded as that of reading a pack is: by the bytes that are made.
type resolver struct {
	pack    *packIndex
	limits  Limits
	scanner *packScanner // nil: nothing had to be inflated yet
	made    int64        // bytes

	kind         plumbing.ObjectType // of the objects on the path
	path         []pathObject        // from a whole object down to the one whose children are resolved
	contentBytes int                 // bytes of content of the path
	first        int                 // the objects of the path before this one have no content
}

type pathObject struct {
	number  int32
	content []byte // nil: dropped, or no child needs it any more
}

func newResolver(p *packIndex, limits Limits) *resolver {
	return &resolver{pack: p, limits: limits}
}

func (r *resolver) resolveAll(ctx context.Context) error {
	whole := func(number int) bool { return !r.pack.objects[number].kind.IsDelta() }
	for number := range r.pack.objects {
		if whole(number) {
			r.pack.attachWaiting(int32(number))
		}
	}
	for number := range r.pack.objects {
		if !whole(number) || r.pack.objects[number].child == none {
			continue
		}
		if err := r.resolveBelow(ctx, int32(number)); err != nil {
			return err
		}
	}
	if len(r.pack.waiting) > 0 {
		return errors.New("the pack is broken: reference delta not found: it has a delta of an object that it does not have")
	}
	return nil
}

// resolveBelow resolves the deltas of a whole object, and those of their results.
func (r *resolver) resolveBelow(ctx context.Context, whole int32) error {
	r.kind, r.path, r.contentBytes, r.first = r.pack.objects[whole].kind, append(r.path[:0], pathObject{number: whole}), 0, 0
	for len(r.path) > 0 {
		parent := &r.pack.objects[r.path[len(r.path)-1].number]
		if parent.child == none {
			r.drop(len(r.path) - 1)
			r.path = r.path[:len(r.path)-1]
			r.first = min(r.first, len(r.path))
			continue
		}
		child := parent.child
		parent.child = r.pack.objects[child].sibling
		if err := context.Cause(ctx); err != nil && !errors.Is(err, errSlow) { // the other end is done
			return err
		}
		if err := r.resolve(child); err != nil {
			return err
		}
	}
	return nil
}

// resolve finds out the id of a delta of the last object of the path, and appends it to the path where it has deltas itself.
func (r *resolver) resolve(child int32) error {
	if len(r.path) > longestChain {
		return fmt.Errorf("the pack is broken: an object is a chain of more than %s deltas", countText(longestChain))
	}
	last := len(r.path) - 1
	base, err := r.content(last)
	if err != nil {
		return err
	}
	if r.pack.objects[r.path[last].number].child == none {
		r.drop(last)
	}
	content, err := r.patch(base, child)
	if err != nil {
		return err
	}
	o := &r.pack.objects[child]
	o.id = idOf(r.kind, content)
	r.pack.attachWaiting(child)
	if o.child == none {
		return nil
	}
	r.path = append(r.path, pathObject{number: child})
	r.keep(last+1, content)
	return nil
}

// content returns that of an object of the path, and makes it once more where it was dropped.
func (r *resolver) content(at int) ([]byte, error) {
	from := at
	for from > 0 && r.path[from].content == nil {
		from--
	}
	content := r.path[from].content
	if content == nil {
		var err error
		if content, err = r.inflate(r.path[from].number); err != nil {
			return nil, err
		}
	}
	for _, o := range r.path[from+1 : at+1] {
		var err error
		if content, err = r.patch(content, o.number); err != nil {
			return nil, err
		}
	}
	if r.path[at].content == nil {
		r.keep(at, content)
	}
	return content, nil
}

// keep leaves an object of the path its content. Those nearest to the whole object are needed last.
func (r *resolver) keep(at int, content []byte) {
	r.path[at].content, r.contentBytes = content, r.contentBytes+len(content)
	r.first = min(r.first, at)
	for ; r.contentBytes > basesInMemory && r.first < len(r.path)-1; r.first++ {
		r.drop(r.first)
	}
}

func (r *resolver) drop(at int) {
	r.contentBytes -= len(r.path[at].content)
	r.path[at].content = nil
}

// patch makes the object of which the pack has a delta.
func (r *resolver) patch(base []byte, number int32) ([]byte, error) {
	delta, ok := r.pack.deltas[number]
	if !ok {
		var err error
		if delta, err = r.inflate(number); err != nil {
			return nil, err
		}
	}
	content, err := packfile.PatchDelta(base, delta)
	if err != nil {
		return nil, fmt.Errorf("the pack is broken: %w", err)
	}
	return content, r.account(len(content))
}

// inflate reads the content of an object, which was read before, from the spool.
func (r *resolver) inflate(number int32) ([]byte, error) {
	o := r.pack.objects[number]
	if err := r.account(int(o.size)); err != nil {
		return nil, err
	}
	if r.scanner == nil {
		r.scanner = &packScanner{in: bufio.NewReaderSize(nil, 4<<10)}
	}
	r.scanner.in.Reset(io.NewSectionReader(&r.pack.spool, o.offset, r.pack.endOf(number)-o.offset))
	content := bytes.NewBuffer(make([]byte, 0, o.size))
	_, err := r.scanner.nextHeader()
	if err == nil {
		err = r.scanner.nextContent(o.size, content)
	}
	if err != nil {
		return nil, &storageError{r.pack.dir, err}
	}
	return content.Bytes(), nil
}

// account counts the bytes of one more object. A delta and its result are both made, so that twice as much may be as when
// the pack was read.
func (r *resolver) account(size int) error {
	if r.made += int64(size); r.made > 2*r.limits.unpackedBytes() {
		return r.limits.tooMuchUnpacked()
	}
	return nil
}
