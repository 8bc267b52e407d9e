package api

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"transom.dev/reconciler/status"
	"transom.dev/render/platform"
)

// Instance is one request in one environment.
type Instance struct{ status.Instance }

// ID is the environment and the request.
func (i Instance) ID() string { return i.Environment + "/" + i.Request.String() }

// Instances lists the instances.
func Instances(s status.Status) []Instance {
	all := make([]Instance, 0, len(s.Instances))
	for _, in := range s.Instances {
		all = append(all, Instance{in})
	}
	return sorted(all)
}

// Environment is a stage such as dev or prod.
type Environment struct{ status.Environment }

// ID is its name.
func (e Environment) ID() string { return e.Name }

// Environments lists the environments by name; their field order is that of promotion.
func Environments(s status.Status) []Environment {
	all := make([]Environment, 0, len(s.Environments))
	for _, e := range s.Environments {
		all = append(all, Environment{e})
	}
	return sorted(all)
}

// Cluster is a member of the fleet.
type Cluster struct {
	status.Cluster
	Memberships []Membership `json:"memberships"`
	Placements  int          `json:"placements"`
	Healthy     int          `json:"healthy"` // of the placements
}

// Membership is a cluster's part in an environment.
type Membership struct {
	Environment string `json:"environment"`
	Wave        string `json:"wave,omitempty"`    // of its rollout
	Problem     string `json:"problem,omitempty"` // why the environment is not written to the cluster
}

// ID is its name.
func (c Cluster) ID() string { return c.Name }

// Clusters lists the clusters.
func Clusters(s status.Status) []Cluster {
	byName := map[string]*Cluster{}
	for _, e := range s.Environments {
		for _, c := range e.Clusters {
			if byName[c.Name] == nil {
				byName[c.Name] = &Cluster{Cluster: c}
				byName[c.Name].Wave = ""
			}
			byName[c.Name].Memberships = append(byName[c.Name].Memberships, Membership{e.Name, c.Wave, c.Problem})
		}
	}
	for i := range s.Instances {
		for _, p := range s.Instances[i].Placements {
			c := byName[p.Cluster]
			if c == nil {
				continue
			}
			if c.Placements++; p.IsHealthy() {
				c.Healthy++
			}
		}
	}
	all := make([]Cluster, 0, len(byName))
	for _, c := range byName {
		all = append(all, *c)
	}
	return sorted(all)
}

// Problem is a mistake in the platform repository, with its remedy.
type Problem struct{ platform.Problem }

// ID is its position and its text. Fields on one line may have the same mistake.
func (p Problem) ID() string {
	about := ""
	if p.Request != nil {
		about = p.Request.String()
	}
	return fmt.Sprintf("%s:%08d:%08d:%s %s %s: %s", p.File, p.Line, p.Column, p.Environment, about, p.Field, p.Message)
}

// Problems lists the Problems and the Warnings of the platform, its environments and instances, each once. Where the head of the platform
// is not read or not followed, that is a Problem, too, of no file.
func Problems(s status.Status) []Problem {
	var all []Problem
	add := func(list []platform.Problem, environment string, request *platform.RequestKey) {
		for _, p := range list {
			if p.Environment == "" {
				p.Environment = environment
			}
			if p.Request == nil {
				p.Request = request
			}
			all = append(all, Problem{p})
		}
	}
	for _, why := range []string{s.Platform.Error, s.Platform.Frozen} {
		if why != "" {
			all = append(all, Problem{platform.Problem{Rule: "platform", Message: why}})
		}
	}
	add(s.Platform.Problems, "", nil)
	for _, e := range s.Environments {
		add(e.Problems, e.Name, nil)
	}
	for i := range s.Instances {
		in := &s.Instances[i]
		add(in.Problems, in.Environment, &in.Request)
	}
	return sorted(all)
}

// Drift is a field of ours that somebody else changed, and that is not touched, or a field that somebody set by hand beside those of
// the manifest.
type Drift struct {
	Environment string              `json:"environment"`
	Request     platform.RequestKey `json:"request"`
	Cluster     string              `json:"cluster"`
	status.ObjectProblem
	Added *status.Added `json:"added,omitempty"` // the field that was set by hand; absent: it is one of the manifest
}

// ID is its position.
func (d Drift) ID() string {
	return strings.Join([]string{d.Environment, d.Request.String(), d.Cluster, d.Object, d.Message}, "/")
}

// Drifts lists the drift of all placements.
func Drifts(s status.Status) []Drift {
	var all []Drift
	for i := range s.Instances {
		in := &s.Instances[i]
		for _, p := range in.Placements {
			for _, d := range p.Drift {
				all = append(all, Drift{Environment: in.Environment, Request: in.Request, Cluster: p.Cluster, ObjectProblem: d})
			}
			for _, a := range p.Added {
				said := status.ObjectProblem{Object: a.Object, Message: fmt.Sprintf("%s set %s, which is not in the manifest", a.Manager, a.Field)}
				all = append(all, Drift{in.Environment, in.Request, p.Cluster, said, &a})
			}
		}
	}
	return sorted(all)
}

// Debt is a decision in force that somebody has to take back one day.
type Debt struct {
	Environment string `json:"environment"`
	status.Decision
}

// ID is its position.
func (d Debt) ID() string { return d.Environment + "/" + d.File + "/" + d.About }

// Debts lists the decisions in force of all environments.
func Debts(s status.Status) []Debt {
	var all []Debt
	for _, e := range s.Environments {
		for _, d := range e.Decisions {
			all = append(all, Debt{e.Name, d})
		}
	}
	return sorted(all)
}

// sorted sorts a list by ID, and keeps the last one of those that are the same.
func sorted[T interface{ ID() string }](all []T) []T {
	type position struct {
		id string
		at int
	}
	order := make([]position, 0, len(all))
	for i, one := range all {
		order = append(order, position{one.ID(), i})
	}
	slices.SortFunc(order, func(a, b position) int { return cmp.Or(strings.Compare(a.id, b.id), cmp.Compare(a.at, b.at)) })
	out := make([]T, 0, len(all))
	for i, one := range order {
		if i+1 == len(order) || order[i+1].id != one.id {
			out = append(out, all[one.at])
		}
	}
	return out
}
