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

// counted is how many files of requests the teams have together, by offering as the files name it. Nobody knows the offering of those that were
// not read yet, so that shares are too large until then and never too small.
type counted struct {
	all        int
	byOffering map[string]int
	partly     bool // there are files that were not read
}

// crowd is the crowd of the requests that were counted, for offerings that there are.
func (c counted) crowd(offerings map[string]*Offering) crowd {
	of := crowd{all: expression.RoundUp(c.all), byOffering: map[string]int{}}
	for offering, n := range c.byOffering {
		if offerings[offering] != nil {
			of.byOffering[offering] = expression.RoundUp(n)
		}
	}
	return of
}

func (c *counted) add(files *teamFiles, byOffering map[string]int, times int) {
	c.all += times * len(files.requests)
	c.partly = c.partly || times > 0 && files.unread > 0
	for offering, n := range byOffering {
		if c.byOffering[offering] += times * n; c.byOffering[offering] == 0 {
			delete(c.byOffering, offering)
		}
	}
}

func (c crowd) equal(o crowd) bool { return c.all == o.all && maps.Equal(c.byOffering, o.byOffering) }

// share is the work that each request for an offering may take: an equal part of all requests, or, where the offering has few of them, one of
// the equal parts of offerings.
func (c crowd) share(offering string) schema.Work {
	parts := int64(max(1, min(expression.RoundUp(len(c.byOffering))*max(1, c.byOffering[offering]), c.all)))
	return schema.Work{Defaults: workEach.Defaults + workTogether.Defaults/parts, Steps: workEach.Steps + workTogether.Steps/parts}.Times(1)
}
