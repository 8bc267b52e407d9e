package render

import (
	"sync"
	"time"

	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// A builder makes the manifests of instances, and checks them against every rule that needs no other instance. It reads the
// snapshot and changes the candidate that it is given; it knows neither the other candidates nor who admits. Several
// candidates may be built at a time.
type builder struct {
	*snapshot
	examiner    examiner
	definitions *definitions
	written     writtenObjects                    // of the base; it is told of every manifest that is made
	namespaces  *cache[string, renderedNamespace] // by digest of a namespace's inputs and components
	shared      *sharedBudget
	checking    bool             // somebody looks at Problems only, and at those that no environment waits for, too
	made        *state.Placement // everything is made as this record says; nil: anew
	unsealed    bool             // values that are given in secret are omitted, and image pull secrets with all that names them
	examined    func() time.Time // until when the pass waits for examinations of versions
}

func newBuilder(r *Renderer, s *snapshot) *builder {
	return &builder{
		snapshot: s, examiner: r.examiner(), definitions: r.definitions.of(s.platform), written: r.written(s), namespaces: &r.namespaces, shared: newSharedBudget(s), checking: r.Unwritten,
		examined: sync.OnceValue(func() time.Time { return time.Now().Add(examiningTime) }),
	}
}

// check reports the Problems that a candidate has with any outputs that it may be bound to.
func (b *builder) check(c *candidate) {
	c.add(b.sound(c)...)
	keepTaken(c, b.environment.Name, b.index.versions)
	c.add(b.platform.Transition(c.instance, c.stepFrom())...)
	c.longTexts()
}

// sound returns the Problems that a candidate's version has for every request. No pass waits long for the examination of a
// version that its environment does not run.
func (b *builder) sound(c *candidate) []platform.Problem {
	if c.takenAlready() {
		return excused(b.examiner.sound(c.instance.Version)...)
	}
	return b.examiner.soundBy(b.examined, c.instance.Version)
}

// build evaluates a candidate with the outputs that it is bound to, and builds the placements whose render key changed. It
// fails only where the base cannot be read.
func (b *builder) build(c *candidate, bound given) error {
	if !c.evaluation.fits(bound, c.base, b.shares) {
		c.evaluation = evaluate(c.instance, bound, c.base, b.shares)
	}
	c.evaluation = c.evaluation.sharing(b.shares.of(c.instance, c.base))
	c.add(c.evaluation.problems...)
	if c.broken() {
		return nil
	}
	c.keepUnreadable(b.platform.Clusters)
	for _, e := range c.evaluation.placements {
		c.addPlacement(e)
	}
	for _, placed := range c.placements {
		if placed.carried {
			continue
		}
		if err := b.render(c, placed); err != nil {
			return err
		}
	}
	if b.checking {
		if p := c.instance.CostlyLink(c.evaluation.outputs); p != nil {
			c.add(*p)
		}
	}
	return b.judge(c)
}
