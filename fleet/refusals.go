package fleet

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"transom.dev/fleet/apply"
	"transom.dev/render/wording"
)

const (
	alike      = 3                // how many instances that were refused for the same share the cause
	tryEvery   = 12 * time.Second // how often one of those that share a cause is tried, of all causes of a cluster
	blindEvery = 30 * time.Second // how often for a cause that a dry run does not meet, so that a whole visit is made
	lostAfter  = time.Minute      // when a try that nobody told the end of is given up
	mostCauses = 3                // that are told of a cluster
)

// refusals are the instances of one cluster that its API server refused, by cause. Once several have the same cause, they wait:
// one of them is tried at a time, in turns, and where that one is not refused any more, all others are visited at once. An
// instance whose desired state changes does not wait. It is safe for concurrent use.
type refusals struct {
	visit func(apply.Owner) // has an instance visited
	tell  func()            // is called when the causes that are shared are not the same as before

	mu      sync.Mutex
	byOwner map[apply.Owner]*refused
	causes  map[string]*cause
	timer   *time.Timer // of the next try; nil: none is needed
	closed  bool
}

// refused is an instance that was refused.
type refused struct {
	owner    apply.Owner
	revision string
	refusal  *apply.Refusal
	cause    *cause
	turn     time.Time // when it was its turn to be tried; zero: it is not
}

// cause is the cause of refusals.
type cause struct {
	name    string
	message string
	members []*refused // those that are tried next come first
	shared  bool
	blind   bool // a dry run does not meet it
	tried   time.Time
}

func newRefusals(visit func(apply.Owner), tell func()) *refusals {
	return &refusals{visit: visit, tell: tell, byOwner: map[apply.Owner]*refused{}, causes: map[string]*cause{}}
}

// A waiting instance is one that shares the cause for which it was refused.
type waiting struct {
	refusal *apply.Refusal
	turn    bool // it is to be tried
	blind   bool // and a dry run says nothing
}

// of says whether an instance waits at a revision; nil: it does not.
func (r *refusals) of(o apply.Owner, revision string) *waiting {
	r.mu.Lock()
	defer r.mu.Unlock()
	one := r.byOwner[o]
	if one == nil || one.revision != revision || !one.cause.shared {
		return nil
	}
	return &waiting{refusal: one.refusal, turn: !one.turn.IsZero(), blind: one.cause.blind}
}

// take takes the end of a visit, and says whether the instance waits from now on. Where the visit tried what was refused before, and it is
// not refused any more, those that waited for it are visited.
func (r *refusals) take(o apply.Owner, revision string, refusal *apply.Refusal, tried bool) (waits bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	one := r.byOwner[o]
	same := one != nil && refusal != nil && one.cause.name == refusal.Cause
	if same {
		one.revision, one.refusal = revision, refusal
		if tried {
			one.cause.blind = true
			one.turn = time.Time{}
		}
		return one.cause.shared
	}
	if one != nil {
		r.drop(one)
		if overcame := tried && refusal == nil; overcame {
			r.release(one.cause)
		}
	}
	return refusal != nil && !r.closed && r.join(o, revision, refusal)
}

// join adds an instance to those with a cause, and says whether they share it. The caller holds the lock.
func (r *refusals) join(o apply.Owner, revision string, refusal *apply.Refusal) (shared bool) {
	c := r.causes[refusal.Cause]
	if c == nil {
		c = &cause{name: refusal.Cause, message: refusal.Message, tried: time.Now()}
		r.causes[refusal.Cause] = c
	}
	one := &refused{owner: o, revision: revision, refusal: refusal, cause: c}
	r.byOwner[o] = one
	c.members = append(c.members, one)
	if begins := !c.shared && len(c.members) >= alike; begins {
		c.shared, c.tried = true, time.Now()
		r.schedule()
		r.tell()
	}
	return c.shared
}

// leave forgets an instance: it does not wait any more.
func (r *refusals) leave(o apply.Owner) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if one := r.byOwner[o]; one != nil {
		r.drop(one)
	}
}

// leaveAll forgets the instances of an environment, or with "" all.
func (r *refusals) leaveAll(environment string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for o, one := range r.byOwner {
		if environment == "" || o.Environment == environment {
			r.drop(one)
		}
	}
}

// drop removes an instance, and its cause with the last one. Where too few remain to share the cause, they are visited and do not
// wait any more. The caller holds the lock.
func (r *refusals) drop(one *refused) {
	delete(r.byOwner, one.owner)
	c := one.cause
	c.members = slices.DeleteFunc(c.members, func(m *refused) bool { return m == one })
	if len(c.members) == 0 && r.causes[c.name] == c {
		delete(r.causes, c.name)
	}
	if c.shared && len(c.members) < alike {
		c.shared = false
		for _, m := range c.members {
			m.turn = time.Time{}
			r.visit(m.owner)
		}
		r.tell()
	}
}

// release has all visited that share a cause which is over, and of each other cause the next one tried: the mending of one may have mended
// others. The caller holds the lock.
func (r *refusals) release(over *cause) {
	for _, one := range slices.Clone(over.members) {
		r.drop(one)
		r.visit(one.owner)
	}
	for _, c := range r.causes {
		if c.shared {
			r.try(c)
		}
	}
}

// refusedStill takes that a try was refused as before, or could not be made.
func (r *refusals) refusedStill(o apply.Owner) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if one := r.byOwner[o]; one != nil {
		one.turn = time.Time{}
	}
}

// try has the next instance with a cause tried, unless one of them is. The caller holds the lock.
func (r *refusals) try(c *cause) {
	now := time.Now()
	for _, m := range c.members {
		if !m.turn.IsZero() && now.Sub(m.turn) < lostAfter {
			return
		}
		m.turn = time.Time{}
	}
	next := c.members[0]
	c.members = append(c.members[1:], next)
	c.tried, next.turn = now, now
	r.visit(next.owner)
}

// schedule has the next try made in time. The caller holds the lock.
func (r *refusals) schedule() {
	if r.timer == nil && !r.closed {
		r.timer = time.AfterFunc(tryEvery, r.tryNext)
	}
}

// tryNext tries an instance of the cause that was tried longest ago.
func (r *refusals) tryNext() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.timer = nil
	var next *cause
	shared := false
	for _, c := range r.causes {
		shared = shared || c.shared
		due := c.shared && (!c.blind || time.Since(c.tried) >= blindEvery)
		if due && (next == nil || c.tried.Before(next.tried)) {
			next = c
		}
	}
	if next != nil {
		r.try(next)
	}
	if shared {
		r.schedule()
		r.tell()
	}
}

// message tells of the causes that are shared, those with the most instances first; empty without one.
func (r *refusals) message() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var shared []*cause
	for _, c := range r.causes {
		if c.shared {
			shared = append(shared, c)
		}
	}
	slices.SortFunc(shared, func(a, b *cause) int {
		return cmp.Or(cmp.Compare(len(b.members), len(a.members)), strings.Compare(a.name, b.name))
	})
	var texts []string
	for _, c := range shared[:min(len(shared), mostCauses)] {
		texts = append(texts, fmt.Sprintf("%d instances wait, and one of them is tried again and again, because of %s", len(c.members), c.message))
	}
	if more := len(shared) - mostCauses; more > 0 {
		texts = append(texts, fmt.Sprintf("and %d more causes", more))
	}
	return wording.Clean(strings.Join(texts, "; "))
}

// close ends all tries.
func (r *refusals) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	if r.timer != nil {
		r.timer.Stop()
	}
}

// refuse takes whether an instance was refused, and says whether it waits for others that were refused for the same.
func (a *agent) refuse(o apply.Owner, result *Result, err error) (waits bool) {
	switch {
	case err == nil || result.Refusal != nil:
		return a.refusals.take(o, result.Revision, result.Refusal, result.tried)
	case result.tried:
		a.refusals.refusedStill(o) // nothing is known of it
	}
	return false
}

// waitsForOthers is told of an instance that waits.
const waitsForOthers = "; other instances were refused for the same, and one of them at a time is tried again"

// mayTry says whether a visit to an instance that waits because it was refused tries the objects that were refused: where it is its
// turn, and a dry run is not refused any more. Otherwise the visit leaves them out, since it may have other reasons too.
func (a *agent) mayTry(ctx context.Context, conn *connection, in apply.Instance, wait *waiting) (try bool, err error) {
	if !wait.turn || wait.blind {
		return wait.turn, nil
	}
	refused, err := conn.Try(ctx, in, wait.refusal)
	if err != nil || refused {
		a.refusals.refusedStill(in.Owner)
	}
	return !refused, err
}
