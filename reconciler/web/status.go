package web

import (
	"net/http"

	"transom.dev/reconciler/status"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// selection narrows an answer to a team, a request of it, an environment; an empty field selects all.
type selection struct {
	Team        string `query:"team" doc:"Only this team."`
	Request     string `query:"request" doc:"Only this request of the team, which is needed then."`
	Environment string `query:"environment" doc:"Only this environment."`
}

// check is part of readParameters.
func (s selection) check() error {
	if s.Request != "" && s.Team == "" {
		return refuse(http.StatusBadRequest, "request=%s needs team=: a request is named within its team", s.Request)
	}
	return nil
}

// matches says whether a request is selected.
func (s selection) matches(k platform.RequestKey) bool {
	if s.Team != "" && s.Team != k.Team {
		return false
	}
	return s.Request == "" || s.Request == k.Name
}

// covers says whether an environment is selected.
func (s selection) covers(environment string) bool {
	return s.Environment == "" || s.Environment == environment
}

// selects says whether an instance is selected.
func (s selection) selects(in *status.Instance) bool {
	return s.matches(in.Request) && s.covers(in.Environment)
}

// of narrows a Status. It does not change its argument, as parts of it may be shared.
func (s selection) of(all status.Status) status.Status {
	out := status.Status{Platform: all.Platform, Environments: []status.Environment{}}
	out.Platform.Problems = s.problems(all.Platform.Problems)
	for _, e := range all.Environments {
		if s.covers(e.Name) {
			out.Environments = append(out.Environments, e.WithProblems(s.problems(e.Problems)))
		}
	}
	selected := 0 // there may be very many, and a list that grows is copied again and again
	for i := range all.Instances {
		if s.selects(&all.Instances[i]) {
			selected++
		}
	}
	out.Instances = make([]status.Instance, 0, selected)
	for i := range all.Instances {
		if s.selects(&all.Instances[i]) {
			out.Instances = append(out.Instances, all.Instances[i])
		}
	}
	return out
}

// problems keeps those that concern the selection: its own, and those that say nothing about whom they concern.
func (s selection) problems(all []platform.Problem) []platform.Problem {
	var kept []platform.Problem
	for _, p := range all {
		if p.Request != nil && !s.matches(*p.Request) {
			continue
		}
		if p.Environment == "" || s.covers(p.Environment) {
			kept = append(kept, p)
		}
	}
	return kept
}

// statusParameters are those of the status.
type statusParameters struct {
	selection
	objectsParameter
}

func (s *server) status(_ *http.Request, p statusParameters) (status.Status, error) {
	answer := p.of(s.Board.Status())
	if s.Leader != nil {
		answer.Leader = s.Leader().Name
	}
	p.narrow(answer.Instances)
	return answer, nil
}

// leaveOut drops objects from an answer, whose objects are the Board's too.
func leaveOut(instances []status.Instance, dropped func(status.Object) bool) {
	for i := range instances {
		instances[i] = instances[i].Without(dropped)
	}
}

// objectsParameter says which objects an answer has.
type objectsParameter struct {
	Objects string `query:"objects" enum:"all,unhealthy,none" doc:"Which objects of placements: all of them (default), unhealthy ones, or none."`
}

// narrow leaves out the objects that are not asked for.
func (o objectsParameter) narrow(instances []status.Instance) {
	switch o.Objects {
	case "unhealthy":
		leaveOut(instances, func(o status.Object) bool { return o.Health == state.Healthy })
	case "none":
		leaveOut(instances, func(status.Object) bool { return true })
	}
}
