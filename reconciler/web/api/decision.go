package api

import (
	"time"

	"transom.dev/reconciler/status"
	"transom.dev/render/decision"
	"transom.dev/render/gate"
	"transom.dev/render/platform"
)

// Decision is a person's file: an Approval, a Hold, a Pin or an Override.
type Decision struct {
	Kind        decision.Kind        `json:"kind"`
	Name        string               `json:"name"`
	File        string               `json:"file"`
	Environment string               `json:"environment,omitempty"`
	Request     *platform.RequestKey `json:"request,omitempty"`
	Release     string               `json:"release,omitempty"`
	Offering    string               `json:"offering,omitempty"`
	Version     string               `json:"version,omitempty"`
	Team        string               `json:"team,omitempty"`
	Cluster     string               `json:"cluster,omitempty"`
	Plan        string               `json:"plan,omitempty"`      // the digest of a change of the environment
	Deletions   string               `json:"deletions,omitempty"` // the digest of deletions
	Adoption    string               `json:"adoption,omitempty"`  // the digest of the effects of an adoption
	Skip        []gate.Name          `json:"skip,omitempty"`      // the gates that an Override skips
	From        time.Time            `json:"from,omitzero"`
	Until       time.Time            `json:"until,omitzero"`
	Reason      string               `json:"reason,omitempty"`
	Problem     bool                 `json:"problem,omitempty"` // its file has a Problem
}

// ID is its file, and its subject where the file has several.
func (d Decision) ID() string {
	about := ""
	if d.Request != nil {
		about = d.Request.String()
	}
	return d.File + "#" + about + d.Release + d.Offering + d.Version + d.Plan + d.Deletions + d.Adoption + d.Cluster
}

// Decisions lists the decisions of the platform.
func Decisions(s status.Status) []Decision {
	p := s.Platform.Offers()
	if p == nil {
		return nil
	}
	var all []Decision
	for _, d := range p.Decisions {
		all = append(all, Decision{
			Kind: d.Kind, Name: d.Name, File: d.File, Environment: d.Environment, Request: d.Request, Release: d.Release, Offering: d.Offering,
			Version: d.Version, Team: d.Team, Cluster: d.Cluster, Plan: d.Plan, Deletions: d.Deletions, Adoption: d.Adoption, Skip: d.Skip,
			From: d.From, Until: d.Until, Reason: d.Reason, Problem: d.Broken,
		})
	}
	return sorted(all)
}
