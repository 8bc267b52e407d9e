// Package diff compares a version of an offering with another: in its contract, in its files, and in the objects
// of every request that runs it.
//
// In come the platform, two versions of an offering and the states of the environments; out comes a Diff, which prints as text
// or as JSON. Nothing is contacted and nothing written.
package diff

import (
	"slices"
	"strings"

	"transom.dev/cmd/transom/internal/catalog"
	"transom.dev/cmd/transom/internal/plan"
	"transom.dev/cmd/transom/internal/schema"
	"transom.dev/cmd/transom/internal/states"
	"transom.dev/cmd/transom/internal/usage"
	"transom.dev/cmd/transom/internal/workspace"
	"transom.dev/render"
	"transom.dev/render/platform"
	"transom.dev/render/preview"
	"transom.dev/render/state"
)

// A Diff has the changes of a version against another.
type Diff struct {
	*catalog.Changes
	Looked   bool               `json:"looked"` // at the state of every environment
	States   states.States      `json:"states"`
	Example  bool               `json:"example,omitempty"` // the objects are those of a made-up request
	Objects  []preview.Change   `json:"objects"`
	Problems []platform.Problem `json:"problems"` // of requests with the second version
}

// Versions compares two versions of an offering of the platform in a directory.
func Versions(p *platform.Platform, dir string, running states.States, o *platform.Offering, from, to *platform.Version) (*Diff, error) {
	changes, err := catalog.Compare(from, to)
	if err != nil {
		return nil, err
	}
	d := &Diff{
		Changes: changes, Objects: []preview.Change{}, Problems: []platform.Problem{}, Looked: len(running.Names(false)) == 0, States: running,
	}
	return d, d.objects(p, dir, o, from, to)
}

// objects compares the objects of the two versions, for every request that runs the first, or for one that is made up.
func (d *Diff) objects(p *platform.Platform, dir string, o *platform.Offering, from, to *platform.Version) error {
	users := slices.DeleteFunc(usage.Running(p, o, d.States), func(i catalog.Instance) bool { return i.Version != from.Number.String() })
	if len(users) == 0 {
		var err error
		if p, users, err = madeUp(p, dir, o, from); err != nil {
			return err
		}
		d.Example = true
	}
	var r render.Renderer
	for _, u := range users {
		if err := d.compare(&r, p, u, from, to); err != nil {
			return err
		}
	}
	slices.SortStableFunc(d.Objects, func(a, b preview.Change) int { return strings.Compare(a.Environment, b.Environment) })
	return nil
}

// madeUp is a platform with one more request, as "new request" would write it, in the first environment.
func madeUp(p *platform.Platform, dir string, o *platform.Offering, v *platform.Version) (*platform.Platform, []catalog.Instance, error) {
	stages := workspace.Environments(p)
	if len(stages) == 0 {
		return p, nil, nil
	}
	team := "example"
	if len(o.Teams) > 0 {
		team = o.Teams[0]
	}
	key := platform.RequestKey{Team: team, Name: "my-" + o.Name}
	draft := schema.Draft{Offering: o, Version: v, Constraint: v.Number.String(), Name: key.Name, Environments: stages[:1]}
	p, err := workspace.LoadEdited(dir, map[string][]byte{key.File(): []byte(draft.YAML())})
	return p, []catalog.Instance{{Request: key, Environment: stages[0]}}, err
}

// compare adds the changes for one instance on each of its clusters.
func (d *Diff) compare(r *render.Renderer, p *platform.Platform, u catalog.Instance, from, to *platform.Version) error {
	for _, i := range p.Instances(u.Environment) {
		if i.Request.Key != u.Request {
			continue
		}
		before, after := map[string][]byte{}, map[string][]byte{}
		for _, cluster := range i.Clusters {
			old, problems := render.InstanceAs(p, u.Environment, u.Request, cluster.Name, from)
			now, more := render.InstanceAs(p, u.Environment, u.Request, cluster.Name, to)
			d.add(append(problems, more...))
			if old.Manifest != nil && now.Manifest != nil {
				file := state.ManifestFile(cluster.Name, u.Request)
				before[file], after[file] = old.Manifest, now.Manifest
			}
		}
		changes, err := plan.Between(r, p, u.Environment, before, after)
		if err != nil {
			return err
		}
		d.Objects = append(d.Objects, changes...)
	}
	return nil
}

// add records the Problems that are not recorded yet; Warnings are omitted.
func (d *Diff) add(problems []platform.Problem) {
	for _, problem := range problems {
		if !problem.Warning && !slices.ContainsFunc(d.Problems, problem.Same) {
			d.Problems = append(d.Problems, problem)
		}
	}
}
