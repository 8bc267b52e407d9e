package render

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"weak"

	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// admissions bounds how often one pass asks which releases are admitted. Each answer may change the outputs that consumers
// are built with; after the last one, an instance that was built with outputs that were not admitted stays as it is until
// the next pass.
const admissions = 3

// An admission knows, of every request of a pass, the release that the environment has after it, as far as the pass has
// come: the answers of whoever admits, and the removals that wait for consumers.
type admission struct {
	*selection
	answers map[platform.RequestKey]*state.Release        // to the proposals
	needed  map[platform.RequestKey][]platform.RequestKey // orphans that stay, with the consumers that are bound to them and stay
	closing bool                                          // nothing is built any more
}

func newAdmission(l *selection) *admission {
	return &admission{
		selection: l,
		answers:   map[platform.RequestKey]*state.Release{},
		needed:    map[platform.RequestKey][]platform.RequestKey{},
	}
}

// propose returns the new records of the candidates that have no Problem, and the removals, sorted by request.
func (a *admission) propose() (proposals []state.Proposal) {
	for _, c := range a.candidates {
		if c.broken() {
			continue
		}
		if c.next == nil {
			c.next = c.release(a.platform.Commit)
		}
		if c.next != c.base {
			proposals = append(proposals, state.Proposal{Base: c.base, Next: c.next, Instance: c.instance})
		}
	}
	for _, k := range a.orphans {
		if !a.stays(k) {
			proposals = append(proposals, state.Proposal{Base: a.recordOf(k), Next: a.tombstone(k)})
		}
	}
	slices.SortFunc(proposals, func(a, b state.Proposal) int { return a.Next.Key.Compare(b.Next.Key) })
	return proposals
}

// accept takes in the answers to all proposals, and reports whether each takes all of its proposal.
func (a *admission) accept(proposals []state.Proposal, answers []*state.Release) (whole bool, err error) {
	clear(a.answers)
	if len(answers) != len(proposals) {
		return false, fmt.Errorf("admit %d proposals of %s: there are %d answers", len(proposals), a.environment.Name, len(answers))
	}
	whole = true
	for n, proposal := range proposals {
		if err := checkAnswer(proposal, answers[n]); err != nil {
			return false, fmt.Errorf("admit %s in %s: %w", proposal.Next.Key, a.environment.Name, err)
		}
		a.answers[proposal.Next.Key] = answers[n]
		whole = whole && isWhole(proposal.Next, answers[n])
	}
	return whole, nil
}

// checkAnswer refuses an answer with a placement whose bytes nobody has.
func checkAnswer(proposal state.Proposal, answer *state.Release) error {
	if answer == nil {
		if proposal.Base != nil {
			return fmt.Errorf("the answer drops what runs")
		}
		return nil
	}
	for cluster, placed := range answer.Clusters {
		next, base := placementOf(proposal.Next, cluster), placementOf(proposal.Base, cluster)
		known := sameBytes(placed, next) || sameBytes(placed, base)
		if placed.RenderKey == "" || !known {
			return fmt.Errorf("what it answers for %s is neither what is proposed there nor what is there", cluster)
		}
	}
	for cluster := range proposal.Next.Clusters {
		if placementOf(proposal.Base, cluster).Revision != "" && placementOf(answer, cluster).Revision == "" {
			return fmt.Errorf("the answer drops what runs on %s", cluster)
		}
	}
	return nil
}

func sameBytes(a, b state.Placement) bool {
	return a.RenderKey == b.RenderKey && a.Revision == b.Revision && a.Namespace == b.Namespace
}

// isWhole reports whether an answer takes all of the proposed record.
func isWhole(next, answer *state.Release) bool {
	return answer != nil && answer.Digest == next.Digest && answer.Absent == next.Absent &&
		maps.EqualFunc(answer.Clusters, next.Clusters, sameBytes)
}

// answer returns the record that was admitted of a request that was proposed. A request that has a Problem since, or that
// consumers need, counts as not proposed.
func (a *admission) answer(k platform.RequestKey) (*state.Release, bool) {
	if c := a.byKey[k]; c != nil && c.broken() {
		return nil, false
	}
	if len(a.needed[k]) > 0 {
		return nil, false
	}
	answer, answered := a.answers[k]
	return answer, answered
}

// stays reports whether the environment keeps the record of a request without an instance.
func (a *admission) stays(k platform.RequestKey) bool { return len(a.needed[k]) > 0 || a.kept(k) }

// placementAfter returns a candidate's placement on a cluster after this pass, and its bytes where they are new.
func (a *admission) placementAfter(c *candidate, cluster string) (state.Placement, []byte) {
	if c.broken() {
		return placementOf(c.base, cluster), nil
	}
	answer, answered := a.answer(c.key())
	admitted := placementOf(answer, cluster)
	for _, placed := range c.placements {
		if placed.cluster.Name != cluster {
			continue
		}
		if !answered || admitted.RenderKey == placed.key {
			return state.Placement{Revision: placed.revision, Namespace: placed.namespace}, placed.manifest
		}
	}
	if answered {
		return admitted, nil
	}
	return c.kept[cluster], nil
}

// postpone leaves out for this time the candidates that were built with outputs that are not admitted, and reports whether
// there was any: a consumer waits for its provider. One whose own content changes is built anew instead, unless that is over:
// the provider that made the difference moves on in this pass, so the next one gets further.
func (a *admission) postpone() (more bool) {
	for _, level := range a.levels {
		for _, c := range level {
			answer, answered := a.answer(c.key())
			waits := a.closing || c.keepsRelease()
			if !answered || answer == c.base || !waits {
				continue
			}
			if bound, _ := a.bound(c); !reflect.DeepEqual(bound, c.evaluation.bindings) {
				a.answers[c.key()] = c.base
				more = true
			}
		}
	}
	return more
}

// An outcome has the results of a pass: the records that differ from the base, the requests that are to be visited again,
// and the Problems.
type outcome struct {
	releases map[platform.RequestKey]*state.Release
	pending  map[platform.RequestKey]bool // proposed, and not admitted as a whole
	problems []platform.Problem
}

// conclude returns the outcome of every request that was visited, with the records that the direction has of others.
func (a *admission) conclude() *outcome {
	o := &outcome{releases: map[platform.RequestKey]*state.Release{}, pending: map[platform.RequestKey]bool{}}
	for _, c := range a.candidates {
		o.problems = append(o.problems, c.problems...)
		if !c.broken() && c.next != nil {
			a.take(o, c.key(), c.next)
			if c.reshapes() {
				o.pending[c.key()] = true // its record gets the urgent key
			}
			if c.evaluation.built = nil; o.pending[c.key()] {
				c.evaluation.recorded, c.evaluation.built = weak.Pointer[state.Release]{}, c.placements
			} else if len(c.kept) == 0 && o.releases[c.key()] != nil {
				c.evaluation.recorded = weak.Make(o.releases[c.key()])
			}
		}
	}
	for _, k := range a.orphans {
		switch {
		case len(a.needed[k]) > 0:
			o.problems = append(o.problems, a.neededProblem(k))
		case !a.stays(k):
			a.take(o, k, a.tombstone(k))
		}
	}
	for k := range a.direction.Restore {
		a.record(o, k, a.restored(k))
	}
	for k, release := range a.direction.Records {
		if o.releases[k] == nil && a.restored(k) == nil {
			a.record(o, k, release)
		}
	}
	return o
}

// take records the admitted part of a proposal, all of it where nobody was asked.
func (a *admission) take(o *outcome, k platform.RequestKey, next *state.Release) {
	answer, answered := a.answer(k)
	if !answered {
		answer = next
	}
	if !isWhole(next, answer) {
		o.pending[k] = true
	}
	a.record(o, k, answer)
}

// record makes a release the environment's, where that is a difference.
func (a *admission) record(o *outcome, k platform.RequestKey, release *state.Release) {
	before := a.base.Releases[k]
	if release == nil || release == before {
		return
	}
	if before == nil || !sameRelease(before, release) {
		o.releases[k] = release
	}
}
