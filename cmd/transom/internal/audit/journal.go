package audit

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"time"

	"transom.dev/reconciler/gitrepo"
	"transom.dev/reconciler/web"
	"transom.dev/reconciler/web/api"
	"transom.dev/render/wording"
)

const (
	// mostInspected is how many commits one question looks at; a page that is not full then says where to go on.
	mostInspected = 1000
	// mostRemembered is how many things, of all commits together, are remembered.
	mostRemembered = 20_000
	// longest is how long a question may take, its turn included. What was read until then is known to the next one.
	longest = 10 * time.Second
	// longestName is how long the names of teams and requests are at most.
	longestName = 63
)

// errTooLong is the answer to a question that took too long.
var errTooLong = fmt.Errorf("%w: the history so far back is being read", web.ErrNotYet)

// Commits are those of one branch.
type Commits interface {
	Head() string
	Has(commit string) bool
	At(ctx context.Context, commit string) (*gitrepo.Snapshot, error)
	Show(ctx context.Context, commit string) (gitrepo.CommitInfo, error)
	Touched(ctx context.Context, commit, below string, limit int) (files []gitrepo.TouchedFile, more bool, err error)
}

// A Recorded is a branch whose commits a Journal tells.
type Recorded struct {
	Environment string // whose state it is; empty: it is the platform
	Commits
}

// A Journal tells who changed which things of a platform and of its states, and when: the commits of all their branches in one
// order, the latest first. Of each branch the line of first parents is told, so that a merge is told once. It is safe for concurrent use.
type Journal struct {
	Branches func() []Recorded // sorted by environment, the platform first
	Longest  time.Duration     // how long a question may take; absent: ten seconds

	begun      sync.Once
	turn       chan struct{} // has the one whose question is answered; all below is its
	lines      map[string]*line
	remembered map[inspection]*api.Activity // nil: the commit touches nothing that the question is about
	things     int                          // in remembered
}

// List answers a question with a page.
func (j *Journal) List(ctx context.Context, q api.ActivityQuery) (page api.ActivityPage, err error) {
	after, err := parsePosition(q.After)
	if err != nil || !isName(q.Team) || !isName(q.Request) {
		return page, err
	}
	err = j.answer(ctx, func(ctx context.Context) error {
		page, err = j.list(ctx, q, after)
		return err
	})
	return page, err
}

// isName says whether a team or a request may have a name; of others there are no commits. An empty one is that of all.
func isName(name string) bool {
	return name == "" || (len(name) <= longestName && fs.ValidPath(name) && !strings.ContainsAny(name, "./"))
}

// answer answers a question once it is its turn, for as long as a question may take.
func (j *Journal) answer(ctx context.Context, question func(context.Context) error) error {
	j.begun.Do(func() { j.turn = make(chan struct{}, 1) })
	ctx, cancel := context.WithTimeoutCause(ctx, cmp.Or(j.Longest, longest), errTooLong)
	defer cancel()
	select {
	case j.turn <- struct{}{}:
		defer func() { <-j.turn }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	err := question(ctx)
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// list is a page behind a position.
func (j *Journal) list(ctx context.Context, q api.ActivityQuery, after position) (page api.ActivityPage, err error) {
	walks, err := j.begin(ctx, q, after)
	if err != nil {
		return page, err
	}
	for inspected := 0; ; inspected++ {
		next := latest(walks)
		if next == nil {
			return page, nil
		}
		if len(page.Items) == q.Limit || inspected == mostInspected {
			page.Next, page.Back = after.String(), after.at
			return page, nil
		}
		one, err := j.inspect(ctx, next.Recorded, next.commit().id, q)
		if err != nil {
			return page, err
		}
		if one != nil {
			page.Items = append(page.Items, *one)
		}
		after = next.position()
		if err := next.goOn(ctx); err != nil {
			return page, err
		}
	}
}

// Find tells of one commit, whichever branch it is of.
func (j *Journal) Find(ctx context.Context, commit string) (found api.Activity, err error) {
	err = j.answer(ctx, func(ctx context.Context) error {
		for _, b := range j.Branches() {
			if !b.Has(commit) {
				continue
			}
			one, err := j.inspect(ctx, b, commit, api.ActivityQuery{})
			if err == nil && one != nil {
				found = *one
			}
			return err
		}
		return fmt.Errorf("commit %s of the platform or of a state: %w", wording.Shorten(commit), web.ErrNotFound)
	})
	return found, err
}

// begin finds where each branch that the question can be about goes on behind a position.
func (j *Journal) begin(ctx context.Context, q api.ActivityQuery, after position) ([]*walk, error) {
	var walks []*walk
	for _, b := range j.Branches() {
		if !mayTouch(b.Environment, q) {
			continue
		}
		if j.lines == nil {
			j.lines = map[string]*line{}
		}
		if j.lines[b.Environment] == nil {
			j.lines[b.Environment] = &line{}
		}
		w := &walk{Recorded: b, line: j.lines[b.Environment]}
		if err := w.begin(ctx, after); err != nil {
			return nil, err
		}
		walks = append(walks, w)
	}
	return walks, nil
}

// mayTouch says whether commits of a branch can be about what is asked for.
func mayTouch(environment string, q api.ActivityQuery) bool {
	switch {
	case environment == "":
		return q.Kind != kindRelease && q.Repository != "states"
	case q.Repository == "platform":
		return false
	case q.Kind != "" && q.Kind != kindRelease:
		return false
	}
	return q.Environment == "" || q.Environment == environment
}

// latest is the walk whose commit is the latest; nil: all are at their end.
func latest(walks []*walk) *walk {
	var found *walk
	for _, w := range walks {
		if !w.atEnd() && (found == nil || w.commit().at.After(found.commit().at)) {
			found = w
		}
	}
	return found
}

// An inspection is a commit seen for a team and a request of it, which may be empty.
type inspection struct{ environment, commit, team, request string }

// inspect tells of a commit as far as it is about the question; nil: it is not.
func (j *Journal) inspect(ctx context.Context, b Recorded, commit string, q api.ActivityQuery) (*api.Activity, error) {
	key := inspection{b.Environment, commit, q.Team, q.Request}
	one, known := j.remembered[key]
	if !known {
		var err error
		if one, err = read(ctx, b, commit, q.Team, q.Request); err != nil {
			return nil, err
		}
		j.remember(key, one)
	}
	if one == nil || (q.Kind == "" && q.Environment == "") {
		return one, nil
	}
	of := *one
	of.Touched = nil
	for _, t := range one.Touched {
		if (q.Kind == "" || q.Kind == t.Kind) && (q.Environment == "" || q.Environment == t.Environment) {
			of.Touched = append(of.Touched, t)
		}
	}
	if len(of.Touched) == 0 {
		return nil, nil
	}
	return &of, nil
}

// remember keeps an activity. Once there are many, all are forgotten: the next questions cost time.
func (j *Journal) remember(key inspection, one *api.Activity) {
	if j.things++; one != nil {
		j.things += len(one.Touched)
	}
	if j.things > mostRemembered || j.remembered == nil {
		j.things, j.remembered = 0, map[inspection]*api.Activity{}
	}
	j.remembered[key] = one
}
