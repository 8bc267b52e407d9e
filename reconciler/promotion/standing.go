package promotion

import (
	"maps"
	"slices"
	"strings"
	"time"

	"transom.dev/render/platform"
)

// The values of a Standing's State.
const (
	Waiting     = "Waiting"     // a candidate, or an environment change, waits for Gates
	Moving      = "Moving"      // a rollout is under way, or enters with this pass
	RollingBack = "RollingBack" // the release that ran before is coming back
	Stopped     = "Stopped"     // a rollout goes no further by itself
	Removing    = "Removing"    // pruning is not confirmed everywhere
	Settled     = "Settled"     // nothing waits; it is only listed for its Debts
)

// Standing is the situation of an instance after a pass, if there is more to say than that it rests.
type Standing struct {
	State     string
	Candidate *Content // the newest that waits
	Removal   bool     // the change that waits is its removal
	Overtaken int      // older releases that the candidate leaves behind
	Gates     []Gate   // that are closed for it
	Debts     []string // the pins and overrides in force, by file, with their reasons; sorted

	// Deadline is when the rollout fails unless it is healthy by then, or somebody stopped looking; zero: it has none now.
	Deadline time.Time
}

// Owes reports whether the decision in a file is a debt of the instance.
func (s *Standing) Owes(file string) bool {
	return s != nil && slices.ContainsFunc(s.Debts, func(debt string) bool { return debt == file || strings.HasPrefix(debt, file+": ") })
}

// An outcome is the answer to a question about one instance: nobody but choose and Admit records it.
type outcome struct {
	gates []Gate      // that are closed
	times []time.Time // at which to ask again
	state string      // of the Standing; empty: as it was

	// Of the Standing as well, as far as they are set:
	candidate *Content // the newest that waits
	removal   bool
	overtaken int
	debts     []string
	deadline  time.Time
}

func (o *outcome) wait(gates ...Gate)   { o.gates = append(o.gates, gates...) }
func (o *outcome) wake(times time.Time) { o.times = append(o.times, times) }

// standings collect the Standings of a pass, and the next time at which something can change by itself.
type standings struct {
	byKey map[platform.RequestKey]*Standing
	next  time.Time
}

// of returns the Standing of a request, which record and wait fill.
func (l *standings) of(k platform.RequestKey) *Standing {
	s := l.byKey[k]
	if s == nil {
		s = &Standing{State: Settled}
		l.byKey[k] = s
	}
	return s
}

// record takes over an outcome.
func (l *standings) record(k platform.RequestKey, o outcome) {
	if len(o.gates) > 0 {
		l.wait(k, o.gates...)
	}
	for _, at := range o.times {
		l.wake(at)
	}
	if o.state != "" {
		l.of(k).State = o.state
	}
	if o.candidate != nil {
		s := l.of(k)
		s.Candidate, s.Removal, s.Overtaken = o.candidate, s.Removal || o.removal, max(s.Overtaken, o.overtaken)
	}
	if len(o.debts) > 0 {
		l.of(k).Debts = o.debts
	}
	if !o.deadline.IsZero() {
		l.of(k).Deadline = o.deadline
	}
}

// wait adds closed gates, each once, and the times at which they open.
func (l *standings) wait(k platform.RequestKey, gates ...Gate) {
	s := l.of(k)
	for _, g := range gates {
		if !slices.Contains(s.Gates, g) {
			s.Gates = append(s.Gates, g)
		}
		l.wake(g.At)
	}
	if len(gates) > 0 && s.State == Settled {
		s.State = Waiting
	}
}

// wake asks for a pass at a time.
func (l *standings) wake(at time.Time) { l.next = earliest(l.next, at) }

// earliest is the first of two times; zero is no time.
func earliest(a, b time.Time) time.Time {
	switch {
	case a.IsZero():
		return b
	case b.IsZero(), a.Before(b):
		return a
	}
	return b
}

// clone copies standings so that the others stay as they are.
func (l *standings) clone() *standings {
	own := &standings{byKey: maps.Clone(l.byKey), next: l.next}
	for k, s := range own.byKey {
		copied := *s
		copied.Gates = slices.Clone(s.Gates)
		own.byKey[k] = &copied
	}
	return own
}
