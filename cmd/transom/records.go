package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"transom.dev/cmd/transom/internal/client"

	"github.com/spf13/cobra"

	"transom.dev/cmd/transom/internal/terminal"
	"transom.dev/reconciler/gitrepo"
	"transom.dev/render/platform"
)

// past is what a repository held at its commits.
type past interface {
	At(ctx context.Context, commit string) (*gitrepo.Snapshot, error)
	Show(ctx context.Context, commit string) (gitrepo.CommitInfo, error)
	Log(ctx context.Context, path string, limit int) ([]gitrepo.CommitInfo, error)
	Changed(ctx context.Context, commit, path string) (gitrepo.CommitInfo, error)
}

// records finds the state repositories of environments: as the platform repository in a directory names them, or, away
// from one, as the daemon does.
type records struct {
	client      client.Client
	in          platformDir
	state       string // URL or path, instead of both
	credentials string
}

func (r *records) flag(cmd *cobra.Command) {
	r.flagsOfMany(cmd)
	cmd.Flags().StringVar(&r.state, "state", "", "URL or path of the environment's state repository; left out, as the platform says")
}

// flagsOfMany are those of commands that may ask about several environments.
func (r *records) flagsOfMany(cmd *cobra.Command) {
	serverFlag(cmd, &r.client)
	r.in.flag(cmd)
	cmd.Flags().StringVar(&r.credentials, "git-credentials", "", "file with credentials for Git, by URL prefix")
}

// origins is a repository's past, and where it is.
type origins struct {
	past
	url string
}

// stateOf is an environment's state repository with its head.
type stateOf struct {
	origins
	head *gitrepo.Snapshot
}

// open opens the state repository of an environment and reads its head.
func (r *records) open(ctx context.Context, environment string) (*stateOf, error) {
	url, branch, err := r.find(ctx, environment)
	if err != nil {
		return nil, err
	}
	state, err := openPast(ctx, url, branch, r.credentials)
	if err != nil {
		return nil, fmt.Errorf("read the state of %s: %w", environment, err)
	}
	if state.head.Commit == "" {
		return nil, fmt.Errorf("the state of %s has no commit yet: %s", environment, url)
	}
	return state, nil
}

// find says where an environment's state repository is.
func (r *records) find(ctx context.Context, environment string) (url, branch string, err error) {
	if r.state != "" {
		return r.state, "main", nil
	}
	p, loadErr := r.in.load()
	if loadErr != nil {
		return r.ask(ctx, environment, loadErr)
	}
	e, err := environmentNamed(p, environment)
	if err != nil {
		return "", "", err
	}
	origin := ""
	if checkout, err := gitrepo.Open(r.in.dir); err == nil {
		origin = checkout.Origin()
	}
	if origin == "" && strings.HasPrefix(e.State.URL, ".") {
		return "", "", fmt.Errorf("%s: its state repository %s is relative to the platform's, and %s is a clone of none: name it with --state",
			e.File, e.State.URL, r.in.dir)
	}
	return (&repositories{platform: origin}).resolve(e.State.URL), e.State.Branch, nil
}

// ask has the daemon say where a state repository is.
func (r *records) ask(ctx context.Context, environment string, instead error) (url, branch string, err error) {
	s, err := r.client.Status(ctx, client.Selection{Environment: environment, Brief: true})
	if err != nil {
		return "", "", fmt.Errorf("%w\n%w", instead, err)
	}
	if len(s.Environments) == 0 {
		return "", "", fmt.Errorf("no environment %q on the platform %s", environment, s.Platform.URL)
	}
	return (&repositories{platform: s.Platform.URL}).resolve(s.Environments[0].StateURL), "main", nil
}

// openPast opens a repository: in place if it is on this machine, else through a mirror in the user's cache.
func openPast(ctx context.Context, url, branch, credentials string) (*stateOf, error) {
	if isLocal(url) {
		b, err := gitrepo.OpenHistory(strings.TrimPrefix(url, "file://"), branch)
		if err != nil {
			return nil, err
		}
		return &stateOf{origins{b, url}, b.Head}, nil
	}
	known, err := readCredentials(credentials)
	if err != nil {
		return nil, err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	remote := (&repositories{data: filepath.Join(cache, "transom"), credentials: known}).open(url, branch)
	head, err := remote.Fetch(ctx)
	if err != nil {
		return nil, err
	}
	return &stateOf{origins{remote, url}, head}, nil
}

// clonePast is the past of a person's clone.
type clonePast struct{ *gitrepo.Checkout }

// At is part of past.
func (c clonePast) At(_ context.Context, commit string) (*gitrepo.Snapshot, error) {
	return c.Checkout.At(commit)
}

// platformPast opens the platform repository: the clone in a directory, or, away from one, the daemon's.
func (r *records) platformPast(ctx context.Context) (origins, error) {
	checkout, err := gitrepo.Open(r.in.dir)
	if err == nil {
		if _, err = r.in.load(); err == nil {
			return origins{clonePast{checkout}, checkout.Origin()}, nil
		}
	}
	s, asked := r.client.Status(ctx, client.Selection{Brief: true})
	if asked != nil {
		return origins{}, fmt.Errorf("%w\n%w", err, asked)
	}
	p, err := openPast(ctx, s.Platform.URL, "main", r.credentials)
	if err != nil {
		return origins{}, err
	}
	return p.origins, nil
}

// environmentNamed finds an environment, or says which there are.
func environmentNamed(p *platform.Platform, name string) (*platform.Environment, error) {
	if e := p.Environments[name]; e != nil {
		return e, nil
	}
	there := environments(p)
	return nil, fmt.Errorf("no environment %q%s; there are: %s", name, platform.Suggest(name, there), strings.Join(there, ", "))
}

// findCommit completes an abbreviated commit of a repository.
func findCommit(ctx context.Context, repo past, commit string) (string, error) {
	if len(commit) == 40 {
		return commit, nil
	}
	log, err := repo.Log(ctx, ".", everything)
	if err != nil {
		return "", err
	}
	found := ""
	for _, c := range log {
		if strings.HasPrefix(c.Commit, commit) {
			if found != "" {
				return "", fmt.Errorf("commit %s is ambiguous: %s or %s", commit, terminal.Short(found), terminal.Short(c.Commit))
			}
			found = c.Commit
		}
	}
	if found == "" || len(commit) < 4 {
		return "", fmt.Errorf("no commit %q in the state repository; its log names them", commit)
	}
	return found, nil
}

// everything is a limit that no history reaches.
const everything = 1 << 30
