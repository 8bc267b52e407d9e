package console

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"transom.dev/reconciler/status"
	"transom.dev/reconciler/web/api"
)

const (
	// activityPerPage is how many commits a page of the activity has.
	activityPerPage = 50
	// fewTouched is how many things of a commit are in sight; the others are folded.
	fewTouched = 4
	// fullCommit is the length of a commit that is not abbreviated.
	fullCommit = 40
)

// ofCommits serves the pages about commits.
type ofCommits struct{ *Console }

// An activityPage is commits of the platform and of states, the latest first.
type activityPage struct {
	api.ActivityQuery
	Items        []api.Activity
	Later        string // the address of the first page; empty: this is it
	Earlier      string // of the next page
	Back         time.Time
	Kinds        []string
	Teams        []string
	Environments []status.Environment
}

func (c ofCommits) activity(r *http.Request, m *model) (*view, error) {
	if c.Activity == nil {
		return c.events(r, m)
	}
	q := r.URL.Query()
	page := &activityPage{
		ActivityQuery: api.ActivityQuery{
			Team: q.Get("team"), Environment: q.Get("environment"), Kind: q.Get("kind"), Repository: q.Get("repository"), After: q.Get("after"), Limit: activityPerPage,
		},
		Kinds: api.ActivityKinds, Teams: m.teams, Environments: m.Environments,
	}
	if page.Team != "" {
		page.Request = q.Get("request")
	}
	found, err := c.Activity(r.Context(), page.ActivityQuery)
	if err != nil {
		return nil, err
	}
	page.Items = found.Items
	if page.After != "" {
		page.Later = page.address("")
	}
	if found.Next != "" {
		page.Earlier, page.Back = page.address(found.Next), found.Back
	}
	return &view{template: "activity", title: "Activity", section: "activity", main: page}, nil
}

// address is that of the page behind a position.
func (p *activityPage) address(after string) string {
	q := url.Values{}
	for name, value := range map[string]string{"team": p.Team, "request": p.Request, "environment": p.Environment, "kind": p.Kind, "repository": p.Repository, "after": after} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if len(q) == 0 {
		return "/activity"
	}
	return "/activity?" + q.Encode()
}

// fewOf are the things of a commit that are in sight, and restOf those that are folded: one alone is not.
func fewOf(all []api.Touched) []api.Touched {
	if len(all) <= fewTouched+1 {
		return all
	}
	return all[:fewTouched]
}

func restOf(all []api.Touched) []api.Touched { return all[len(fewOf(all)):] }

// thingLink is the page about a thing that was touched; empty: there is none but the page of its file.
func thingLink(t api.Touched) string {
	switch {
	case t.Request != nil:
		return requestLink(*t.Request, t.Environment)
	case t.Kind == "offering":
		name, _, _ := strings.Cut(t.Name, " ")
		return "/catalog/" + url.PathEscape(name)
	case t.Kind == "environment":
		return "/environments/" + url.PathEscape(t.Environment)
	case t.Kind == "cluster":
		return "/clusters/" + url.PathEscape(t.Name)
	}
	return ""
}

// A changePage is a platform commit and how far its releases have come.
type changePage struct {
	Commit  string
	Of      *api.Activity // nil: Git is not told, or does not know it
	Entered []moved       // instances whose release it yielded
	Waiting []moved       // instances that would take a release of it next
	Stages  []stageSum
}

// A moved is an instance that a commit concerns.
type moved struct {
	In      *status.Instance
	Verdict verdict
	Link    string
}

// Title says of which repository the commit is.
func (p *changePage) Title() string {
	if p.Of != nil && p.Of.Environment != "" {
		return "State commit"
	}
	return "Platform commit"
}

func (c ofCommits) change(r *http.Request, m *model) (*view, error) {
	commit := strings.ToLower(r.PathValue("commit"))
	if len(commit) < 7 {
		return nil, missing("Name a commit by seven characters or more.")
	}
	page := &changePage{Commit: commit}
	for _, row := range m.rows {
		for _, in := range row.Instances {
			link := requestLink(in.Request, in.Environment)
			if in.Commit != "" && strings.HasPrefix(in.Commit, commit) {
				page.Commit = in.Commit
				page.Entered = append(page.Entered, moved{in.Instance, in.Worst(), link})
			}
			if c := in.Candidate; c != nil && strings.HasPrefix(c.Commit, commit) {
				page.Waiting = append(page.Waiting, moved{in.Instance, waitingVerdict(in.Instance), link})
			}
		}
	}
	if c.Commit != nil && len(commit) == fullCommit {
		if one, err := c.Commit(r.Context(), commit); err == nil {
			page.Of = &one
		}
	}
	known := page.Of != nil || len(page.Entered)+len(page.Waiting) > 0 || strings.HasPrefix(m.Platform.Commit, commit)
	if !known {
		return nil, missing("No release that runs or waits comes from commit " + commit + ". A newer one may have taken its place: \"transom history\" knows.")
	}
	return &view{template: "change", title: page.Title() + " " + short(page.Commit), section: "activity", main: page}, nil
}

// An eventsPage is the latest events, the newest first.
type eventsPage struct {
	Commits      bool // Git is told, too
	Events       []status.Event
	Team         string
	Environment  string
	OnlyTrouble  bool
	Teams        []string
	Environments []status.Environment
}

// mostEvents is how many events the page lists.
const mostEvents = 200

func (c ofCommits) events(r *http.Request, m *model) (*view, error) {
	q := r.URL.Query()
	page := &eventsPage{Commits: c.Activity != nil, Team: q.Get("team"), Environment: q.Get("environment"), OnlyTrouble: q.Get("trouble") != "", Teams: m.teams, Environments: m.Environments}
	page.Events = latest(c.Board.History(), page.keeps, mostEvents)
	return &view{template: "events", title: "Events", section: "activity", main: page}, nil
}

func (p *eventsPage) keeps(e status.Event) bool {
	switch {
	case p.Team != "" && (e.Request == nil || e.Request.Team != p.Team):
		return false
	case p.Environment != "" && p.Environment != e.Environment:
		return false
	}
	return !p.OnlyTrouble || e.Level != ""
}
