package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"transom.dev/cmd/transom/internal/audit"
	"transom.dev/reconciler/gitrepo"
	"transom.dev/reconciler/status"
	"transom.dev/reconciler/web"
	"transom.dev/reconciler/web/console"
)

// tracer answers where an instance comes from, out of the mirrors that the daemon has anyway. It is safe for
// concurrent use.
type tracer struct {
	board    *status.Board
	platform *gitrepo.Remote

	mu     sync.Mutex
	states map[string]*gitrepo.Remote // by environment
}

// opened says which repository has an environment's state.
func (t *tracer) opened(environment string, state *gitrepo.Remote) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.states == nil {
		t.states = map[string]*gitrepo.Remote{}
	}
	t.states[environment] = state
}

// state is the repository of an environment's state; nil: it is not opened yet.
func (t *tracer) state(environment string) *gitrepo.Remote {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.states[environment]
}

// explain follows an instance from its manifests to the commit that last changed its request.
func (t *tracer) explain(ctx context.Context, q web.Question) (web.Trace, error) {
	repo, commit := t.state(q.Environment), t.deployed(q.Environment)
	if repo == nil || commit == "" {
		return web.Trace{}, fmt.Errorf("environment %q has no state that is deployed: %w", q.Environment, web.ErrNotFound)
	}
	return audit.Trace(ctx, audit.Repository{Past: repo, URL: repo.URL}, commit, audit.Repository{Past: t.platform, URL: t.platform.URL}, q)
}

// shownPast is how many commits of an instance the console shows.
const shownPast = 12

// past lists the latest commits that changed an instance.
func (t *tracer) past(ctx context.Context, q web.Question) ([]console.Past, error) {
	repo := t.state(q.Environment)
	if repo == nil {
		return nil, fmt.Errorf("environment %q has no state yet: %w", q.Environment, web.ErrNotFound)
	}
	entries, err := audit.History(ctx, &audit.State{Repository: audit.Repository{Past: repo, URL: repo.URL}}, q.Environment, q.Request, shownPast)
	if err != nil {
		return nil, err
	}
	all := make([]console.Past, 0, len(entries))
	for _, e := range entries {
		all = append(all, console.Past{
			When: e.When, Commit: e.State, Release: e.Release, Version: e.Version, Merged: e.Platform, Author: e.Author, Events: e.Events,
		})
	}
	return all, nil
}

// branches are the platform's and those of the states, for the journal.
func (t *tracer) branches() []audit.Recorded {
	all := []audit.Recorded{{Commits: t.platform}}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, environment := range slices.Sorted(maps.Keys(t.states)) {
		all = append(all, audit.Recorded{Environment: environment, Commits: t.states[environment]})
	}
	return all
}

// deployed is the state commit that an environment's clusters are to have.
func (t *tracer) deployed(environment string) string {
	for _, e := range t.board.Status().Environments {
		if e.Name == environment {
			return e.StateCommit
		}
	}
	return ""
}

// includes says whether a platform commit includes another, for those who wait for one that they name.
func includes(source *gitrepo.Remote) func(ctx context.Context, head, commit string) (bool, error) {
	return func(ctx context.Context, head, commit string) (bool, error) {
		if !gitrepo.IsID(commit) {
			return false, web.ErrNoCommitID
		}
		return source.IsAncestor(ctx, commit, head)
	}
}
