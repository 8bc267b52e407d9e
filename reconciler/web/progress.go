package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"transom.dev/reconciler/status"
	"transom.dev/render/wording"
)

func (s *server) progress(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	selected, err := parameters(q, "commit")
	if err != nil {
		return err
	}
	if selected.environment == "" {
		return refuse(http.StatusBadRequest, "progress needs environment=")
	}
	known := s.Board.Status()
	all := selected.of(known)
	if len(all.Environments) == 0 {
		if all.Platform.Commit == "" { // which environments there are is not known yet
			return writeJSON(w, r, status.Progress{Environment: selected.environment, Commit: q.Get("commit")})
		}
		return refuse(http.StatusNotFound, "no environment %q%s", selected.environment, suggest(selected.environment, known.Environments))
	}
	e := all.Environments[0]
	reconciled, err := s.reconciled(r.Context(), e.Commit, q.Get("commit"))
	if err != nil {
		return err
	}
	p := status.ProgressOf(all, e, reconciled)
	p.Commit = q.Get("commit")
	return writeJSON(w, r, p)
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
		return false, refuse(http.StatusBadRequest, "%s %v", commit, ErrNoCommitID)
	}
	if err != nil {
		return false, fmt.Errorf("look for commit %s below %s: %w", commit, head, err)
	}
	return included, nil
}
