package web

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"transom.dev/reconciler/status"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// selection narrows an answer to a team, a request of it, an environment; an empty field selects all.
type selection struct {
	team, request, environment string
}

// parameters reads a query that may hold the selection's parameters and those named beside them. An unknown one is an
// error, because a filter that is silently ignored answers another question.
func parameters(q url.Values, more ...string) (selection, error) {
	known := append([]string{"team", "request", "environment"}, more...)
	for name := range q {
		if !slices.Contains(known, name) {
			return selection{}, refuse(http.StatusBadRequest, "unknown parameter %q; known: %q", name, known)
		}
	}
	s := selection{team: q.Get("team"), request: q.Get("request"), environment: q.Get("environment")}
	if s.request != "" && s.team == "" {
		return selection{}, refuse(http.StatusBadRequest, "request=%s needs team=: a request is named within its team", s.request)
	}
	return s, nil
}

// matches says whether a request is selected.
func (s selection) matches(k platform.RequestKey) bool {
	if s.team != "" && s.team != k.Team {
		return false
	}
	return s.request == "" || s.request == k.Name
}

// covers says whether an environment is selected.
func (s selection) covers(environment string) bool {
	return s.environment == "" || s.environment == environment
}

// of narrows a Status. It does not change its argument, as parts of it may be shared.
func (s selection) of(all status.Status) status.Status {
	out := status.Status{Platform: all.Platform, Environments: []status.Environment{}, Instances: []status.Instance{}}
	out.Platform.Problems = s.problems(all.Platform.Problems)
	for _, e := range all.Environments {
		if s.covers(e.Name) {
			e.Problems = s.problems(e.Problems)
			out.Environments = append(out.Environments, e)
		}
	}
	for _, in := range all.Instances {
		if s.matches(in.Request) && s.covers(in.Environment) {
			out.Instances = append(out.Instances, in)
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

func (s *server) status(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	selected, err := parameters(q, "objects")
	if err != nil {
		return err
	}
	answer := selected.of(s.Board.Status())
	if s.Leader != nil {
		answer.Leader = s.Leader().Name
	}
	switch objects := q.Get("objects"); objects {
	case "", "all":
	case "unhealthy":
		leaveOut(answer.Instances, func(o status.Object) bool { return o.Health == state.Healthy })
	case "none":
		leaveOut(answer.Instances, func(status.Object) bool { return true })
	default:
		return refuse(http.StatusBadRequest, "objects=%s: it is all, unhealthy or none", objects)
	}
	return writeJSON(w, r, answer)
}

// leaveOut drops objects from an answer, whose objects are the Board's too.
func leaveOut(instances []status.Instance, dropped func(status.Object) bool) {
	for i := range instances {
		instances[i].Placements = slices.Clone(instances[i].Placements)
		for j := range instances[i].Placements {
			p := &instances[i].Placements[j]
			p.Objects = slices.DeleteFunc(slices.Clone(p.Objects), dropped)
		}
	}
}

// writeJSON answers with v and an ETag over its bytes, so that a client that asks again pays only for changes.
func writeJSON(w http.ResponseWriter, r *http.Request, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	tag := fmt.Sprintf(`"%x"`, sha256.Sum256(body))
	w.Header().Set("ETag", tag)
	if r.Header.Get("If-None-Match") == tag {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(body, '\n')) // a client that went away is no concern of ours
	return nil
}
