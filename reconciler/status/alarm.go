package status

import (
	"fmt"
	"slices"
	"time"

	"transom.dev/render/event"
	"transom.dev/render/gate"
	"transom.dev/render/platform"
)

// alarm is the level of an event after which something is ill, or not, in view of how it was before.
func alarm(was, is bool) Level {
	switch {
	case is:
		return Error
	case was:
		return Warning
	default:
		return ""
	}
}

// problemEvents bounds how many Problems that came, and how many that went, have an event each. The console has them all.
const problemEvents = 10

// recordProblems records which Problems came and which are mended; found says that the Board begins to watch. The caller holds the
// lock.
func (b *Board) recordProblems(environment string, before, after []platform.Problem, found bool) {
	if slices.EqualFunc(before, after, platform.Problem.Same) {
		return
	}
	b.recordNew(Event{Environment: environment, Kind: event.Recovered, Found: found, Message: "mended: "}, before, after)
	b.recordNew(Event{Environment: environment, Kind: event.Problem, Found: found}, after, before)
}

// recordNew records the Problems of a list that another does not have, each as an event like the given one, whose message it ends;
// the caller holds the lock.
func (b *Board) recordNew(like Event, list, other []platform.Problem) {
	prefix := like.Message
	like.Level = Warning
	known := make(map[reading]bool, len(other))
	for _, p := range other {
		if !p.Warning {
			known[readingOf(p)] = true
		}
	}
	n := 0
	for _, p := range list {
		if p.Warning || known[readingOf(p)] {
			continue
		}
		known[readingOf(p)] = true
		if n++; n <= problemEvents {
			text := p.String()
			like.Request, like.About, like.Message = p.Request, text, prefix+text
			b.record(like)
		}
	}
	if n > problemEvents {
		like.Request, like.About, like.Message = nil, "", fmt.Sprintf("%sand %d more Problems", prefix, n-problemEvents)
		b.record(like)
	}
}

// A reading is how a Problem that is no warning reads: there may be very many Problems, and most of them are never written out.
type reading struct {
	file, field, message string
	line, column         int
}

func readingOf(p platform.Problem) reading {
	return reading{p.File, p.Field, p.Message, p.Line, p.Column}
}

// setSince sets since when every gate has been waited for, where promotion did not: since the first pass in which
// the same candidate waited for it. A candidate that waited before the daemon watched has waited since it was merged, as far
// as anybody can know.
func setSince(old, in *Instance, watched bool, now time.Time) {
	for i := range in.Waiting {
		g := &in.Waiting[i]
		if !g.Since.IsZero() {
			continue
		}
		g.Since = now
		if !watched && in.Candidate != nil && !in.Candidate.MergedAt.IsZero() && in.Candidate.MergedAt.Before(g.Since) {
			g.Since = in.Candidate.MergedAt
		}
		if before := waitedFor(old, in, g.Name); !before.IsZero() {
			g.Since = before
		}
	}
}

// waitedFor is since when an instance has waited for a gate with the release that is on its way now; zero: it has not.
func waitedFor(old, in *Instance, name gate.Name) time.Time {
	if underway(old) != underway(in) {
		return time.Time{}
	}
	for _, g := range old.Waiting {
		if g.Name == name {
			return g.Since
		}
	}
	return time.Time{}
}

// underway is the release that an instance's gates are about: its candidate, or else the one that it takes to its clusters.
func underway(in *Instance) string {
	if in.Candidate != nil {
		return in.Candidate.Release
	}
	return in.Release
}
