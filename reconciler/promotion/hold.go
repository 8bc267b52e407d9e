package promotion

import (
	"fmt"
	"time"

	"transom.dev/render/platform"
)

// hold returns the gate that holds a request back as a whole, or nil: a Hold of the environment, its team, its offering or
// itself, or the request's own file at the head. A Hold of a cluster holds that cluster's turn.
func (p *Pass) hold(s *subject, offering string) *Gate {
	for _, c := range p.decisions.holds {
		whole := c.Request == nil && c.Team == "" && c.Offering == "" && c.Cluster == ""
		if whole || about(c, s.key, offering) || c.Team == s.key.Team {
			return p.held(c)
		}
	}
	if s.head != nil && s.head.Request.Spec.Environments[p.view.Environment.Name].Hold {
		file := s.head.Request.File
		return &Gate{
			Name: "hold", Reason: fmt.Sprintf("%s says hold: true for %s", file, p.view.Environment.Name),
			Opens: "whoever takes hold: true out of " + file,
		}
	}
	return nil
}

// holdOf returns the gate that holds a cluster back from a release, or nil.
func (p *Pass) holdOf(cluster string, r *platform.Release) *Gate {
	for _, c := range p.decisions.holds {
		if c.Cluster == cluster && p.overridden("hold", r.Key, r.Digest, r.Offering, r.Version) == nil {
			return p.held(c)
		}
	}
	return nil
}

func (p *Pass) held(c *platform.Decision) *Gate {
	g := &Gate{Name: "hold", Reason: "held by " + c.File, Since: c.From, Opens: "whoever removes " + c.File, At: p.view.Now.past(c.Until)}
	if c.Reason != "" {
		g.Reason += ": " + c.Reason
	}
	if !c.Until.IsZero() {
		g.Opens += ", or its end at " + c.Until.Format(time.RFC3339)
	}
	return g
}
