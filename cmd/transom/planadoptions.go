package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"transom.dev/cmd/transom/internal/plan"
	"transom.dev/cmd/transom/internal/workspace"
	"transom.dev/fleet"
	"transom.dev/fleet/apply"
	"transom.dev/fleet/credential"
	"transom.dev/render"
	"transom.dev/render/platform"
	"transom.dev/render/preview"
	"transom.dev/render/state"
)

// adoptions asks the clusters of a plan's environments for the effects of taking over objects there, and for what was set by hand and
// is taken back where an environment is strict.
func adoptions(ctx context.Context, p *plan.Plan, keys credential.Keys) (all []plan.Adoption, err error) {
	for _, name := range workspace.Environments(p.Platform) {
		e := p.Platform.Environments[name]
		begins := newInstances(p)
		if e.Drift == state.DriftStrict {
			begins = func(apply.Owner) bool { return true }
		}
		target := fleet.Target{
			Environment: name, Snapshot: files{p.After[name].Files}, Begins: begins,
			Rules: fleet.Rules{
				External: e.External, Adoptions: p.Platform.Adoptions(name), AdoptNamespaces: e.Namespace.Adopt, Impersonate: e.Impersonate,
			},
		}
		if p.After[name].Files == nil {
			continue
		}
		for _, cluster := range clustersOf(p.After[name]) {
			target.Clusters = append(target.Clusters, fleet.Cluster{Name: cluster, State: platform.ClusterPaused})
		}
		results, err := fleet.Rehearse(ctx, target, keys.Connect)
		if err != nil {
			return nil, fmt.Errorf("ask the clusters of %s: %w", name, err)
		}
		for _, r := range results {
			a := adoptionOf(r)
			if r.Adopts > 0 || len(r.Resumes) > 0 || r.Err != nil || len(r.Problems) > 0 || len(a.TakesBack) > 0 {
				all = append(all, a)
			}
		}
	}
	return all, nil
}

// adoptionOf is the answer of a cluster, in the words of a plan.
func adoptionOf(r fleet.Result) plan.Adoption {
	a := plan.Adoption{Environment: r.Environment, Cluster: r.Cluster, Team: r.Team, Request: r.Request}
	if r.Err != nil {
		a.Problems = append(a.Problems, r.Err.Error())
	}
	for _, problem := range r.Problems {
		a.Problems = append(a.Problems, problem.String())
	}
	for _, kept := range r.Resumes {
		a.Resumes = append(a.Resumes, kept.String())
	}
	if r.Adoption != nil {
		a.Digest = r.Adoption.Digest
		for _, e := range r.Adoption.Effects {
			a.Effects = append(a.Effects, e.String())
		}
	}
	for _, added := range r.Added {
		if added.Goes {
			a.TakesBack = append(a.TakesBack, added.String())
		}
	}
	for _, u := range r.Untried {
		a.Untried = append(a.Untried, u.String())
	}
	return a
}

// newInstances says which instances a plan gives an object that they did not have.
func newInstances(p *plan.Plan) func(apply.Owner) bool {
	begins := map[apply.Owner]bool{}
	for _, c := range slices.Concat(p.Changes, p.Promoted.Changes, p.Blocked.Changes) {
		if c.Action == preview.Added && c.Request != "" {
			begins[apply.Owner{Environment: c.Environment, Team: c.Team, Request: c.Request}] = true
		}
	}
	return func(o apply.Owner) bool { return begins[o] }
}

// clustersOf lists the clusters on which a state has something, sorted.
func clustersOf(base *render.Base) (clusters []string) {
	for _, release := range base.Releases {
		for cluster := range release.Clusters {
			clusters = append(clusters, cluster)
		}
	}
	slices.Sort(clusters)
	return slices.Compact(clusters)
}

// files is a state in memory as a Snapshot.
type files struct{ fs.FS }

// ReadFile is part of fleet.Snapshot.
func (f files) ReadFile(name string) ([]byte, error) { return fs.ReadFile(f.FS, name) }

// ReadDir is part of fleet.Snapshot. A directory that is not there is empty.
func (f files) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(f.FS, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return entries, err
}

// Blobs names every file by its content.
func (f files) Blobs(dir string) (map[string]string, error) {
	blobs := map[string]string{}
	err := fs.WalkDir(f.FS, dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasPrefix(entry.Name(), ".") {
			return err
		}
		content, err := f.ReadFile(name)
		blobs[name] = state.Revision(content)
		return err
	})
	return blobs, err
}
