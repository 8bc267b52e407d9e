package forge

import (
	"context"
	"net/http"
	"strings"
	"sync"

	"github.com/google/go-github/v88/github"
)

// Bounds of the lists that a forge is asked for: pages of a hundred each.
const (
	pageSize     = 100
	mostPages    = 5 // of statuses and comments
	mostRequests = 100
)

// gitHub is a repository on GitHub.
type gitHub struct {
	client      *github.Client
	owner, name string
	writers     writers

	mu   sync.Mutex
	self int64 // the account that the token is of; 0: nobody asked yet
}

func newGitHub(c Config, client *http.Client) (*gitHub, error) {
	api, err := github.NewClient(github.WithHTTPClient(client), github.WithAuthToken(string(c.Token)), github.WithURLs(&c.API, &c.API),
		github.WithDisableRateLimitCheck(), github.WithUserAgent("transom"))
	if err != nil {
		return nil, err
	}
	owner, name, _ := strings.Cut(c.Repository, "/")
	return &gitHub{client: api, owner: owner, name: name}, nil
}

// Statuses implements Host.
func (h *gitHub) Statuses(ctx context.Context, commit string) (list []Status, err error) {
	for page := 1; page != 0 && page <= mostPages; {
		combined, res, err := h.client.Repositories.GetCombinedStatus(ctx, h.owner, h.name, commit, &github.ListOptions{Page: page, PerPage: pageSize})
		if err != nil {
			return nil, err
		}
		for _, s := range combined.Statuses {
			if environment := environmentOf(s.GetContext()); environment != "" {
				list = append(list, Status{environment, State(s.GetState()), s.GetDescription(), s.GetTargetURL()})
			}
		}
		page = res.NextPage
	}
	return list, nil
}

// SetStatus implements Host.
func (h *gitHub) SetStatus(ctx context.Context, commit string, s Status) error {
	status := github.RepoStatus{State: github.Ptr(string(s.State)), Description: github.Ptr(s.Text), Context: github.Ptr(contexts + s.Environment)}
	if s.URL != "" {
		status.TargetURL = &s.URL
	}
	_, _, err := h.client.Repositories.CreateStatus(ctx, h.owner, h.name, commit, status)
	return err
}

// Requests implements Host.
func (h *gitHub) Requests(ctx context.Context, branch string) (list []Request, err error) {
	options := &github.PullRequestListOptions{State: "open", Base: branch, Sort: "updated", Direction: "desc"}
	options.PerPage, options.Page = pageSize, 1
	for seen := 0; options.Page != 0 && seen < mostRequests; {
		page, res, err := h.client.PullRequests.List(ctx, h.owner, h.name, options)
		if err != nil {
			return nil, err
		}
		for _, pull := range page {
			seen++
			head, base := pull.GetHead(), pull.GetBase()
			if head.GetRepo().GetID() == 0 || head.GetRepo().GetID() != base.GetRepo().GetID() {
				continue // of a fork, which may be anybody's
			}
			may, err := h.writers.may(ctx, pull.GetUser().GetLogin(), h.mayWrite)
			if err != nil {
				return nil, err
			}
			if may {
				list = append(list, Request{
					Number: int64(pull.GetNumber()), Branch: head.GetRef(), Commit: head.GetSHA(),
					Files: base.GetRepo().GetHTMLURL() + "/blob/" + head.GetSHA(),
				})
			}
		}
		options.Page = res.NextPage
	}
	return list, nil
}

// mayWrite asks whether somebody may write to the repository.
func (h *gitHub) mayWrite(ctx context.Context, login string) (bool, error) {
	level, _, err := h.client.Repositories.GetPermissionLevel(ctx, h.owner, h.name, login)
	if isRefusal(err, http.StatusNotFound) {
		return false, nil
	}
	return level.GetPermission() == "admin" || level.GetPermission() == "write", err
}

// me is the account that the token is of.
func (h *gitHub) me(ctx context.Context) (int64, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.self == 0 {
		user, _, err := h.client.Users.Get(ctx, "")
		if err != nil {
			return 0, err
		}
		h.self = user.GetID()
	}
	return h.self, nil
}

// Own implements Host.
func (h *gitHub) Own(ctx context.Context, request int64, mark string) (Comment, error) {
	me, err := h.me(ctx)
	if err != nil {
		return Comment{}, err
	}
	options := &github.IssueListCommentsOptions{ListOptions: github.ListOptions{PerPage: pageSize}}
	for page := 1; page != 0 && page <= mostPages; {
		options.Page = page
		comments, res, err := h.client.Issues.ListComments(ctx, h.owner, h.name, int(request), options)
		if err != nil {
			return Comment{}, err
		}
		for _, c := range comments {
			if c.GetUser().GetID() == me && strings.HasPrefix(c.GetBody(), mark) {
				return Comment{c.GetID(), c.GetBody()}, nil
			}
		}
		page = res.NextPage
	}
	return Comment{}, nil
}

// Write implements Host.
func (h *gitHub) Write(ctx context.Context, request int64, c Comment) (err error) {
	comment := &github.IssueComment{Body: &c.Body}
	if c.ID != 0 {
		_, _, err = h.client.Issues.EditComment(ctx, h.owner, h.name, c.ID, comment)
		return err
	}
	_, _, err = h.client.Issues.CreateComment(ctx, h.owner, h.name, int(request), comment)
	return err
}
