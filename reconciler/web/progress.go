package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"transom.dev/reconciler/status"
	"transom.dev/render/wording"
)

// progressParameters are those of a commit's progress.
type progressParameters struct {
	Team        string `query:"team" doc:"Only this team."`
	Request     string `query:"request" doc:"Only this request of the team, which is needed then."`
	Environment string `query:"environment" required:"true" doc:"The environment."`
	Commit      string `query:"commit" doc:"The commit of the platform, in full; absent: the newest that the environment knows."`
}

func (p progressParameters) selection() selection { return selection{p.Team, p.Request, p.Environment} }

func (p progressParameters) check() error { return p.selection().check() }

func (s *server) progress(r *http.Request, about progressParameters) (p status.Progress, err error) {
	known := s.Board.Status()
	all := about.selection().of(known)
	if len(all.Environments) == 0 {
		if all.Platform.Commit == "" { // which environments there are is not known yet
			return status.Progress{Environment: about.Environment, Commit: about.Commit, Frozen: all.Platform.Frozen}, nil
		}
		return p, refuse(http.StatusNotFound, "no environment %q%s", about.Environment, suggest(about.Environment, known.Environments))
	}
	e := all.Environments[0]
	reconciled, err := s.reconciled(r.Context(), e.Commit, about.Commit)
	if err != nil {
		return p, err
	}
	p = status.ProgressOf(all, e, reconciled)
	p.Commit = about.Commit
	return p, nil
}

func suggest(environment string, known []status.Environment) string {
	var names []string
	for _, e := range known {
		names = append(names, e.Name)
	}
	return wording.Suggest(environment, names)
}

// reconciled says whether an environment that was last reconciled with head knows commit.
func (s *server) reconciled(ctx context.Context, head, commit string) (bool, error) {
	switch {
	case head == "":
		return false, nil
	case commit == "" || commit == head:
		return true, nil
	case s.Includes == nil:
		return false, nil
	}
	included, err := s.Includes(ctx, head, commit)
	if errors.Is(err, ErrNoCommitID) {
		return false, refuse(http.StatusBadRequest, "%s %v", commit, ErrNoCommitID).mendedBy("give all 40 hexadecimal digits of the commit")
	}
	if err != nil {
		return false, fmt.Errorf("look for commit %s below %s: %w", commit, head, err)
	}
	return included, nil
}
