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
	idle := &idleDecisions{platform: p, named: map[string]hinter{}, pinned: map[pinned][]*Instance{}}
	for _, c := range p.Decisions {
		if c.Broken || c.Kind == decision.Approval {
			continue
		}
		d := reopen(p.tree.decisions[c.File])
		d.environment = c.Environment
		idle.checkSubject(d, c)
		if c.Kind == decision.Pin && c.Version != "" {
			idle.checkPin(d, c)
		}
		problems = append(problems, d.problems...)
	}
	return problems
}

// idleDecisions has what many decisions ask about.
type idleDecisions struct {
	platform *Platform
	named    map[string]hinter // those of the requests of a team; of "": of all teams
	pinned   map[pinned][]*Instance
	looks    int // at an instance as another version
}

// mostLooks is how many instances are looked at as the version that a Pin names: of very many Pins of offerings, the first are checked.
const mostLooks = 100_000

// pinned is what a Pin of an offering is about.
type pinned struct{ environment, offering string }

// checkSubject warns of a subject that the platform does not have.
func (i *idleDecisions) checkSubject(d *document, c *Decision) {
	const still = "it decides only about what still runs under that name"
	p, askers := i.platform, len(i.platform.Decisions)
	switch {
	case c.Request != nil && p.Request(*c.Request) == nil:
		d.warn("spec.request", "unknown-request", "there is no request %s; %s%s", c.Request, still, i.requestsOf(c.Request.Team).suggest(c.Request.String()))
	case c.Team != "" && p.teams[c.Team] == nil:
		d.warn("spec.team", "unknown-team", "there is no team %q; %s%s", wording.Shorten(c.Team), still, hints(askers, p.teams).orThereIs(c.Team))
	case c.Cluster != "" && p.Clusters[c.Cluster] == nil:
		d.warn("spec.cluster", "unknown-cluster", "there is no cluster %q; %s%s", wording.Shorten(c.Cluster), still, hints(askers, p.Clusters).orThereIs(c.Cluster))
	case c.Kind != decision.Pin && c.Offering != "" && p.Offerings[c.Offering] == nil:
		d.warn("spec.offering", "unknown-offering", "there is no offering %q; %s%s", wording.Shorten(c.Offering), still, hints(askers, p.Offerings).orThereIs(c.Offering))
	}
}

// requestsOf are the hints about a team's requests; about those of all teams, where there is no such team.
func (i *idleDecisions) requestsOf(team string) hinter {
	if i.platform.teams[team] == nil {
		team = ""
	}
	known, made := i.named[team]
	if !made {
		names := map[string]bool{}
		for name, t := range i.platform.teams {
			for _, r := range t.requests {
				if name == team || team == "" {
					names[r.Key.String()] = true
				}
			}
		}
		known = hints(len(i.platform.Decisions), names)
		i.named[team] = known
	}
	return known
}

func (i *idleDecisions) checkPin(d *document, c *Decision) {
	p, offering := i.platform, c.Offering
	if c.Request != nil {
		r := p.Request(*c.Request)
		if r == nil {
			return // it may run all the same
		}
		offering = r.Spec.Offering
	}
	o := p.Offerings[offering]
	if o == nil {
		d.warn("spec.offering", "unknown-offering", "decides nothing: no offering %q%s", wording.Shorten(offering), hints(len(p.Decisions), p.Offerings).orThereIs(offering))
		return
	}
	version := o.Version(c.Version)
	if version == nil || version.Broken {
		d.warn("spec.version", "unknown-version", "cannot be followed, and what it is about stays as it is: %s has no sound version %q; published: %s", o.Name, wording.Shorten(c.Version), o.published())
		return
	}
	for _, instance := range i.instances(c, o) {
		if i.looks++; d.full() || i.looks > mostLooks {
			return
		}
		if _, wrong := instance.As(version); len(wrong) > 0 {
			k := instance.Request.Key
			d.warn("spec.version", "idle-pin", "cannot be followed, and %s stays as it is, which cannot have %s: %s", k, version, strings.Join(texts(wrong), "; "))
		}
	}
}

// instances are those that a Pin is about.
func (i *idleDecisions) instances(c *Decision, o *Offering) []*Instance {
	in := i.platform.InstanceSet(c.Environment)
	if c.Request != nil {
		instance := in.Of(*c.Request)
		if instance == nil || instance.Offering != o {
			return nil
		}
		return []*Instance{instance}
	}
	key := pinned{c.Environment, o.Name}
	all, made := i.pinned[key]
	if !made {
		for instance := range in.All() {
			if instance.Offering == o {
				all = append(all, instance)
			}
		}
		i.pinned[key] = all
	}
	return all
}

func texts(problems []Problem) (all []string) {
	for _, p := range problems {
		all = append(all, p.String())
	}
	return all
}
