package promotion_test

import (
	"cmp"
	"fmt"
	"slices"

	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// entered checks a release that came by itself against proof, approval and history.
// It checks R3, R4, R12, R13, R14, R17, R31, R36 and R103.
func (o *oracle) entered(s *stage, was, is *state.Release) {
	e := o.platform.Environments[s.name]
	if was != nil && !was.Absent && is.Commit <= was.Commit {
		o.breaks("%s takes %s of %s after %s of %s by itself", s.name, is.Digest, is.Commit, was.Digest, was.Commit)
	}
	if is.Commit < o.farthest[at(s.name, is.Key.Name)] {
		o.breaks("%s takes %s of %s by itself, and went back from %s before", s.name, is.Digest, is.Commit, o.farthest[at(s.name, is.Key.Name)])
	}
	for _, provider := range is.Bindings(s.name) {
		if r := s.releases[provider]; r == nil || r.Absent {
			o.breaks("%s takes %s before %s, which it is bound to", s.name, is.Digest, provider)
		}
	}
	for _, c := range e.Gates.Checks {
		if c.Job != "" {
			continue // smoked looks at it
		}
		skipped := o.skips(s.name, "check", is) || o.skips(s.name, "check/"+c.Name, is)
		if passes := o.passesFor(s.name); !skipped && (passes < 0 || passes < c.For) {
			o.breaks("%s takes %s while the check %s has passed for %s", s.name, is.Digest, c.Name, passes)
		}
	}
	approved := o.approved(s.name, was, is)
	needed := e.Gates.Approval == "required" && !o.routine(s, was, is)
	if needed && approved == nil && !o.skips(s.name, "approval", is) {
		o.breaks("%s takes %s without an approval", s.name, is.Digest)
	}
	if was != nil && was.Version != is.Version && is.Promotion.Rollout != nil && is.Promotion.Rollout.Cause != "rollback" {
		delete(o.stepped[at(s.name, was.Version)], is.Key.Name) // it left for a newer one before anybody could know that it fails
	}
	if was != nil && !was.Absent && len(was.Clusters) > 0 && was.Version != is.Version && is.Promotion.Rollout != nil {
		o.step(s, is)
	}
	if len(e.PromotesFrom) == 0 {
		return
	}
	proofs := 0
	for _, up := range o.upstream(e, is.Request) {
		id := at(up, is.Key.Name, is.Digest)
		bytes, ran := o.rendered[id]
		if is.Request.Environments[up].Version != is.Request.Environments[s.name].Version && !remembers(o.stages[up].releases[is.Key], is.Digest) {
			continue // it runs a version of its own choice, and no such pair
		}
		if was != nil && !was.Absent && (asksSame(up, was, is) || ran && o.rendered[at(up, is.Key.Name, was.Digest)] == bytes) {
			continue
		}
		proofs++
		o.smoked(e, up, is)
		need := e.Gates.Soak
		if o.skips(s.name, "soak", is) {
			need = 0
		}
		doubtful := o.asleep(up, o.stages[up].releases[is.Key]) || o.weak[id]
		if doubtful && (e.Gates.Unproven == "allow" || approved != nil && approved.Release == is.Digest) {
			continue // a person knows that nothing is proven
		}
		if o.weak[id] {
			o.breaks("%s takes %s, of which %s asks less than of what failed", s.name, is.Digest, up)
		}
		if !ran || o.soaked[id] < need {
			o.breaks("%s takes %s, which was well in %s for %s", s.name, is.Digest, up, o.soaked[id])
		}
	}
	if proofs == 0 && e.Gates.Unproven != "allow" && (approved == nil || approved.Release != is.Digest) {
		o.breaks("%s takes the unproven %s without an approval of exactly it", s.name, is.Digest)
	}
}

// remembers reports whether a record is of a release, or of its proof.
func remembers(r *state.Release, digest string) bool {
	return r != nil && (r.Digest == digest || slices.ContainsFunc(r.Promotion.Proven, func(p state.Proof) bool { return p.Digest == digest }))
}

// asksSame reports whether two releases ask for the same in an environment.
func asksSame(environment string, a, b *state.Release) bool {
	ask := func(r *state.Release) string {
		return fmt.Sprint(r.Version, r.Request.Parameters, r.Request.Environments[environment].Parameters, r.Request.Bindings)
	}
	return ask(a) == ask(b)
}

// upstream lists the nearest environments before one that a request is in.
func (o *oracle) upstream(e *platform.Environment, spec *platform.RequestSpec) (list []string) {
	for _, up := range e.PromotesFrom {
		if _, placed := spec.Environments[up]; placed {
			list = append(list, up)
		} else {
			list = append(list, o.upstream(o.platform.Environments[up], spec)...)
		}
	}
	return list
}

// approved returns the Approval that admits a release, one of exactly it before one of its version.
func (o *oracle) approved(environment string, was, is *state.Release) *platform.Decision {
	apart := func(d *platform.Decision) bool {
		return o.apart(environment, d, is.Commit, is.Key.File(), "offerings/web/"+is.Version)
	}
	exact := o.decided(environment, "Approval", func(d *platform.Decision) bool {
		return d.Request != nil && *d.Request == is.Key && d.Release == is.Digest && apart(d)
	})
	if exact != nil || was == nil || was.Absent || was.Version == is.Version {
		return exact
	}
	same := fmt.Sprint(was.Request.Parameters, was.Request.Environments[environment].Parameters, was.Request.Bindings) ==
		fmt.Sprint(is.Request.Parameters, is.Request.Environments[environment].Parameters, is.Request.Bindings)
	return o.decided(environment, "Approval", func(d *platform.Decision) bool { return same && d.Version == is.Version && apart(d) })
}

// step counts the instances that a version which is bad everywhere reaches as a step from another. It checks R59.
func (o *oracle) step(s *stage, is *state.Release) {
	if f := cmp.Or(o.faults[is.Version], o.faults[is.Version+"@"+s.name]); f == "" || f == gutter || f == sleeps || f == errs {
		return
	}
	id := at(s.name, is.Version)
	if o.stepped[id] == nil {
		o.stepped[id] = map[string]bool{}
	}
	o.stepped[id][is.Key.Name] = true
	limits := o.platform.Environments[s.name].Rollout.Instances
	approved := o.decided(s.name, "Approval", func(d *platform.Decision) bool { return d.Version == is.Version || d.Release != "" })
	if len(o.stepped[id]) > max(limits.First, limits.MaxFailures) && approved == nil {
		o.breaks("%s lets %s into %d instances, and it fails in all", s.name, is.Version, len(o.stepped[id]))
	}
}
