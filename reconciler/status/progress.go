package status

import (
	"fmt"
	"strings"

	"transom.dev/render/gate"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// Progress says how far a platform commit has come in an environment.
type Progress struct {
	Environment string `json:"environment"`
	Commit      string `json:"commit,omitempty"`
	Head        string `json:"head,omitempty"` // the platform commit that the environment was last reconciled with

	// Reconciled says that Head includes Commit, so that the following fields are about it.
	Reconciled bool `json:"reconciled"`
	// Frozen says why the platform's head is not followed, where Head does not include Commit.
	Frozen string `json:"frozen,omitempty"`

	// Done says that it is reconciled, that every placement is Healthy at the revision that was committed, or Suspended,
	// and that nothing waits to be promoted there.
	Done bool `json:"done"`

	Instances int `json:"instances"`
	Healthy   int `json:"healthy"` // placements
	Total     int `json:"total"`   // placements

	Waiting []Reason `json:"waiting,omitempty"` // instances and placements that are not healthy yet
	Failed  []Reason `json:"failed,omitempty"`  // faults that a person must mend

	// Suspended are placements that came as far as they are asked to come by themselves. Their messages say why they wait.
	Suspended []Reason `json:"suspended,omitempty"`
}

// Reason says why an instance, or one placement of it, is not where it should be.
type Reason struct {
	Request *platform.RequestKey `json:"request,omitempty"`
	Cluster string               `json:"cluster,omitempty"`
	Message string               `json:"message"`
}

func (r Reason) String() string {
	text := r.Message
	if r.Cluster != "" {
		text = r.Cluster + ": " + text
	}
	if r.Request != nil {
		text = r.Request.String() + ": " + text
	}
	return text
}

// ProgressOf counts a selection's placements in one environment.
func ProgressOf(s Status, e Environment, reconciled bool) Progress {
	p := Progress{Environment: e.Name, Head: e.Commit, Reconciled: reconciled, Instances: len(s.Instances)}
	if !reconciled {
		p.Frozen = s.Platform.Frozen
	}
	if e.Frozen != "" {
		p.Failed = append(p.Failed, Reason{Message: e.Frozen})
	}
	if e.Error != "" {
		p.Waiting = append(p.Waiting, Reason{Message: e.Error})
	}
	for i := range s.Instances {
		p.add(&s.Instances[i])
	}
	p.Done = reconciled && len(p.Waiting) == 0 && len(p.Failed) == 0
	return p
}

// add counts an instance and its placements.
func (p *Progress) add(in *Instance) {
	for _, problem := range in.Problems {
		if !problem.Warning {
			p.Failed = append(p.Failed, Reason{Request: &in.Request, Message: problem.String()})
		}
	}
	p.addPromotion(in)
	for _, at := range in.Placements {
		p.Total++
		if at.IsHealthy() {
			p.Healthy++
			continue
		}
		p.addUnhealthy(in, at)
	}
}

// addPromotion adds the gates that an instance waits for on its way here, and the failure that stopped it.
func (p *Progress) addPromotion(in *Instance) {
	for _, g := range in.Waiting {
		if g.Name == gate.Rejected { // nothing but a person opens it
			p.Failed = append(p.Failed, Reason{Request: &in.Request, Message: "rejected: " + g.Reason})
			continue
		}
		message := "waits for " + string(g.Name) + ": " + g.Reason
		if g.Opens != "" {
			message += "; opens: " + g.Opens
		}
		p.Waiting = append(p.Waiting, Reason{Request: &in.Request, Message: message})
	}
	switch r := in.Rollout; {
	case r == nil:
	case r.Stopped != "":
		p.Failed = append(p.Failed, Reason{Request: &in.Request, Message: "stopped: " + r.Stopped})
	case len(r.Pending) > 0:
		p.Waiting = append(p.Waiting, Reason{Request: &in.Request, Message: "is still to reach " + strings.Join(r.Pending, ", ")})
	}
}

// addUnhealthy says why a placement is not healthy.
func (p *Progress) addUnhealthy(in *Instance, at Placement) {
	reason := Reason{Request: &in.Request, Cluster: at.Cluster}
	for _, problem := range at.Problems {
		reason.Message = problem.Message
		if problem.Object != "" {
			reason.Message = problem.Object + ": " + problem.Message
		}
		p.Failed = append(p.Failed, reason)
	}
	switch {
	case len(at.Problems) > 0:
	case at.Health == state.Suspended:
		reason.Message = at.Message
		p.Suspended = append(p.Suspended, reason)
	case at.Health == state.Failed:
		reason.Message = "Failed: " + at.Message
		p.Failed = append(p.Failed, reason)
	case at.Message != "":
		reason.Message = fmt.Sprintf("%s, %s: %s", at.Stage, at.Health, at.Message)
		p.Waiting = append(p.Waiting, reason)
	default:
		reason.Message = fmt.Sprintf("%s, %s", at.Stage, at.Health)
		p.Waiting = append(p.Waiting, reason)
	}
}
