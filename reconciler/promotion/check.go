package promotion

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"transom.dev/render/gate"
	"transom.dev/render/inquiry"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// A Verdict is the answer of another party to a check.
type Verdict string

// The verdicts. A party that does not answer, or answers something else, gives none.
const (
	Passes Verdict = "passes"
	Fails  Verdict = "fails"
)

// A CheckSubject is the release that a check is asked about. A check of rollouts is asked about it on one cluster.
type CheckSubject struct {
	Check *inquiry.Check
	Of    ReleaseRef

	Cluster  string // empty: the check is one of gates
	Revision string // as Placement.Observed

	Run string // of a check by Jobs, as inquiry.Run.String; empty: it can run nowhere now
}

// Checked is the last answer to a check about a subject, and for how long it has been the same. The zero value says that nobody
// has answered.
type Checked struct {
	Verdict Verdict       // empty: none
	Message string        // the figure or the reason, or why there is no verdict
	Since   time.Time     // since when the verdict is this; zero: it is not known
	Passed  time.Duration // for how long answers about this subject have been seen to pass, one after the other
	Failed  time.Duration // for how long they have been seen not to pass, since one passed
	Silent  time.Duration // for how long in all no answer came that is one
	Opens   string        // who has to act before the party can answer; empty: nobody
}

// Suffices reports whether a check lets its subject go on.
func (is Checked) Suffices(c *inquiry.Check) bool {
	return is.Verdict == Passes && is.Passed >= c.For || is.Verdict != Fails && is.unanswered(c)
}

// FailsRollout reports whether a check has not passed for so long that a rollout fails for it.
func (is Checked) FailsRollout(c *inquiry.Check) bool {
	return is.Verdict == Fails && is.Failed >= c.For
}

// unanswered reports whether a rollout has waited long enough for a party that does not answer.
func (is Checked) unanswered(c *inquiry.Check) bool { return c.Patience > 0 && is.Silent >= c.Patience }

// figure is the text by which a record remembers that a check passed.
func (is Checked) figure(c *inquiry.Check) string {
	figure := c.Name + ": " + is.Message
	if c.For > 0 {
		figure += ", for " + is.Passed.Round(time.Second).String()
	}
	return strings.TrimSuffix(figure, ": ")
}

// gate is the gate of a check that is not open.
func (is Checked) gate(c *inquiry.Check) Gate {
	opens := cmp.Or(is.Opens, "the next answer of "+c.Party())
	g := Gate{Name: gate.Check, Since: is.Since, Opens: opens + ", or an Override that skips " + string(gate.CheckNamed(c.Name))}
	switch {
	case is.Verdict == Passes:
		g.Reason = fmt.Sprintf("check %s passes, %s of %s: %s", c.Name, is.Passed.Round(time.Second), c.For, is.Message)
	case is.Verdict == Fails:
		g.Reason = fmt.Sprintf("check %s does not pass: %s", c.Name, is.Message)
	case is.Message != "":
		g.Reason = fmt.Sprintf("check %s has no answer: %s", c.Name, is.Message)
	default:
		g.Reason = fmt.Sprintf("check %s is not answered yet", c.Name)
	}
	g.Reason = strings.TrimSuffix(g.Reason, ": ")
	return g
}

// check returns the last answer to a check.
func (v *View) check(s CheckSubject) Checked {
	if v.Check == nil {
		return Checked{}
	}
	return v.Check(s)
}

// unpassed is closed for a release while a check of the environment does not pass. A check is asked about a release that is healthy
// in the environments before this one, and not about one that failed.
func unpassed(q *question) (closed []Gate) {
	early := func(g Gate) bool { return g.Name == gate.Health || g.Name == gate.Rejected }
	if slices.ContainsFunc(q.closed, early) {
		return nil
	}
	for _, c := range q.Environment.Gates.Checks {
		if d := q.people.overrideOfCheck(c, q.to); d != nil {
			q.passed = append(q.passed, q.people.passed(gate.Check, d))
			continue
		}
		of := CheckSubject{Check: c, Of: q.to}
		if c.Job != "" {
			run, none := q.jobs(c)
			if none != "" {
				q.passed = append(q.passed, state.PassedGate{Gate: gate.Check, Figure: c.Name + ": " + none})
				continue
			}
			of.Run = run
		}
		if is := q.check(of); is.Suffices(c) {
			q.passed = append(q.passed, state.PassedGate{Gate: gate.Check, Figure: is.figure(c)})
		} else {
			closed = append(closed, is.gate(c))
		}
	}
	return closed
}

// overrideOfCheck returns the Override that lets a release past a check, by the name of the gate or by that of the check; nil: there
// is none.
func (p *people) overrideOfCheck(c *inquiry.Check, r ReleaseRef) *platform.Decision {
	if d := p.override(gate.CheckNamed(c.Name), r); d != nil {
		return d
	}
	return p.override(gate.Check, r)
}

// A CheckKey tells the subjects of one check from one another.
type CheckKey struct {
	Request           platform.RequestKey
	Release           string // empty: the check is one of rollouts
	Cluster, Revision string
}

// Key is all that tells the subject from the others of its check. Releases that are one revision on a cluster are one there.
func (s CheckSubject) Key() CheckKey {
	if s.Cluster != "" {
		return CheckKey{Request: s.Of.Key, Cluster: s.Cluster, Revision: s.Revision}
	}
	return CheckKey{Request: s.Of.Key, Release: s.Of.Digest}
}
