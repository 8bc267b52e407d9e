package web

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"transom.dev/reconciler/status"
	"transom.dev/render/platform"
	"transom.dev/render/state"
	"transom.dev/render/wording"
)

// Progress says how far a platform commit has come in an environment.
type Progress struct {
	Environment string `json:"environment"`
	Commit      string `json:"commit,omitempty"`
	Head        string `json:"head,omitempty"` // the platform commit that the environment was last reconciled with

	// Reconciled says that Head includes Commit, so that the following fields are about it.
	Reconciled bool `json:"reconciled"`
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

func (s *server) progress(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	selected, err := parameters(q, "commit")
	if err != nil {
		return err
	}
	if selected.environment == "" {
		return refuse(http.StatusBadRequest, "progress needs environment=")
	}
	known := s.Board.Status()
	all := selected.of(known)
	if len(all.Environments) == 0 {
		if all.Platform.Commit == "" { // which environments there are is not known yet
			return writeJSON(w, r, Progress{Environment: selected.environment, Commit: q.Get("commit")})
		}
		return refuse(http.StatusNotFound, "no environment %q%s", selected.environment, suggest(selected.environment, known.Environments))
	}
	e := all.Environments[0]
	reconciled, err := s.reconciled(r.Context(), e.Commit, q.Get("commit"))
	if err != nil {
		return err
	}
	p := progress(all, e, reconciled)
	p.Commit = q.Get("commit")
	return writeJSON(w, r, p)
}

func suggest(environment string, known []status.Environment) string {
	var names []string
	for _, e := range known {
		names = append(names, e.Name)
	}
	return wording.Suggest(environment, names)
}

// reconciled says whether an environment that was last reconciled with head knows commit.
func (s *server) reconciled(ctx context.Context, head, commit string) (bool, error) {
	switch {
	case head == "":
		return false, nil
	case commit == "" || commit == head:
		return true, nil
	case s.Includes == nil:
		return false, nil
	}
	included, err := s.Includes(ctx, head, commit)
	if err != nil {
		return false, fmt.Errorf("look for commit %s below %s: %w", commit, head, err)
	}
	return included, nil
}

// progress counts a selection's placements in one environment.
func progress(s status.Status, e status.Environment, reconciled bool) Progress {
	p := Progress{Environment: e.Name, Head: e.Commit, Reconciled: reconciled, Instances: len(s.Instances)}
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
func (p *Progress) add(in *status.Instance) {
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
func (p *Progress) addPromotion(in *status.Instance) {
	for _, g := range in.Waiting {
		if g.Name == "rejected" { // nothing but a person opens it
			p.Failed = append(p.Failed, Reason{Request: &in.Request, Message: "rejected: " + g.Reason})
			continue
		}
		message := "waits for " + g.Name + ": " + g.Reason
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
func (p *Progress) addUnhealthy(in *status.Instance, at status.Placement) {
	reason := Reason{Request: &in.Request, Cluster: at.Cluster}
	for _, problem := range at.Problems {
		reason.Message = problem.Object + ": " + problem.Message
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
