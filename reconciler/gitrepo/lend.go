package gitrepo

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
)

// Branches are the commits that the branches of the repository are at now, by name, as the server tells them. Nothing is fetched.
func (r *Remote) Branches(ctx context.Context) (map[string]string, error) {
	if err := r.start(); err != nil {
		return nil, err
	}
	heads := map[string]string{}
	beside := server{endpoint: r.server.endpoint, way: r.server.way, limits: r.server.limits, timeout: r.server.timeout} // nobody's turn is taken
	err := beside.fetching(ctx, func(ctx context.Context, s fetcher) error {
		adv, err := s.AdvertisedReferencesContext(ctx)
		if err != nil {
			return err
		}
		for ref, commit := range adv.References {
			if branch, ok := strings.CutPrefix(ref, "refs/heads/"); ok {
				heads[branch] = commit.String()
			}
		}
		return nil
	})
	return heads, err
}

// FetchBeside returns another branch of the repository as it is now. Its objects come into the mirror beside those of the
// Remote's own branch, which was fetched before and stays where it is. A branch that is not there is an empty Snapshot.
func (r *Remote) FetchBeside(ctx context.Context, branch string) (*Snapshot, error) {
	release, err := r.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	ref := plumbing.NewBranchReferenceName(branch)
	if err := ref.Validate(); err != nil {
		return nil, fmt.Errorf("%s: branch %q is no valid name", r.server.endpoint, printable(branch))
	}
	m := r.mirror.usable()
	if m == nil {
		return nil, fmt.Errorf("%s: its own branch was not fetched yet", r.server.endpoint)
	}
	if makeRoom(r, m) != nil {
		if _, err := r.download(ctx, nil); err != nil {
			return nil, err
		}
		if m = r.mirror.usable(); m == nil {
			return nil, fmt.Errorf("%s: its own branch is gone", r.server.endpoint)
		}
	}
	head, err := bring(ctx, r, m, ref)
	if err != nil {
		return nil, err
	}
	return r.snapshot(head)
}

// bring fetches what a mirror lacks of a branch, and returns its head; zero: there is no such branch. The caller has the turn.
func bring(ctx context.Context, r *Remote, m *mirror, ref plumbing.ReferenceName) (head plumbing.Hash, err error) {
	err = r.server.fetching(ctx, func(ctx context.Context, s fetcher) error {
		adv, err := s.AdvertisedReferencesContext(ctx)
		if err != nil {
			return err
		}
		if head = adv.References[ref.String()]; head.IsZero() || m.has(head) {
			return nil
		}
		return r.receive(ctx, s, adv, m, head)
	})
	return head, err
}

// Lend makes a repository at dir, where nothing may be, with the objects that the mirror has now: at a commit, with references
// by their full names, and with an origin, which may be empty. Its packs are hard links, so that dir has to be on the disk of
// the mirror; whatever becomes of the mirror, they stay.
func (r *Remote) Lend(ctx context.Context, dir, commit, origin string, references map[string]string) error {
	release, err := r.acquire(ctx) // packs are merged and removed meanwhile by others
	if err != nil {
		return err
	}
	defer release()
	files := map[string]string{"HEAD": commit, "config": "[core]\n\trepositoryformatversion = 0\n"}
	if origin != "" {
		files["config"] += fmt.Sprintf("[remote \"origin\"]\n\turl = %q\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n", origin)
	}
	maps.Copy(files, references)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(file, []byte(files[name]+"\n"), 0o600); err != nil {
			return err
		}
	}
	return linkPacks(filepath.Join(r.Dir, "objects", "pack"), filepath.Join(dir, "objects", "pack"))
}

// linkPacks links whole packs. Their indexes come last: a pack is there once its index is.
func linkPacks(from, to string) error {
	if err := os.MkdirAll(to, 0o700); err != nil {
		return err
	}
	for _, kind := range []string{".pack", ".idx"} {
		files, err := filepath.Glob(filepath.Join(from, "pack-*"+kind))
		if err != nil {
			return err
		}
		for _, file := range files {
			if err := os.Link(file, filepath.Join(to, filepath.Base(file))); err != nil {
				return err
			}
		}
	}
	return nil
}
