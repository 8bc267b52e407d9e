package reconciler

import (
	"time"

	"transom.dev/fleet"
	"transom.dev/render"
	"transom.dev/render/state"
)

// Traces take the way of each change: that a pass committed it, and how visits found the instances on the clusters. They must not
// block.
type Traces interface {
	Committed(c Change)
	Placed(result fleet.Result)
}

// Change is a state commit that a pass made.
type Change struct {
	Environment, Commit, Platform string

	Began  time.Time // of the pass
	Phases []Phase   // of the pass, the commit being the last

	// Revisions are those that clusters are to have now, of the placements that the commit changed; empty: it is to go. The receiver
	// may change it.
	Revisions map[fleet.Placement]string
}

// Phase is when a phase of a pass began and ended.
type Phase struct {
	Name         string
	Began, Ended time.Time
}

// trace tells of the commit that this pass made of what was rendered.
func (p *pass) trace(rendered *render.State) {
	if p.r.Traces == nil || len(p.phases) == 0 {
		return
	}
	c := Change{
		Environment: p.loop.environment, Commit: p.state.head.Commit, Platform: p.platform.Commit,
		Began: p.phases[0].Began, Phases: p.phases, Revisions: map[fleet.Placement]string{},
	}
	for file, content := range rendered.Changes {
		cluster, k, ok := state.ParseManifestFile(file)
		if !ok {
			continue
		}
		revision := ""
		if content != nil {
			revision = state.Revision(content)
		}
		c.Revisions[fleet.Placement{Environment: c.Environment, Cluster: cluster, Team: k.Team, Request: k.Name}] = revision
	}
	p.r.Traces.Committed(c)
}
