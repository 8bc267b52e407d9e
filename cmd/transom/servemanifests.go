package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"transom.dev/cmd/transom/internal/audit"
	"transom.dev/cmd/transom/internal/plan"
	"transom.dev/fleet"
	"transom.dev/fleet/apply"
	"transom.dev/reconciler/gitrepo"
	"transom.dev/reconciler/status"
	"transom.dev/reconciler/web"
	"transom.dev/reconciler/web/api"
	"transom.dev/render"
	"transom.dev/render/platform"
	"transom.dev/render/preview"
	"transom.dev/render/state"
	"transom.dev/render/wording"
)

// manifestReader shows manifests out of the mirrors of states, and compares them with what clusters have and with what waits.
type manifestReader struct {
	*tracer
	fleet    *fleet.Fleet
	renderer *render.Renderer
	turn     chan struct{} // of the one that renders
}

func newManifestReader(t *tracer, f *fleet.Fleet) *manifestReader {
	return &manifestReader{t, f, &render.Renderer{}, make(chan struct{}, 1)}
}

// manifest is the manifest file of a placement as a state commit has it; an empty commit is the deployed one.
func (m *manifestReader) manifest(ctx context.Context, at api.Placement, commit string) ([]byte, error) {
	files, err := m.files(ctx, at.Environment, commit)
	if err != nil {
		return nil, err
	}
	content, err := files.ReadFile(state.ManifestFile(at.Cluster, at.Request))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s has no manifest on %s in state commit %.7s of %s: %w", at.Request, at.Cluster, files.Commit, at.Environment, web.ErrNotFound)
	}
	return content, err
}

// files are those of a state commit of an environment.
func (m *manifestReader) files(ctx context.Context, environment, commit string) (*gitrepo.Snapshot, error) {
	repo := m.state(environment)
	if commit == "" {
		commit = m.deployed(environment)
	}
	if repo == nil || commit == "" {
		return nil, fmt.Errorf("environment %s has no state that is deployed: %w", environment, web.ErrNotFound)
	}
	if !gitrepo.IsID(commit) {
		return nil, web.ErrNoCommitID
	}
	return repo.At(ctx, commit)
}

// Desired is part of web.Manifests.
func (m *manifestReader) Desired(ctx context.Context, at api.Placement, commit string) ([]api.Manifest, error) {
	content, err := m.manifest(ctx, at, commit)
	if err != nil {
		return nil, err
	}
	return shownObjects(content)
}

// Live is part of web.Manifests.
func (m *manifestReader) Live(ctx context.Context, at api.Placement) ([]api.Manifest, error) {
	content, err := m.manifest(ctx, at, "")
	if err != nil {
		return nil, err
	}
	live, err := m.live(ctx, at, content)
	if err != nil {
		return nil, err
	}
	written, err := preview.Written(live)
	if err != nil {
		return nil, err
	}
	return shownObjects(written)
}

// live reads the objects of a manifest file on its cluster.
func (m *manifestReader) live(ctx context.Context, at api.Placement, content []byte) ([]map[string]any, error) {
	objects, err := preview.Objects(content)
	if err != nil {
		return nil, err
	}
	var named []apply.Named
	for _, o := range objects {
		named = append(named, apply.Named{Object: apply.Object{Group: o.Group(), Kind: o.Kind, Namespace: o.Namespace, Name: o.Name}, Version: o.Version()})
	}
	return m.fleet.Live(ctx, placementOf(at), named)
}

// Compare is part of web.Manifests.
func (m *manifestReader) Compare(ctx context.Context, at api.Placement, from, to string) (c api.Comparison, err error) {
	var before, after []byte
	if from != "live" {
		if c.From, before, err = m.side(ctx, at, from); err != nil {
			return c, err
		}
	}
	if to != "live" {
		if c.To, after, err = m.side(ctx, at, to); err != nil {
			return c, err
		}
	}
	objects := "the objects of " + at.Cluster
	switch { // the cluster's objects are compared in the fields that the other side sets
	case from == "live":
		c.From = objects
		before, err = m.covered(ctx, at, after)
	case to == "live":
		c.To = objects
		after, err = m.covered(ctx, at, before)
	}
	if err != nil {
		return c, err
	}
	return c, m.compare(&c, at, before, after)
}

// side is a manifest file that can be compared, with its name for people.
func (m *manifestReader) side(ctx context.Context, at api.Placement, with string) (name string, content []byte, err error) {
	switch {
	case with == "":
		content, err = m.manifest(ctx, at, "")
		return at.Environment + "/" + at.Cluster, content, err
	case with == "next":
		return m.next(ctx, at)
	case strings.HasPrefix(with, "sha256:"):
		commit, err := m.stateOf(ctx, at, with)
		if err != nil {
			return "", nil, err
		}
		content, err = m.manifest(ctx, at, commit)
		return "release " + with[len("sha256:"):][:7], content, err
	case gitrepo.IsID(with):
		content, err = m.manifest(ctx, at, with)
		return "state commit " + with[:7], content, err
	}
	return m.elsewhere(ctx, at, with)
}

// stateOf is the latest state commit that has a release of an instance.
func (m *manifestReader) stateOf(ctx context.Context, at api.Placement, release string) (string, error) {
	past, err := m.past(ctx, web.Question{Environment: at.Environment, Request: at.Request})
	if err != nil {
		return "", err
	}
	for _, one := range past {
		if one.Release == release {
			return one.Commit, nil
		}
	}
	return "", fmt.Errorf("release %s is none of the latest of %s in %s: %w", wording.Shorten(release), at.Request, at.Environment, web.ErrNotFound)
}

// covered are the cluster's objects, in the fields that a manifest file sets.
func (m *manifestReader) covered(ctx context.Context, at api.Placement, content []byte) ([]byte, error) {
	live, err := m.live(ctx, at, content)
	if err != nil {
		return nil, err
	}
	return preview.Covered(content, live, apply.Canonical)
}

// compare fills in the changes from one manifest file to another.
func (m *manifestReader) compare(c *api.Comparison, at api.Placement, before, after []byte) error {
	file := state.ManifestFile(at.Cluster, at.Request)
	changes, err := plan.Between(m.renderer, m.board.Status().Platform.Offers(), at.Environment, map[string][]byte{file: before}, map[string][]byte{file: after})
	c.Changes = []api.Change{}
	for _, one := range changes {
		c.Changes = append(c.Changes, api.Change{
			APIVersion: one.APIVersion, Kind: one.Kind, Namespace: one.Namespace, Name: one.Name, Action: string(one.Action), Immutable: one.Immutable, Diff: one.Diff,
		})
	}
	return err
}

// elsewhere is the manifest file of the same request in another environment, given as ENV or ENV/CLUSTER.
func (m *manifestReader) elsewhere(ctx context.Context, at api.Placement, with string) (name string, content []byte, err error) {
	environment, cluster, _ := strings.Cut(with, "/")
	for _, in := range m.board.Status().Instances {
		if in.Environment != environment || in.Request != at.Request {
			continue
		}
		for _, p := range in.Placements {
			if cluster == "" || p.Cluster == cluster {
				other := api.Placement{Environment: environment, Cluster: p.Cluster, Request: at.Request}
				content, err = m.manifest(ctx, other, "")
				return environment + "/" + p.Cluster, content, err
			}
		}
	}
	return "", nil, fmt.Errorf("%s is not in %s: %w", at.Request, wording.Shorten(with), web.ErrNotFound)
}

// next renders the release that waits.
func (m *manifestReader) next(ctx context.Context, at api.Placement) (name string, content []byte, err error) {
	now := m.board.Status()
	i := slices.IndexFunc(now.Instances, func(in status.Instance) bool { return in.Environment == at.Environment && in.Request == at.Request })
	if i < 0 || now.Instances[i].Candidate == nil {
		return "", nil, fmt.Errorf("no release of %s waits for %s: %w", at.Request, at.Environment, web.ErrNotFound)
	}
	waits := now.Instances[i].Candidate
	if waits.Absent {
		return "nothing: its removal waits", nil, nil
	}
	found, err := m.candidate(ctx, now.Platform.Offers(), at, waits.Release)
	if err != nil {
		return "", nil, err
	}
	select {
	case m.turn <- struct{}{}:
		defer func() { <-m.turn }()
	case <-ctx.Done():
		return "", nil, ctx.Err()
	}
	as := render.Manner{Cluster: at.Cluster, Instance: found}
	if files, err := m.files(ctx, at.Environment, ""); err == nil {
		if record, err := audit.ReleaseIn(files, at.Request); err == nil && record != nil {
			as.Made = &state.Placement{Renderer: render.RendererID, Selectors: record.Clusters[at.Cluster].Selectors}
		}
	}
	rendered, problems := m.renderer.Show(now.Platform.Offers(), at.Environment, at.Request, as)
	if rendered.Manifest == nil {
		for _, p := range problems {
			return "", nil, fmt.Errorf("render the release that waits: %s", p)
		}
		return "", nil, fmt.Errorf("render the release that waits: %s has nothing on %s", at.Request, at.Cluster)
	}
	return "the release that waits, " + waits.Version, rendered.Manifest, nil
}

// candidate finds the content of a release: the head's own, or the one that the record of another environment has.
func (m *manifestReader) candidate(ctx context.Context, p *platform.Platform, at api.Placement, release string) (*platform.Instance, error) {
	for _, in := range p.Instances(at.Environment) {
		if in.Request.Key == at.Request && in.Release == release {
			return in, nil
		}
	}
	for _, e := range m.board.Status().Environments {
		files, err := m.files(ctx, e.Name, "")
		if err != nil {
			continue
		}
		record, err := audit.ReleaseIn(files, at.Request)
		if err != nil || record == nil {
			continue
		}
		proofs := append([]state.Proof{{Digest: record.Digest, Request: record.Request, Version: record.Version, VersionDigest: record.VersionDigest}}, record.Promotion.Proven...)
		for _, one := range proofs {
			if one.Digest != release {
				continue
			}
			if in, _ := p.InstanceOf(at.Environment, at.Request, one.Request, one.Version, one.VersionDigest, record.File); in != nil {
				return in, nil
			}
		}
	}
	return nil, fmt.Errorf("the content of release %.14s is in no record: %w", release, web.ErrNotFound)
}

// shownObjects are the objects of a manifest file as the API has them.
func shownObjects(content []byte) ([]api.Manifest, error) {
	objects, err := preview.Objects(content)
	if err != nil {
		return nil, err
	}
	all := make([]api.Manifest, 0, len(objects))
	for _, o := range objects {
		all = append(all, api.Manifest(o))
	}
	return all, nil
}
