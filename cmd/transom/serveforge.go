package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"time"

	"github.com/spf13/pflag"

	"transom.dev/cmd/transom/internal/preview"
	"transom.dev/cmd/transom/internal/remote"
	"transom.dev/reconciler/forge"
	"transom.dev/reconciler/gitrepo"
	"transom.dev/reconciler/status"
)

// requestInterval is how often the forge is asked for its pull requests.
const requestInterval = time.Minute

// forgeOptions are the flags by which a forge is told.
type forgeOptions struct {
	file    string
	console string

	platform string // its address, as HOST/PATH
}

const forgeHelp = `With --forge FILE the daemon tells GitHub or GitLab how far each commit of the platform has come: a commit status
transom/ENVIRONMENT for each environment, pending with the gate that waits, success, or failure with the reason. On pull
requests of people who may write, from the repository itself, it keeps one comment with the plan; others get none. Nothing that
a forge answers decides anything, and a forge that is away delays nothing. "transom help operator" has the form of the file
and the rights that its token needs; it is read again when it changes.`

func (o *forgeOptions) flags(f *pflag.FlagSet) {
	f.StringVar(&o.file, "forge", "", "file that says which GitHub or GitLab repository is told of each commit's way, and with which token; read again when it changes")
	f.StringVar(&o.console, "console-url", "", "address of the console for people, to which the forge and notifications lead, such as https://transom.example.com")
}

// check refuses an address of the console that no browser opens.
func (o *forgeOptions) check() error {
	if o.console == "" {
		return nil
	}
	if u, err := url.Parse(o.console); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return misuse("--console-url %q: give an address such as https://transom.example.com", o.console)
	}
	return nil
}

// open reads the file for the first time.
func (o *forgeOptions) open(platform string) error {
	if o.file == "" {
		return nil
	}
	o.platform = gitrepo.Site(platform)
	_, err := o.read()
	return err
}

func (o *forgeOptions) read() (forge.Config, error) {
	config, err := forge.Read(o.file, o.platform, keptSecret)
	if err != nil {
		return config, fmt.Errorf("--forge: %w", err)
	}
	return config, nil
}

// tell adds the duty to tell the forge, if there is one. It returns the function that hears of pushes: heard, and the forge is
// looked at, too.
func (o *forgeOptions) tell(add func(func(context.Context) error), board *status.Board, traces *tracer, repositories *remote.Mirrors, heard func([]string)) func([]string) {
	if o.file == "" {
		return heard
	}
	source := traces.platform
	maker := &preview.Maker{Dir: filepath.Join(repositories.Dir, "plans"), Open: func(dir string) *gitrepo.Remote {
		return repositories.Apart(source.URL, source.Branch, dir)
	}}
	t := &forge.Teller{
		Config: o.read, Board: board, Branch: source.Branch, Console: o.console, Interval: requestInterval,
		Changed: func(ctx context.Context, head, file string) (string, error) {
			info, err := source.Changed(ctx, head, file)
			return info.Commit, err
		},
		Recent: func(ctx context.Context, most int) (commits []string, err error) {
			log, err := source.Log(ctx, ".", most)
			for _, info := range log {
				commits = append(commits, info.Commit)
			}
			return commits, err
		},
	}
	t.Plan = func(ctx context.Context, r forge.Request, head string) (string, error) {
		states, err := traces.lent()
		if err != nil {
			return "", forge.ErrMoved
		}
		text, err := maker.Plan(ctx, r.Branch, r.Commit, head, r.Files, states, nil)
		if errors.Is(err, preview.ErrMoved) {
			return "", forge.ErrMoved
		}
		return text, err
	}
	add(t.Run)
	return func(addresses []string) {
		t.Look("hook")
		heard(addresses)
	}
}

// lent are the states of all environments, for plans. Before all of them are known, no plan is right.
func (t *tracer) lent() (all []preview.State, err error) {
	for _, e := range t.board.Status().Environments {
		repo := t.state(e.Name)
		if repo == nil || e.StateCommit == "" {
			return nil, preview.ErrMoved
		}
		all = append(all, preview.State{
			Environment: e.Name, Repository: repo, Branch: cmp.Or(e.StateBranch, "main"), Commit: e.StateCommit,
		})
	}
	return all, nil
}

// askAgain is how long a Git server is spared that did not say whether the platform may be pushed to.
const askAgain = 10 * time.Minute

// warnOfMirror warns that a mirror could not be renewed.
func warnOfMirror(logger *slog.Logger) func(error) {
	return func(err error) { logger.Warn("mirror not renewed: it grows until it is", "err", err) }
}

// warnIfMayPush warns where the platform's credential could change the platform, which the daemon never does. A server that
// does not answer is asked again.
func warnIfMayPush(ctx context.Context, source *gitrepo.Remote, logger *slog.Logger) error {
	for !remote.IsLocal(source.URL) {
		may, err := source.MayPush(ctx)
		if may {
			logger.Warn("the credential for the platform repository may push there: the daemon only reads it; give it one that can do no more",
				"repository", source.String())
		}
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(askAgain):
		}
	}
	return nil
}
