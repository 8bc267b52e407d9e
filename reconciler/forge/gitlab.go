package forge

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"sync"

	gitlab "gitlab.com/gitlab-org/api/client-go/v2"
	"golang.org/x/time/rate"
)

// gitLab is a project on GitLab.
type gitLab struct {
	client  *gitlab.Client
	project string
	writers writers

	mu   sync.Mutex
	self int64 // the account that the token is of; 0: nobody asked yet
}

func newGitLab(c Config, client *http.Client) (*gitLab, error) {
	api, err := gitlab.NewClient(string(c.Token), gitlab.WithHTTPClient(client), gitlab.WithBaseURL(c.API), gitlab.WithoutRetries(),
		gitlab.WithCustomLimiter(rate.NewLimiter(rate.Inf, 0)), gitlab.WithUserAgent("transom"))
	if err != nil {
		return nil, err
	}
	return &gitLab{client: api, project: c.Repository}, nil
}

// states are our states in GitLab's words.
var states = map[State]gitlab.BuildStateValue{Pending: gitlab.Pending, Success: gitlab.Success, Failure: gitlab.Failed}

// Statuses implements Host.
func (h *gitLab) Statuses(ctx context.Context, commit string) (list []Status, err error) {
	options := &gitlab.GetCommitStatusesOptions{ListOptions: gitlab.ListOptions{PerPage: pageSize}}
	for page := int64(1); page != 0 && page <= mostPages; {
		options.Page = page
		statuses, res, err := h.client.Commits.GetCommitStatuses(h.project, commit, options, gitlab.WithContext(ctx))
		if err != nil {
			return nil, err
		}
		for _, s := range statuses {
			environment := environmentOf(s.Name)
			if environment == "" {
				continue
			}
			state := State(s.Status)
			if s.Status == string(gitlab.Failed) {
				state = Failure
			}
			list = append(list, Status{environment, state, s.Description, s.TargetURL})
		}
		page = res.NextPage
	}
	return list, nil
}

// SetStatus implements Host. GitLab changes no detail of a status that is pending: that one is canceled, and another one takes its place.
func (h *gitLab) SetStatus(ctx context.Context, commit string, s Status) error {
	err := h.set(ctx, commit, s, states[s.State])
	switch {
	case !isRefusal(err, http.StatusBadRequest) || !strings.Contains(err.Error(), "Cannot transition status"):
		return err
	case s.State != Pending: // it is in that state
		return nil
	}
	if err := h.set(ctx, commit, s, gitlab.Canceled); err != nil {
		return err
	}
	return h.set(ctx, commit, s, gitlab.Pending)
}

// set asks for one change of a status.
func (h *gitLab) set(ctx context.Context, commit string, s Status, state gitlab.BuildStateValue) error {
	options := &gitlab.SetCommitStatusOptions{State: state, Description: &s.Text, Name: gitlab.Ptr(contexts + s.Environment)}
	if s.URL != "" {
		options.TargetURL = &s.URL
	}
	_, _, err := h.client.Commits.SetCommitStatus(h.project, commit, options, gitlab.WithContext(ctx))
	return err
}

// Requests implements Host.
func (h *gitLab) Requests(ctx context.Context, branch string) (list []Request, err error) {
	options := &gitlab.ListProjectMergeRequestsOptions{
		State: gitlab.Ptr("opened"), TargetBranch: &branch, OrderBy: gitlab.Ptr("updated_at"), Sort: gitlab.Ptr("desc"),
	}
	options.PerPage, options.Page = pageSize, 1
	for seen := 0; options.Page != 0 && seen < mostRequests; {
		page, res, err := h.client.MergeRequests.ListProjectMergeRequests(h.project, options, gitlab.WithContext(ctx))
		if err != nil {
			return nil, err
		}
		for _, merge := range page {
			seen++
			if merge.SourceProjectID == 0 || merge.SourceProjectID != merge.TargetProjectID || merge.Author == nil {
				continue // of a fork, which may be anybody's
			}
			may, err := h.writers.may(ctx, strconv.FormatInt(merge.Author.ID, 10), h.mayWrite)
			if err != nil {
				return nil, err
			}
			if may {
				project, _, _ := strings.Cut(merge.WebURL, "/-/merge_requests/")
				list = append(list, Request{
					Number: merge.IID, Branch: merge.SourceBranch, Commit: merge.SHA, Files: project + "/-/blob/" + merge.SHA,
				})
			}
		}
		options.Page = res.NextPage
	}
	return list, nil
}

// mayWrite asks whether somebody may write to the project, by itself or by a group that it belongs to.
func (h *gitLab) mayWrite(ctx context.Context, user string) (bool, error) {
	id, err := strconv.ParseInt(user, 10, 64)
	if err != nil {
		return false, err
	}
	member, _, err := h.client.ProjectMembers.GetInheritedProjectMember(h.project, id, gitlab.WithContext(ctx))
	if isRefusal(err, http.StatusNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return member.AccessLevel >= gitlab.DeveloperPermissions, nil
}

// me is the account that the token is of.
func (h *gitLab) me(ctx context.Context) (int64, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.self == 0 {
		user, _, err := h.client.Users.CurrentUser(gitlab.WithContext(ctx))
		if err != nil {
			return 0, err
		}
		h.self = user.ID
	}
	return h.self, nil
}

// Own implements Host.
func (h *gitLab) Own(ctx context.Context, request int64, mark string) (Comment, error) {
	me, err := h.me(ctx)
	if err != nil {
		return Comment{}, err
	}
	options := &gitlab.ListMergeRequestNotesOptions{Sort: gitlab.Ptr("asc")}
	options.PerPage = pageSize
	for page := int64(1); page != 0 && page <= mostPages; {
		options.Page = page
		notes, res, err := h.client.Notes.ListMergeRequestNotes(h.project, request, options, gitlab.WithContext(ctx))
		if err != nil {
			return Comment{}, err
		}
		for _, n := range notes {
			if n.Author.ID == me && strings.HasPrefix(n.Body, mark) {
				return Comment{n.ID, n.Body}, nil
			}
		}
		page = res.NextPage
	}
	return Comment{}, nil
}

// Write implements Host.
func (h *gitLab) Write(ctx context.Context, request int64, c Comment) (err error) {
	if c.ID != 0 {
		_, _, err = h.client.Notes.UpdateMergeRequestNote(h.project, request, c.ID, &gitlab.UpdateMergeRequestNoteOptions{Body: &c.Body}, gitlab.WithContext(ctx))
		return err
	}
	_, _, err = h.client.Notes.CreateMergeRequestNote(h.project, request, &gitlab.CreateMergeRequestNoteOptions{Body: &c.Body}, gitlab.WithContext(ctx))
	return err
}
