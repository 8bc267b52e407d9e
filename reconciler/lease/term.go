package lease

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// A reading of the clocks.
type reading struct {
	wall    time.Time
	running time.Duration
}

// since is how long ago another reading was, at most: a clock that was set or stood still does not make it shorter.
func (r reading) since(o reading) time.Duration { return max(r.wall.Sub(o.wall), r.running-o.running) }

// A term is the one time for which a process leads: from the first write of the Lease that names it until one of them comes too late.
// It is safe for concurrent use.
type term struct {
	identity string
	limit    time.Duration // for how long after a write of the Lease began this process may write
	now      func() reading
	lost     chan struct{} // closed when the term has ended

	mu      sync.Mutex
	holder  string  // of the Lease, as it was seen last
	led     bool    // the term has begun
	ended   bool    // and ended
	renewed reading // when the last write of the Lease began that succeeded

	reached reading // when the cluster last said something of the Lease
	refused reading // when the first of the requests failed by which faults has one of writing
	faults  faults
}

func (t *term) leader() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.holder
}

// check fails unless the term goes on.
func (t *term) check() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.goesOn()
}

// goesOn is check; the caller holds the lock. A term that was not renewed in time ends here.
func (t *term) goesOn() error {
	if !t.led {
		return errors.New("this process is a standby")
	}
	if !t.ended && t.now().since(t.renewed) >= t.limit {
		t.finish()
	}
	if t.ended {
		return ErrLost
	}
	return nil
}

// finish ends the term; the caller holds the lock.
func (t *term) finish() {
	if !t.ended {
		t.ended = true
		close(t.lost)
	}
}

// end ends the term, and says whether this process may still hold the Lease.
func (t *term) end() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	held := t.led && !t.ended
	t.finish()
	return held
}

// saw takes who holds the Lease.
func (t *term) saw(holder string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.holder = holder
	if t.led && holder != t.identity {
		t.finish()
	}
}

// The faults of the last requests that read the Lease and that wrote it; nil: that one was answered, or there was none. Who may read the
// Lease need not have the right to write it, and does both at each attempt.
type faults struct{ read, write error }

func (f faults) any() error { return cmp.Or(f.read, f.write) }

// heard takes how a request about the Lease went, and says whether that is news.
func (t *term) heard(err error, change func(*faults)) (news bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now, before := t.now(), t.faults
	if change(&t.faults); err == nil {
		t.reached = now
	}
	if before.write == nil {
		t.refused = now
	}
	return (before.any() == nil) != (t.faults.any() == nil)
}

// unreached is the fault of the requests about the Lease, if none of them was answered for as long as limit, or none that writes it; nil: one
// was.
func (t *term) unreached() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	long := func(since reading) bool { return since == reading{} || t.now().since(since) >= t.limit }
	switch {
	case t.faults.write != nil && long(t.refused):
		return t.faults.write
	case t.faults.any() != nil && long(t.reached):
		return t.faults.any()
	}
	return nil
}

// begin is called before the Lease is written. A term that has ended is not begun again.
func (t *term) begin() (reading, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.led {
		return t.now(), t.goesOn()
	}
	return t.now(), nil
}

// wrote takes that the Lease was written, which began at a reading: others count from when they see it, which is later.
func (t *term) wrote(began reading) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.led, t.holder, t.renewed = true, t.identity, began
}

// A termLock is the Lease as the election reads and writes it, with a term that follows.
type termLock struct {
	resourcelock.Interface
	term *term
	told func(error) // of a fault, and of nil once there is none any more
}

func (l *termLock) heard(err error, change func(*faults)) {
	if l.term.heard(err, change) && l.told != nil {
		l.told(err)
	}
}

// Get is part of resourcelock.Interface.
func (l *termLock) Get(ctx context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	record, raw, err := l.Interface.Get(ctx)
	if apierrors.IsNotFound(err) { // whether it can be made is heard next
		return record, raw, err
	}
	l.heard(err, func(f *faults) {
		f.read = err
		if err == nil && record.HolderIdentity != l.term.holder && record.HolderIdentity != "" {
			f.write = nil // another process has it now, and this one asks for nothing
		}
	})
	if err == nil {
		l.term.saw(record.HolderIdentity)
	}
	return record, raw, err
}

// Create is part of resourcelock.Interface.
func (l *termLock) Create(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	return l.write(ctx, record, l.Interface.Create)
}

// Update is part of resourcelock.Interface.
func (l *termLock) Update(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	return l.write(ctx, record, l.Interface.Update)
}

func (l *termLock) write(ctx context.Context, record resourcelock.LeaderElectionRecord,
	write func(context.Context, resourcelock.LeaderElectionRecord) error,
) error {
	began, err := l.term.begin()
	if err != nil {
		return err
	}
	err = write(ctx, record)
	heard := err
	if apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) {
		heard = nil // that another process wrote it first is an answer like any other
	}
	l.heard(heard, func(f *faults) {
		if f.write = heard; heard == nil {
			f.read = nil
		}
	})
	if err != nil {
		return err
	}
	l.term.wrote(began)
	return nil
}
