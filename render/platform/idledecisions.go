package platform

import (
	"strings"

	"transom.dev/render/decision"
	"transom.dev/render/wording"
)

// IdlePins warns of Pins that decide nothing, or nothing for some request: they name a version that is not published, or one
// that a request cannot have as it is written.
func (p *Platform) IdlePins() (problems []Problem) {
	for _, c := range p.Decisions {
		if c.Kind == decision.Pin && c.Version != "" && !c.Broken {
			d := reopen(p.tree.decisions[c.File])
			idlePin(p, d, c)
			problems = append(problems, d.problems...)
		}
	}
	return problems
}

func idlePin(p *Platform, d *document, c *Decision) {
	d.environment = c.Environment
	offering := c.Offering
	if c.Request != nil {
		r := p.Request(*c.Request)
		if r == nil {
			return // it may run all the same
		}
		offering = r.Spec.Offering
	}
	o := p.Offerings[offering]
	if o == nil {
		d.warn("spec.offering", "unknown-offering", "decides nothing: no offering %q%s", wording.Shorten(offering), orThereIs(offering, p.Offerings))
		return
	}
	pinned := o.Version(c.Version)
	if pinned == nil || pinned.Broken {
		d.warn("spec.version", "unknown-version", "decides nothing: %s has no sound version %q; published: %s", o.Name, wording.Shorten(c.Version), o.published())
		return
	}
	for _, i := range p.Instances(c.Environment) {
		named := c.Request == nil || i.Request.Key == *c.Request
		if i.Offering != o || !named {
			continue
		}
		if _, wrong := i.As(pinned); len(wrong) > 0 {
			k := i.Request.Key
			d.warn("spec.version", "idle-pin", "decides nothing for %s, which cannot have %s: %s", k, pinned, strings.Join(texts(wrong), "; "))
		}
	}
}

func texts(problems []Problem) (all []string) {
	for _, p := range problems {
		all = append(all, p.String())
	}
	return all
}
