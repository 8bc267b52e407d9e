package platform

import (
	"maps"

	"transom.dev/render/expression"
	"transom.dev/render/schema"
)

// The work that the schemas of versions may take for all requests of a platform together, and for each besides. One request alone may
// take schema.AllWork, and so may few.
var (
	workTogether = schema.Work{Defaults: 1_000_000, Steps: 10_000_000}
	workEach     = schema.Work{Defaults: 100, Steps: 300}
)

// takenTimes is how many times as much a request may take whose version runs.
const takenTimes = 2

// A crowd is how many requests there are, in powers of two, so that one more or less changes nothing.
type crowd struct {
	all        int
	byOffering map[string]int // of those offerings that have any
}

// crowdOf counts the files of requests of all teams.
func (l *Loader) crowdOf(p *Platform) crowd {
	c := crowd{byOffering: map[string]int{}}
	for name, files := range p.tree.teams {
		for offering, n := range l.countByOffering(name, files) {
			if c.all += n; p.Offerings[offering] != nil {
				c.byOffering[offering] += n
			}
		}
	}
	c.all = expression.RoundUp(c.all)
	for offering, n := range c.byOffering {
		c.byOffering[offering] = expression.RoundUp(n)
	}
	return c
}

// countByOffering counts the requests of a team once: its files never change.
func (l *Loader) countByOffering(team string, files *teamFiles) map[string]int {
	if files.byOffering != nil {
		return files.byOffering
	}
	names := sortedKeys(files.requests)
	offerings := make([]string, len(names))
	forAll(len(names), func(i int) {
		offerings[i] = l.decoded(files.requests[names[i]], RequestKey{team, names[i]}).request.Spec.Offering
	})
	files.byOffering = map[string]int{}
	for _, offering := range offerings {
		files.byOffering[offering]++
	}
	return files.byOffering
}

func (c crowd) equal(o crowd) bool { return c.all == o.all && maps.Equal(c.byOffering, o.byOffering) }

// share is the work that each request for an offering may take: an equal part of all requests, or, where the offering has few of them, one of
// the equal parts of offerings.
func (c crowd) share(offering string) schema.Work {
	parts := int64(max(1, min(expression.RoundUp(len(c.byOffering))*max(1, c.byOffering[offering]), c.all)))
	return schema.Work{Defaults: workEach.Defaults + workTogether.Defaults/parts, Steps: workEach.Steps + workTogether.Steps/parts}.Times(1)
}
