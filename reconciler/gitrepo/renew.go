package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// mostCatchUps is how many fetches a new mirror may take before the turn is taken: each has the commits of the time that the one before took.
const mostCatchUps = 6

// catchUp fetches into the mirror of next until it has all that r has, or nearly so where commits do not cease to come.
func catchUp(ctx context.Context, r, next *Remote) error {
	for range mostCatchUps {
		s, err := next.Fetch(ctx)
		if err != nil {
			return err
		}
		if last := r.branch.head.Load(); last == nil || last.Commit == s.Commit {
			break
		}
	}
	return nil
}

// takeOver makes the mirror of another Remote of the same branch that of r, with all that came meanwhile. The caller has the turn of r, and
// keeps it for no second clone: a new mirror that cannot take what came is given up.
func takeOver(ctx context.Context, r, next *Remote) error {
	m := r.mirror.open.Load()
	if m == nil {
		return nil // it was found damaged, and is made anew by the next one who needs it
	}
	known := m.head(r.branch.ref)
	anew := next.mirror.open.Swap(nil)
	if anew == nil {
		return errors.New("the branch has no commit any more")
	}
	defer anew.close()
	head, err := bring(ctx, next, anew, r.branch.ref)
	if err != nil {
		return err
	}
	if head.IsZero() || !anew.has(known) {
		return fmt.Errorf("the branch does not have commit %s any more, at which it was", known)
	}
	return errors.Join(anew.setHead(r.branch.ref, head), r.mirror.install(anew))
}

// removeMirror lets go of a mirror that nobody uses.
func removeMirror(r *Remote) {
	r.mirror.discard()
	_ = os.RemoveAll(r.Dir)
	_ = os.RemoveAll(r.Dir + ".new") // of a clone that failed
	if r.server.way != nil {
		r.server.way.hangUp()
	}
}
