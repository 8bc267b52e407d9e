package platform

import (
	"strings"

	"transom.dev/render/decision"
	"transom.dev/render/wording"
)

// IdleDecisions warns of Pins that decide nothing, or nothing for some request: they name a version that is not published, or one
// that a request cannot have as it is written. It also warns of Holds, Pins and Overrides whose subject is not there, as after a request was
// renamed: nobody else would say that it is held no more.
func (p *Platform) IdleDecisions() (problems []Problem) {
	for _, c := range p.Decisions {
		if c.Broken || c.Kind == decision.Approval {
			continue
		}
		d := reopen(p.tree.decisions[c.File])
		d.environment = c.Environment
		c.checkSubjectIsThere(d, p)
		if c.Kind == decision.Pin && c.Version != "" {
			idlePin(p, d, c)
		}
		problems = append(problems, d.problems...)
	}
	return problems
}

// checkSubjectIsThere warns of a subject that the platform does not have.
func (c *Decision) checkSubjectIsThere(d *document, p *Platform) {
	const still = "it decides only about what still runs under that name"
	switch {
	case c.Request != nil && p.Request(*c.Request) == nil:
		d.warn("spec.request", "unknown-request", "there is no request %s; %s%s", c.Request, still, wording.Suggest(c.Request.String(), p.requestNames(c.Request.Team)))
	case c.Team != "" && p.teams[c.Team] == nil:
		d.warn("spec.team", "unknown-team", "there is no team %q; %s%s", wording.Shorten(c.Team), still, orThereIs(c.Team, p.teams))
	case c.Cluster != "" && p.Clusters[c.Cluster] == nil:
		d.warn("spec.cluster", "unknown-cluster", "there is no cluster %q; %s%s", wording.Shorten(c.Cluster), still, orThereIs(c.Cluster, p.Clusters))
	case c.Kind != decision.Pin && c.Offering != "" && p.Offerings[c.Offering] == nil:
		d.warn("spec.offering", "unknown-offering", "there is no offering %q; %s%s", wording.Shorten(c.Offering), still, orThereIs(c.Offering, p.Offerings))
	}
}

// requestNames are the names of a team's requests; of all teams, where there is no such team.
func (p *Platform) requestNames(of string) (names []string) {
	for _, name := range sortedKeys(p.teams) {
		for _, r := range p.teams[name].requests {
			if name == of || p.teams[of] == nil {
				names = append(names, r.Key.String())
			}
		}
	}
	return names
}

func idlePin(p *Platform, d *document, c *Decision) {
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
