package audit

import (
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"transom.dev/cmd/transom/internal/terminal"
	"transom.dev/reconciler/gitrepo"
	"transom.dev/reconciler/status"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// Entry is one commit that changed a request's Release file.
type Entry struct {
	When         time.Time             `json:"when"`    // it was committed
	State        string                `json:"state"`   // the state commit
	Release      string                `json:"release"` // that the record is of from then on
	Offering     string                `json:"offering,omitempty"`
	Version      string                `json:"version,omitempty"`
	Absent       bool                  `json:"absent,omitempty"`
	Cause        state.Cause           `json:"cause,omitempty"` // of the rollout, if one began
	Events       []string              `json:"events"`          // the changes of the commit, in words
	PromotedFrom []string              `json:"promotedFrom,omitempty"`
	Gates        []state.PassedGate    `json:"gates,omitempty"`    // that it passed, if it entered
	Changes      []platform.Difference `json:"changes,omitempty"`  // the fields of its request that differ from before, if it entered
	Platform     string                `json:"platform,omitempty"` // the platform commit that yielded the release: the head of that pass
	Changed      string                `json:"changed,omitempty"`  // the platform commit that changed its request or version last, if it entered here
	Author       string                `json:"author,omitempty"`   // of the platform commit that the pass followed
	Merged       time.Time             `json:"merged,omitzero"`    // when its request or version was last changed, if it entered here
	Healthy      time.Time             `json:"healthy,omitzero"`   // when it was recorded healthy in all waves, if it entered here

	file string // of the request
}

// History reads the log of a request's Release file, the newest change first: at most newest entries, or, with 0, all.
func History(ctx context.Context, repo *State, environment string, key platform.RequestKey, newest int) ([]*Entry, error) {
	limit := everything
	if newest > 0 {
		limit = newest + 1 // and the one before the last, to tell the changes of that
	}
	log, err := repo.Log(ctx, state.ReleaseFile(key), limit)
	if err != nil {
		return nil, err
	}
	if len(log) == 0 {
		return nil, fmt.Errorf("%s has never been in %s: %s has no Release file of it", key, environment, repo.URL)
	}
	entries, err := entriesOf(ctx, repo, environment, key, log)
	if err != nil {
		return nil, err
	}
	if len(entries) == limit {
		entries = entries[:limit-1]
	}
	return entries, nil
}

// entriesOf lists the changes of each commit of a log, given the newest first.
func entriesOf(ctx context.Context, past Past, environment string, key platform.RequestKey, log []gitrepo.CommitInfo) ([]*Entry, error) {
	var before *state.Release
	var entered *Entry // whose rollout is under way
	entries := make([]*Entry, 0, len(log))
	for _, commit := range slices.Backward(log) {
		snapshot, err := past.At(ctx, commit.Commit)
		if err != nil {
			return nil, err
		}
		after, err := ReleaseIn(snapshot, key)
		if err != nil {
			return nil, fmt.Errorf("state commit %s: %w", terminal.Short(commit.Commit), err)
		}
		e := changeOf(before, after)
		e.When, e.State, e.Author = commit.When, commit.Commit, strings.Join(commit.Trailer("Co-authored-by"), ", ")
		switch {
		case e.Cause != "":
			entered = e
		case entered != nil && after != nil && after.Promotion.Rollout == nil && before.Promotion.Rollout != nil:
			entered.Healthy = e.When
		}
		if e.Cause != "" && before != nil && before.Offering == after.Offering {
			e.Changes = platform.Differences(environment, before.Request, after.Request)
		}
		before = after
		entries = append(entries, e)
	}
	slices.Reverse(entries)
	return entries, nil
}

// changeOf is the change between two records of a request; nil: there was none.
func changeOf(before, after *state.Release) *Entry {
	if after == nil {
		e := &Entry{Events: []string{"forgotten: nothing runs it any more"}}
		if before != nil {
			e.Release, e.Offering, e.Version, e.Absent = before.Digest, before.Offering, before.Version, true
		}
		return e
	}
	e := &Entry{
		Release: after.Digest, Offering: after.Offering, Version: after.Version, Absent: after.Absent, Platform: after.Commit, Events: []string{},
		file: after.File,
	}
	old := before
	if old == nil {
		old = &state.Release{}
	}
	e.entered(old, after)
	e.advanced(old.Promotion, after.Promotion)
	if len(e.Events) == 0 && !slices.Equal(revisions(old), revisions(after)) {
		e.Events = append(e.Events, "bytes changed with the same release")
	}
	if len(e.Events) == 0 {
		e.Events = append(e.Events, "recorded")
	}
	return e
}

// entered tells whether a release or a rollout began.
func (e *Entry) entered(before, after *state.Release) {
	r, old := after.Promotion.Rollout, before.Promotion.Rollout
	began := r != nil && !sameRollout(old, r)
	if before.Digest == after.Digest && !began {
		return
	}
	e.Cause = state.CauseRelease
	if r != nil {
		e.Cause = r.Cause
	}
	e.PromotedFrom, e.Gates = after.Promotion.PromotedFrom, after.Promotion.Gates
	text := "took " + terminal.Release(after.Offering+" "+after.Version, after.Digest)
	switch {
	case after.Absent:
		text = "removed"
	case e.Cause == state.CauseRollback:
		text = "rolled back to " + terminal.Release(after.Offering+" "+after.Version, after.Digest)
	case before.Digest == after.Digest:
		text = "rendered anew: " + string(e.Cause)
	case e.Cause != state.CauseRelease:
		text += ", " + string(e.Cause)
	}
	if len(e.PromotedFrom) > 0 && e.Cause != state.CauseRollback {
		text += ", from " + strings.Join(e.PromotedFrom, ", ")
	}
	e.Events = append(e.Events, text)
}

// sameRollout says whether a record's rollout is the one of the record before, which may have had none.
func sameRollout(before, after *state.Rollout) bool {
	return before != nil && before.Entered.Equal(after.Entered) && before.Cause == after.Cause
}

// advanced adds the progress and the end of a rollout, and the releases that were proven or rejected.
func (e *Entry) advanced(before, after state.Promotion) {
	tell := func(format string, args ...any) { e.Events = append(e.Events, fmt.Sprintf(format, args...)) }
	r, old := after.Rollout, before.Rollout
	if r != nil && sameRollout(old, r) {
		for _, cluster := range old.Pending {
			if !slices.Contains(r.Pending, cluster) {
				tell("reached %s", cluster)
			}
		}
	}
	if r != nil && r.Stopped != "" {
		if wasStopped := old != nil && old.Stopped == r.Stopped; !wasStopped {
			tell("stopped: %s", r.Stopped)
		}
	}
	if r == nil && old != nil && e.Cause == "" {
		tell("healthy in all waves")
	}
	for _, f := range rejected(before.Rejected, after.Rejected) {
		if line := fmt.Sprintf("rejected %s: %s", terminal.Release(f.Version, f.Release), f); !slices.Contains(e.Events, line) {
			tell("%s", line)
		}
	}
	for _, p := range after.Proven {
		known := func(o state.Proof) bool { return o.Digest == p.Digest && o.Soaked == p.Soaked }
		if !slices.ContainsFunc(before.Proven, known) {
			tell("proven %s: healthy for %s", terminal.Release(p.Version, p.Digest), p.Soaked)
		}
	}
	if len(after.Admitted) > 0 && !slices.Equal(after.Admitted, before.Admitted) {
		tell("admitted by an Approval, for all its steps")
	}
}

// rejected are the failures that came, each cause once.
func rejected(before, after []state.Failure) []status.Failure {
	var came []status.Failure
	for _, f := range after {
		known := func(o state.Failure) bool {
			return o.RenderKey == f.RenderKey && o.Cluster == f.Cluster && o.At.Equal(f.At)
		}
		if !slices.ContainsFunc(before, known) {
			came = append(came, status.Failure{Release: f.Release, Version: f.Version, Cluster: f.Cluster, Object: f.Object, Message: f.Message, At: f.At})
		}
	}
	return status.Causes(came)
}

// revisions are a record's revisions by cluster, as a list that compares.
func revisions(r *state.Release) (list []string) {
	for _, cluster := range slices.Sorted(maps.Keys(r.Clusters)) {
		list = append(list, cluster+" "+r.Clusters[cluster].Revision)
	}
	return list
}

// Merged adds when the content of each release was merged, and by which commit: the later of the last changes of its request and of its version.
func Merged(ctx context.Context, source Repository, entries []*Entry) {
	for _, e := range entries {
		if e.Cause == "" || e.Platform == "" {
			continue
		}
		for _, file := range []string{e.file, path.Join("offerings", e.Offering, e.Version)} {
			if change, err := lastChange(ctx, source, file, e.Platform); err == nil && change.When.After(e.Merged) {
				e.Merged, e.Changed = change.When, change.Commit
			}
		}
	}
}
