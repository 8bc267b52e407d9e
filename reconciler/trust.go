package reconciler

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"transom.dev/reconciler/gitrepo"
)

// Trust says which commits of a state branch are believed to be Transom's. The zero value signs nothing: then names and
// trailers say it, which anybody can write, and bytes that the clusters do not have yet are withheld until they are proven.
type Trust struct {
	Key  *gitrepo.SigningKey // signs the commits of this process
	Keys []gitrepo.PublicKey // whose signatures are accepted beside that of Key
	From []string            // commits that need no signature, and neither does any before them
}

// accepts says whether a commit is signed with one of the keys.
func (t *Trust) accepts(s gitrepo.Signed) bool {
	if !s.Valid {
		return false
	}
	return s.By.Is(t.Key.Public()) || slices.ContainsFunc(t.Keys, s.By.Is)
}

// believed returns the newest commit of an environment's branch that Transom made. Commits that others put on top of it are
// neither applied nor believed. Where one of theirs merges, the later of the commits that it leads to is the one: else a merge
// could lead back to any commit before.
func (t *Trust) believed(ctx context.Context, repo StateRepo, environment string, head *gitrepo.Snapshot) (*gitrepo.Snapshot, error) {
	w := &search{trust: t, repo: repo, environment: environment, seen: map[string]bool{}}
	if err := w.walk(ctx, head.Commit); err != nil {
		return nil, err
	}
	switch {
	case w.found == "" && w.rejected != "":
		return nil, fmt.Errorf("its newest commit that says it is Transom's, %s, is not believed, because it is %s: nothing is written and "+
			"nothing deleted. If the branch was written before commits were signed, start with --trust-state %s; if another key signed it, "+
			"add that with --state-keys; else set the branch back to a commit that is believed", w.rejected, w.why, w.rejected)
	case w.found == "":
		return &gitrepo.Snapshot{}, nil
	case w.found == head.Commit:
		return head, nil
	}
	return repo.At(ctx, w.found)
}

// search looks for the newest commit of ours.
type search struct {
	trust       *Trust
	repo        StateRepo
	environment string
	seen        map[string]bool

	found      string
	generation int    // of found, once there is another
	rejected   string // the first commit that says it is ours and is not believed
	why        string
}

// stop is a commit to look at.
type stop struct {
	commit  string
	trusted bool // it is one that needs no signature
}

// walk goes back from a commit, and no further than to one of ours.
func (w *search) walk(ctx context.Context, from string) error {
	for next := []stop{{commit: from}}; len(next) > 0; {
		at := next[0]
		next = next[1:]
		if at.commit == "" || w.seen[at.commit] {
			continue
		}
		w.seen[at.commit] = true
		if err := ctx.Err(); err != nil {
			return err
		}
		info, err := w.repo.Show(ctx, at.commit)
		if err != nil {
			return err
		}
		at.trusted = at.trusted || slices.Contains(w.trust.From, at.commit)
		ours, err := w.ours(ctx, info, at.trusted)
		if err != nil {
			return err
		}
		if ours {
			if err := w.take(ctx, at.commit); err != nil {
				return err
			}
			continue
		}
		for _, parent := range info.Parents {
			next = append(next, stop{parent, at.trusted})
		}
	}
	return nil
}

// ours says whether a commit is believed to be Transom's.
func (w *search) ours(ctx context.Context, info gitrepo.CommitInfo, trusted bool) (bool, error) {
	if !isOurs(info) || w.trust.Key == nil || trusted {
		return isOurs(info), nil
	}
	signed, err := w.repo.Signed(ctx, info.Commit)
	if err != nil {
		return false, err
	}
	why := signed.String()
	if w.trust.accepts(signed) {
		if strings.HasPrefix(info.Subject, w.environment+": ") {
			return true, nil
		}
		why += " for another environment"
	}
	if w.rejected == "" {
		w.rejected, w.why = info.Commit, why
	}
	return false, nil
}

// take keeps a commit of ours, if it is the latest.
func (w *search) take(ctx context.Context, commit string) (err error) {
	if w.found == "" {
		w.found = commit
		return nil
	}
	if w.generation == 0 {
		if w.generation, err = w.repo.Generation(ctx, w.found); err != nil {
			return err
		}
	}
	generation, err := w.repo.Generation(ctx, commit)
	if err == nil && generation > w.generation {
		w.found, w.generation = commit, generation
	}
	return err
}
