package render

import (
	"fmt"
	"maps"
	"reflect"
	"slices"

	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// admissions bounds how often one pass asks which releases are admitted. Each answer may change the outputs that consumers
// are built with; after the last one, an instance that was built with outputs that were not admitted stays as it is until
// the next pass.
const admissions = 3

// settle builds the candidates and has them admitted, until none was built with outputs that are not admitted.
func (p *pass) settle() error {
	for asked := 1; ; asked++ {
		if err := p.settleBuilt(); err != nil {
			return err
		}
		proposals := p.propose()
		if p.direction.Admit == nil {
			return nil
		}
		whole, err := p.admit(proposals)
		if err != nil || whole {
			return err
		}
		p.closing = asked == admissions
		if err := p.withhold(); err != nil || p.closing || !p.unsettled() {
			return err
		}
	}
}

// settleBuilt builds the candidates, until no Problem found after that changes the outputs that others were built with.
func (p *pass) settleBuilt() error {
	for again := true; again; again = p.unsettled() {
		if err := p.build(); err != nil {
			return err
		}
		p.settleNamespaces()
		if _, err := p.settleCollisions(); err != nil {
			return err
		}
	}
	return nil
}

// propose returns the new records of the candidates that have no Problem, and the removals, sorted by request.
func (p *pass) propose() (proposals []state.Proposal) {
	for _, c := range p.candidates {
		if c.broken() {
			continue
		}
		if c.next == nil {
			c.next = p.release(c)
		}
		if c.next != c.base {
			proposals = append(proposals, state.Proposal{Base: c.base, Next: c.next, Instance: c.instance})
		}
	}
	for _, k := range p.orphans {
		if !p.stays(k) {
			proposals = append(proposals, state.Proposal{Base: p.had(k), Next: p.tombstone(k)})
		}
	}
	slices.SortFunc(proposals, func(a, b state.Proposal) int { return a.Next.Key.Compare(b.Next.Key) })
	return proposals
}

// admit asks which proposals are admitted, and reports whether all of them are.
func (p *pass) admit(proposals []state.Proposal) (whole bool, err error) {
	clear(p.answers)
	if len(proposals) == 0 {
		return true, nil
	}
	answers := p.direction.Admit(proposals)
	if len(answers) != len(proposals) {
		return false, fmt.Errorf("admit %d proposals of %s: there are %d answers", len(proposals), p.environment.Name, len(answers))
	}
	whole = true
	for n, proposal := range proposals {
		if err := checkAnswer(proposal, answers[n]); err != nil {
			return false, fmt.Errorf("admit %s in %s: %w", proposal.Next.Key, p.environment.Name, err)
		}
		p.answers[proposal.Next.Key] = answers[n]
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
		if placed.RenderKey == "" || !sameBytes(placed, next) && !sameBytes(placed, base) {
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

// answer returns the record that was admitted of a request that was proposed. A request that has a Problem since, or that is
// held, counts as not proposed.
func (p *pass) answer(k platform.RequestKey) (*state.Release, bool) {
	if c := p.byKey[k]; c != nil && c.broken() || len(p.held[k]) > 0 {
		return nil, false
	}
	answer, answered := p.answers[k]
	return answer, answered
}

// withhold leaves out for this time the candidates that were built with outputs that are not admitted, and those that then
// collide: a consumer waits for its provider. One whose own content changes is built anew instead, unless that is over: the
// provider that made the difference moves on in this pass, so the next one gets further.
func (p *pass) withhold() error {
	for again := true; again; {
		again = false
		for _, level := range p.levels {
			for _, c := range level {
				if answer, answered := p.answer(c.key()); !answered || answer == c.base || !p.closing && !c.stands() {
					continue
				}
				if bound, _ := p.bound(c); !reflect.DeepEqual(bound, c.evaluation.bindings) {
					p.answers[c.key()] = c.base
					again = true
				}
			}
		}
		lost, err := p.settleCollisions()
		if err != nil {
			return err
		}
		held := p.hold()
		again = again || lost || held
	}
	return nil
}

// stands reports whether the candidate is of the release that runs, and changes for the sake of others only.
func (c *candidate) stands() bool {
	return c.base != nil && !c.base.Absent && c.next != nil && c.next.Digest == c.base.Digest
}

// conclude records the outcome of every request that was visited, and the records that the direction has of others.
func (p *pass) conclude() {
	for _, c := range p.candidates {
		p.problems = append(p.problems, c.problems...)
		if !c.broken() && c.next != nil {
			p.take(c.key(), c.next)
			if c.evaluation.built = nil; p.pending[c.key()] {
				c.evaluation.recorded, c.evaluation.built = nil, c.placements
			} else if len(c.kept) == 0 && p.releases[c.key()] != nil {
				c.evaluation.recorded = p.releases[c.key()]
			}
		}
	}
	for _, k := range p.orphans {
		switch {
		case len(p.held[k]) > 0:
			p.keepHeld(k, p.had(k))
		case !p.stays(k):
			p.take(k, p.tombstone(k))
		}
	}
	for k := range p.direction.Restore {
		p.record(k, p.restored(k))
	}
	for k, release := range p.direction.Records {
		if p.releases[k] == nil && p.restored(k) == nil {
			p.record(k, release)
		}
	}
}

// take records the admitted part of a proposal, all of it where nobody was asked.
func (p *pass) take(k platform.RequestKey, next *state.Release) {
	answer, answered := p.answer(k)
	if !answered {
		answer = next
	}
	if !isWhole(next, answer) {
		p.pending[k] = true
	}
	p.record(k, answer)
}

// record makes a release the environment's, where that is a difference.
func (p *pass) record(k platform.RequestKey, release *state.Release) {
	before := p.base.Releases[k]
	if release == nil || release == before || before != nil && sameRelease(before, release) {
		return
	}
	p.releases[k] = release
}
