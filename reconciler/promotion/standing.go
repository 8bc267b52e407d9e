package promotion

import (
	"slices"
	"strings"
	"time"

	"transom.dev/render/platform"
)

// The values of a Standing's State.
const (
	Waiting     = "Waiting"     // a candidate, or an environment change, is held up by Gates
	Moving      = "Moving"      // a rollout is under way, or enters with this pass
	RollingBack = "RollingBack" // the release that ran before is coming back
	Stopped     = "Stopped"     // a rollout goes no further by itself
	Removing    = "Removing"    // pruning is not confirmed everywhere
	Settled     = "Settled"     // nothing waits; it is only listed for its Debts
)

// Standing is where an instance stands after Choose and Admit, if there is more to say than that it rests.
type Standing struct {
	State     string
	Candidate *Content // the newest that waits
	Removal   bool     // the change that waits is its removal
	Overtaken int      // older releases that the candidate leaves behind
	Gates     []Gate   // that are closed for it
	Debts     []string // the pins and overrides in force, by file, with their reasons; sorted
}

// Owes reports whether the decision in a file is a debt of the instance.
func (s *Standing) Owes(file string) bool {
	return s != nil && slices.ContainsFunc(s.Debts, func(debt string) bool { return debt == file || strings.HasPrefix(debt, file+": ") })
}

// standing returns that of a request, to be filled.
func (p *Pass) standing(k platform.RequestKey) *Standing {
	s := p.standings[k]
	if s == nil {
		s = &Standing{State: Settled}
		p.standings[k] = s
	}
	return s
}

// Standings returns those instances that are not simply at rest. It is complete once Admit has returned.
func (p *Pass) Standings() map[platform.RequestKey]*Standing { return p.standings }

// wait notes closed gates, each once, and when to look again.
func (p *Pass) wait(k platform.RequestKey, gates ...Gate) {
	s := p.standing(k)
	for _, g := range gates {
		if !slices.Contains(s.Gates, g) {
			s.Gates = append(s.Gates, g)
		}
		p.wake(g.At)
	}
	if len(gates) > 0 && s.State == Settled {
		s.State = Waiting
	}
}

// wake asks for a pass at a time.
func (p *Pass) wake(at time.Time) {
	if !at.IsZero() && (p.Next.IsZero() || at.Before(p.Next)) {
		p.Next = at
	}
}
