package api

import (
	"cmp"
	"maps"
	"slices"

	"transom.dev/reconciler/status"
	"transom.dev/render/gate"
	"transom.dev/render/platform"
)

// An Offering is something that teams can ask for.
type Offering struct {
	Name        string      `json:"name"`
	File        string      `json:"file"`
	Title       string      `json:"title,omitempty"`
	Description string      `json:"description,omitempty"`
	Owner       string      `json:"owner,omitempty"`    // who answers for it
	Teams       []string    `json:"teams,omitempty"`    // that may ask for it; absent: every team
	Deletion    string      `json:"deletion,omitempty"` // how removing a request treats the objects that it owns
	Requests    int         `json:"requests"`           // that are for it
	Versions    []Published `json:"versions"`           // the newest first
	Problem     bool        `json:"problem,omitempty"`  // offering.yaml has a Problem
}

// Published is a version of an offering.
type Published struct {
	Version     string `json:"version"`
	Lifecycle   string `json:"lifecycle"`
	Reason      string `json:"reason,omitempty"`      // for its lifecycle
	RemoveAfter string `json:"removeAfter,omitempty"` // a date
	Instances   int    `json:"instances"`             // that run it
	Problem     bool   `json:"problem,omitempty"`     // it has a Problem, and nobody can take it
}

// Contract is all that a request for a version has to know.
type Contract struct {
	Offering   string             `json:"offering"`
	Version    string             `json:"version"`
	Lifecycle  string             `json:"lifecycle"`
	Digest     string             `json:"digest"`               // over its files
	Parameters map[string]any     `json:"parameters,omitempty"` // the schema of the parameters that a request gives
	Display    []string           `json:"display,omitempty"`    // the parameters that lists of requests show
	Bindings   map[string]Binding `json:"bindings,omitempty"`   // the outputs of other requests that it can be given
	Components []Component        `json:"components,omitempty"` // its optional parts
	Outputs    []string           `json:"outputs,omitempty"`    // that it tells those that are bound to it
	Scope      string             `json:"scope"`                // namespaced or cluster
	Reversible bool               `json:"reversible"`           // false: a failure stops and is never rolled back by itself
}

// Binding is a request that a version can be given the outputs of.
type Binding struct {
	Offerings []string `json:"offerings"` // that it may be of
	Required  bool     `json:"required,omitempty"`
}

// Component is an optional part of a version.
type Component struct {
	Path string `json:"path"`           // inside the version
	When string `json:"when,omitempty"` // the condition, in CEL; absent: always
}

// VersionChanges are those of a version against another of its offering.
type VersionChanges struct {
	Offering string           `json:"offering"`
	Version  string           `json:"version"`
	From     string           `json:"from"`           // the version that it is compared with
	Contract []ContractChange `json:"contract"`       // of the fields that requests and their readers rely on
	Files    []FileChange     `json:"files"`          // of its directory, without version.yaml
	More     int              `json:"more,omitempty"` // further files, which are omitted
}

// ContractChange is one of a field.
type ContractChange struct {
	Kind   string `json:"kind"` // parameter, computed, component, binding, output or setting
	Name   string `json:"name"`
	Action string `json:"action"`         // added, removed or changed
	From   string `json:"from,omitempty"` // in words, such as "integer, default 3, at most 10"
	To     string `json:"to,omitempty"`
}

// FileChange is one of a file.
type FileChange struct {
	Path    string `json:"path"`
	Action  string `json:"action"`            // added, removed or changed
	Diff    string `json:"diff,omitempty"`    // the lines that differ
	Omitted string `json:"omitted,omitempty"` // why there are lines that differ and are not shown
}

// Offerings lists the catalogue.
func Offerings(s status.Status) []Offering {
	p := s.Platform.Offers()
	if p == nil {
		return nil
	}
	requests, runs := map[string]int{}, map[string]int{}
	for _, r := range p.Requests() {
		requests[r.Spec.Offering]++
	}
	for i := range s.Instances {
		runs[s.Instances[i].Offering+"@"+s.Instances[i].Version]++
	}
	var all []Offering
	for _, name := range slices.Sorted(maps.Keys(p.Offerings)) {
		o := p.Offerings[name]
		one := Offering{
			Name: o.Name, File: o.File, Title: o.Title, Description: o.Description, Owner: o.Owner, Teams: o.Teams,
			Deletion: string(o.Deletion), Requests: requests[name], Versions: []Published{}, Problem: o.Broken,
		}
		for _, v := range slices.Backward(o.Versions) {
			one.Versions = append(one.Versions, Published{
				Version: v.Number.String(), Lifecycle: lifecycle(v), Reason: v.Reason, RemoveAfter: v.RemoveAfter,
				Instances: runs[v.String()], Problem: v.Broken,
			})
		}
		all = append(all, one)
	}
	return all
}

func lifecycle(v *platform.Version) string { return string(cmp.Or(v.Lifecycle, platform.Active)) }

// ContractOf is that of a version.
func ContractOf(v *platform.Version) Contract {
	c := Contract{
		Offering: v.Offering, Version: v.Number.String(), Lifecycle: lifecycle(v), Digest: v.Digest, Display: v.Display, Bindings: map[string]Binding{},
		Scope: string(cmp.Or(v.Scope, platform.Namespaced)), Reversible: v.Reversible,
	}
	if v.Parameters != nil {
		c.Parameters = v.Parameters.OpenAPI()
	}
	for name, b := range v.Bindings {
		c.Bindings[name] = Binding(b)
	}
	for _, o := range v.Outputs {
		c.Outputs = append(c.Outputs, o.Name)
	}
	for _, o := range v.Observed {
		c.Outputs = append(c.Outputs, o.Name)
	}
	for _, part := range v.Components {
		one := Component{Path: part.Path}
		if part.When != nil {
			one.When = part.When.Source
		}
		c.Components = append(c.Components, one)
	}
	return c
}

// Request is a merged request, or one that was removed and still runs somewhere.
type Request struct {
	Request    platform.RequestKey `json:"request"`
	File       string              `json:"file,omitempty"`       // absent: it was removed
	Offering   string              `json:"offering,omitempty"`   // as its file says it
	Version    string              `json:"version,omitempty"`    // the constraint of its file
	Parameters map[string]any      `json:"parameters,omitempty"` // before the changes of environments
	Bindings   map[string]string   `json:"bindings,omitempty"`
	Problem    bool                `json:"problem,omitempty"`  // its file has a Problem
	Deferred   bool                `json:"deferred,omitempty"` // it is one of very many new ones whose turn is still to come: nothing is said of its file yet
	Instances  []Running           `json:"instances"`          // in the order of environments
}

// Running is an instance in a line.
type Running struct {
	Environment string      `json:"environment"`
	Version     string      `json:"version,omitempty"`
	Release     string      `json:"release,omitempty"`
	Placements  int         `json:"placements"`
	Healthy     int         `json:"healthy"`           // of the placements
	Waiting     []gate.Name `json:"waiting,omitempty"` // the gates that are closed for its next release
	Absent      bool        `json:"absent,omitempty"`  // it is being removed
}

// Requests lists the requests.
func Requests(s status.Status) []Request {
	byKey := map[platform.RequestKey]*Request{}
	if p := s.Platform.Offers(); p != nil {
		for _, r := range p.Requests() {
			byKey[r.Key] = &Request{
				Request: r.Key, File: r.File, Offering: r.Spec.Offering, Version: r.Spec.Version, Parameters: r.Spec.Parameters,
				Bindings: r.Spec.Bindings, Problem: r.Broken && !r.Deferred, Deferred: r.Deferred, Instances: []Running{},
			}
		}
	}
	for i := range s.Instances {
		in := &s.Instances[i]
		r := byKey[in.Request]
		if r == nil {
			r = &Request{Request: in.Request, Offering: in.Offering}
			byKey[in.Request] = r
		}
		r.Instances = append(r.Instances, running(in))
	}
	all := make([]Request, 0, len(byKey))
	for _, r := range byKey {
		all = append(all, *r)
	}
	return sorted(all)
}

func running(in *status.Instance) Running {
	one := Running{Environment: in.Environment, Version: in.Version, Release: in.Release, Placements: len(in.Placements), Absent: in.Absent}
	for _, p := range in.Placements {
		if p.IsHealthy() {
			one.Healthy++
		}
	}
	for _, g := range in.Waiting {
		one.Waiting = append(one.Waiting, g.Name)
	}
	return one
}

// ID is the key of the request.
func (r Request) ID() string { return r.Request.String() }

// ID is the name of the offering.
func (o Offering) ID() string { return o.Name }
