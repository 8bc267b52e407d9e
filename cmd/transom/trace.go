package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"sync"

	"transom.dev/reconciler/gitrepo"
	"transom.dev/reconciler/status"
	"transom.dev/reconciler/web"
	"transom.dev/render/platform"
)

// depth bounds how many changes of a request's file a trace looks through for the one that a release has.
const depth = 100

// tracer answers where an instance comes from, out of the mirrors that the daemon has anyway. It is safe for
// concurrent use.
type tracer struct {
	board    *status.Board
	platform *gitrepo.Remote

	mu     sync.Mutex
	states map[string]*gitrepo.Remote // by environment
}

// opened says which repository holds an environment's state.
func (t *tracer) opened(environment string, state *gitrepo.Remote) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.states == nil {
		t.states = map[string]*gitrepo.Remote{}
	}
	t.states[environment] = state
}

func (t *tracer) state(environment string) *gitrepo.Remote {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.states[environment]
}

// explain follows an instance from its manifests to the commit that last changed its request.
func (t *tracer) explain(ctx context.Context, q web.Question) (web.Trace, error) {
	trace := web.Trace{Environment: q.Environment, Request: q.Request}
	repo, commit := t.state(q.Environment), t.deployed(q.Environment)
	if repo == nil || commit == "" {
		return trace, fmt.Errorf("environment %q has no state that is deployed: %w", q.Environment, web.ErrNotFound)
	}
	trace.ReleaseFile = path.Join("releases", q.Request.Team, q.Request.Name+".yaml")
	release, err := readRelease(ctx, repo, commit, trace.ReleaseFile)
	if err != nil {
		return trace, fmt.Errorf("request %s in %s: %w", q.Request, q.Environment, err)
	}
	trace.Release = release
	if trace.Cluster, err = choose(release, q.Cluster); err != nil {
		return trace, fmt.Errorf("request %s in %s: %w", q.Request, q.Environment, err)
	}
	manifests := trace.ReleaseFile
	if trace.Cluster != "" {
		manifests = path.Join("clusters", trace.Cluster, q.Request.Team, q.Request.Name+".yaml")
	}
	if trace.State, err = lastChange(ctx, repo, manifests, commit); err != nil {
		return trace, err
	}
	if trace.Platform, err = t.yielded(ctx, release); err != nil {
		return trace, err
	}
	trace.RequestFile, err = lastChange(ctx, t.platform, release.File, release.Commit)
	return trace, err
}

// deployed is the state commit that an environment's clusters are to hold.
func (t *tracer) deployed(environment string) string {
	for _, e := range t.board.Status().Environments {
		if e.Name == environment {
			return e.StateCommit
		}
	}
	return ""
}

func readRelease(ctx context.Context, repo *gitrepo.Remote, commit, file string) (*platform.Release, error) {
	snapshot, err := repo.At(ctx, commit)
	if err != nil {
		return nil, err
	}
	content, err := snapshot.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no %s in its state: %w", file, web.ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	return platform.DecodeRelease(content)
}

// choose returns the cluster that is asked about, or the release's first.
func choose(release *platform.Release, cluster string) (string, error) {
	clusters := slices.Sorted(maps.Keys(release.Clusters))
	switch {
	case cluster == "" && len(clusters) > 0:
		return clusters[0], nil
	case cluster != "" && !slices.Contains(clusters, cluster):
		return "", fmt.Errorf("is not on cluster %q but on %q: %w", cluster, clusters, web.ErrNotFound)
	default:
		return cluster, nil
	}
}

// yielded is the platform commit that a release came from.
func (t *tracer) yielded(ctx context.Context, release *platform.Release) (web.Origin, error) {
	info, err := t.platform.Show(ctx, release.Commit)
	if err != nil {
		return web.Origin{}, err
	}
	return origin(t.platform, path.Join("offerings", release.Offering, release.Version), info), nil
}

// lastChange finds the newest change of a file that commit includes.
func lastChange(ctx context.Context, repo *gitrepo.Remote, file, commit string) (web.Origin, error) {
	log, err := repo.Log(ctx, file, depth)
	if err != nil {
		return web.Origin{}, err
	}
	for _, info := range log {
		included, err := repo.IsAncestor(ctx, info.Commit, commit)
		if err != nil {
			return web.Origin{}, err
		}
		if included {
			return origin(repo, file, info), nil
		}
	}
	return web.Origin{File: file, URL: repo.URL}, nil
}

func origin(repo *gitrepo.Remote, file string, info gitrepo.CommitInfo) web.Origin {
	return web.Origin{
		URL: repo.URL, Commit: info.Commit, File: file, When: info.When, Subject: info.Subject,
		Author: fmt.Sprintf("%s <%s>", info.Author.Name, info.Author.Email),
	}
}
