package web

import (
	"cmp"
	"context"
	"net/http"
	"time"

	"transom.dev/reconciler/web/api"
	"transom.dev/render/wording"
)

// A Journal tells of the commits of the platform repository and of the states of its environments.
type Journal interface {
	// List is a page of the commits that a query selects, the latest first.
	List(ctx context.Context, q api.ActivityQuery) (api.ActivityPage, error)
	// Find tells of one commit. An unknown one is ErrNotFound.
	Find(ctx context.Context, commit string) (api.Activity, error)
}

// The parameters of activity.
type (
	activityFilter struct {
		selection
		Kind       string `query:"kind" enum:"request,release,offering,environment,cluster,policy,decision,notification,other" doc:"Only commits that touch a thing of this kind, and of them these things. A release is what the state of an environment has of a request; all others are what people write."`
		Repository string `query:"repository" enum:"platform,states" doc:"Only commits of the platform repository, which people merge, or of the states, which the daemon writes."`
		paging
	}
	commitPath struct {
		Commit string `path:"commit" doc:"All 40 hexadecimal digits."`
	}
)

// An activityListing is a page of commits.
type activityListing struct {
	Items []api.Activity `json:"items"`
	Next  string         `json:"next,omitempty"` // the parameter after of the next page; absent: this is the last one
	Back  time.Time      `json:"back,omitzero"`  // how far back was looked, where there is a next page: one question looks at 1,000 commits
}

func (l activityListing) next() string { return l.Next }

// journaling answers questions about activity.
type journaling struct{ *server }

// active are the operations about activity.
func active(server *server) []operation {
	s := journaling{server}
	return []operation{
		asking("/api/v1/activity", "Who changed which things: the commits of the platform repository and of the states of its environments, the latest first", s.listActivity),
		asking("/api/v1/activity/{commit}", "One commit, with the things that it touches", s.findActivity),
	}
}

// tellsNothing is the answer of a daemon without a journal.
func tellsNothing() error {
	return refuse(http.StatusNotFound, "this daemon tells no activity").mendedBy("run git log in the repositories")
}

func (s journaling) listActivity(r *http.Request, f activityFilter) (l activityListing, err error) {
	if s.Journal == nil {
		return l, tellsNothing()
	}
	after, err := readCursor(f.After)
	if err != nil {
		return l, err
	}
	page, err := s.Journal.List(r.Context(), api.ActivityQuery{
		Team: f.Team, Request: f.Request, Environment: f.Environment, Kind: f.Kind, Repository: f.Repository, Limit: cmp.Or(f.Limit, defaultPage), After: after,
	})
	if err != nil {
		return l, unreadJournal(err)
	}
	l = activityListing{Items: page.Items, Back: page.Back}
	if l.Items == nil {
		l.Items = []api.Activity{}
	}
	if page.Next != "" {
		l.Next = makeCursor(page.Next)
	}
	return l, nil
}

func (s journaling) findActivity(r *http.Request, p commitPath) (one api.Activity, err error) {
	if s.Journal == nil {
		return one, tellsNothing()
	}
	if one, err = s.Journal.Find(r.Context(), p.Commit); err != nil {
		return one, unreadJournal(err)
	}
	return one, nil
}

// unreadJournal is the error of a question that has no answer, most often as a repository cannot be read.
func unreadJournal(err error) error {
	if f := failureOf(err); f.code != http.StatusInternalServerError {
		return f
	}
	return refuse(http.StatusBadGateway, "read the repositories: %s", wording.Clean(err.Error())).
		mendedBy("look at what the top of the console says about them")
}

// showActivity is a page of the journal for the console, by the rules of the API.
func (s journaling) showActivity(ctx context.Context, q api.ActivityQuery) (page api.ActivityPage, err error) {
	if q.After, err = readCursor(q.After); err != nil {
		return page, err
	}
	if page, err = s.Journal.List(ctx, q); err != nil {
		return page, unreadJournal(err)
	}
	if page.Next != "" {
		page.Next = makeCursor(page.Next)
	}
	return page, nil
}
