package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"

	"transom.dev/cmd/transom/internal/remote"
	"transom.dev/reconciler/gitrepo"
	"transom.dev/reconciler/status"
	"transom.dev/reconciler/trigger"
	"transom.dev/reconciler/web"
)

// noticeOptions are the flags by which the daemon notices that somebody pushed.
type noticeOptions struct {
	interval time.Duration // of looking at everything
	platform time.Duration // of asking for the platform's branch
	secrets  string        // file
}

const noticeHelp = `Repositories on this machine are watched. Of another's Git server the daemon asks every --platform-interval whether the
platform's branch moved, and every --interval about all branches; "transom reconcile" has it ask at once. With --hook-secret
FILE the Git server tells it: have GitHub, GitLab, Gitea, Forgejo or Bitbucket POST pushes to /hooks/git with a secret of that
file. Others sign the body with HMAC-SHA256 in hexadecimal, in the header X-Transom-Signature: sha256=…; the body may be empty,
or {"repository": {"url": "https://…"}}. A call says no more than to ask again, so one that is sent twice does no harm. The
file has one secret a line, up to four, and is read at each call: to rotate, add the new one, change the Git server, remove
the old one. Where calls are too many, they are refused and the daemon asks by itself.`

func (o *noticeOptions) flags(f *pflag.FlagSet) {
	f.DurationVar(&o.interval, "interval", time.Minute, "how often to look at every repository without being told")
	f.DurationVar(&o.platform, "platform-interval", 10*time.Second, "how often to ask a Git server whether the platform's branch moved; nothing is fetched if not; 0: at --interval only")
	f.StringVar(&o.secrets, "hook-secret", "", "file with the secrets of web hooks, one a line; it takes calls to /hooks/git")
}

// check refuses intervals of zero and less, and secrets that cannot be read.
func (o *noticeOptions) check() error {
	switch {
	case o.interval <= 0:
		return misuse("--interval %s: give a time such as 1m", o.interval)
	case o.platform < 0:
		return misuse("--platform-interval %s: give a time such as 10s, or 0", o.platform)
	case o.secrets == "":
		return nil
	}
	if err := keptSecret(o.secrets); err != nil {
		return err
	}
	_, err := readHookSecrets(o.secrets)
	return err
}

const (
	leastSecret = 16 // characters
	mostSecrets = 4  // each costs a signature of every call
)

// readHookSecrets reads the secrets of web hooks, one a line.
func readHookSecrets(file string) ([]string, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read --hook-secret: %w", err)
	}
	secrets := strings.Fields(string(content))
	switch {
	case len(secrets) == 0:
		return nil, fmt.Errorf("--hook-secret %s is empty: write a secret into it, such as \"openssl rand -hex 32\" makes", file)
	case len(secrets) > mostSecrets:
		return nil, fmt.Errorf("--hook-secret %s has %d secrets: at most %d, the new and those of before", file, len(secrets), mostSecrets)
	}
	for i, secret := range secrets {
		if len(secret) < leastSecret {
			return nil, fmt.Errorf("--hook-secret %s: secret %d has less than %d characters: make one with \"openssl rand -hex 32\"", file, i+1, leastSecret)
		}
	}
	return secrets, nil
}

// hooks are the web hooks that are taken; nil: none are.
func (o *noticeOptions) hooks(heard func([]string), counted func(string), logger *slog.Logger) *web.Hooks {
	if o.secrets == "" {
		return nil
	}
	var mu sync.Mutex
	var told string // the last fault of the file, which is logged once
	return &web.Hooks{Heard: heard, Counted: counted, Secrets: func() ([]string, error) {
		secrets, err := readHookSecrets(o.secrets)
		mu.Lock()
		defer mu.Unlock()
		switch {
		case err == nil:
			told = ""
		case err.Error() != told:
			told = err.Error()
			logger.Warn("hooks refused: their secrets cannot be read", "err", err)
		}
		return secrets, err
	}}
}

// followed are the repositories that the daemon follows, by environment; that of "" is the platform's. They are safe for concurrent use.
type followed struct {
	board  *status.Board
	latch  *trigger.Latch
	logger *slog.Logger

	mu sync.Mutex
	by map[string]followedRepository
}

// A followedRepository is a repository that is followed.
type followedRepository struct {
	*gitrepo.Remote
	asked *trigger.Latch // fires for a question whether it moved
	end   context.CancelFunc
}

// follow fires the latch from now on when a repository moves, instead of the one that the environment had before: at once where it
// is on this machine, and else when its server is asked, at an interval or because somebody says so.
func (all *followed) follow(ctx context.Context, group *errgroup.Group, environment string, repo *gitrepo.Remote, interval time.Duration) {
	ctx, end := context.WithCancel(ctx)
	f := followedRepository{repo, trigger.New(), end}
	all.mu.Lock()
	defer all.mu.Unlock()
	if before, there := all.by[environment]; there {
		before.end()
	}
	if all.by == nil {
		all.by = map[string]followedRepository{}
	}
	all.by[environment] = f
	if remote.IsLocal(repo.URL) {
		interval = 0
		group.Go(func() error {
			all.watch(ctx, strings.TrimPrefix(repo.URL, "file://"))
			return nil
		})
	}
	poll := trigger.Poll{Asked: f.asked, Interval: interval, Moved: repo.Moved, Fire: func() { all.latch.Fire(repo.URL) }}
	group.Go(func() error { return poll.Run(ctx) })
}

// watch fires the latch when a repository on this machine changes. One that cannot be watched costs only time: the interval
// finds its changes.
func (all *followed) watch(ctx context.Context, dir string) {
	err := trigger.Repository(ctx, dir, all.latch.Fire)
	if err != nil && ctx.Err() == nil {
		all.logger.Warn("repository not watched: changes are found at the next interval", "repository", dir, "err", err)
	}
}

// following returns the repositories that are followed now.
func (all *followed) following() map[string]followedRepository {
	all.mu.Lock()
	defer all.mu.Unlock()
	return maps.Clone(all.by)
}

// heard asks whether the repository moved that goes by one of these addresses; if none does, whether any did. It does not wait.
func (all *followed) heard(addresses []string) {
	var named []string
	for _, address := range addresses {
		named = append(named, gitrepo.Canonical(address))
	}
	there := all.following()
	asked := maps.Clone(there)
	maps.DeleteFunc(asked, func(_ string, f followedRepository) bool { return !slices.Contains(named, gitrepo.Canonical(f.URL)) })
	if len(asked) == 0 {
		asked = there
	}
	for _, f := range asked {
		f.asked.Fire("hook")
	}
}

// lookTime bounds how long a person who asks for a look waits for the Git servers' answers.
const lookTime = 20 * time.Second

// look asks every repository whether it moved, and has a pass made over every environment.
func (all *followed) look(ctx context.Context) []web.Looked {
	defer all.latch.Fire("reconcile")
	ctx, cancel := context.WithTimeoutCause(ctx, lookTime, errors.New("no answer"))
	defer cancel()
	there := all.following()
	maps.DeleteFunc(there, func(environment string, _ followedRepository) bool { return environment != "" && !all.has(environment) })
	looked := make([]web.Looked, len(there))
	var asking sync.WaitGroup
	for i, environment := range slices.Sorted(maps.Keys(there)) {
		asking.Go(func() {
			f := there[environment]
			moved, err := f.Moved(ctx)
			looked[i] = web.Looked{Environment: environment, Repository: f.String(), Moved: moved}
			if err != nil {
				looked[i].Error = err.Error()
			}
		})
	}
	asking.Wait()
	return looked
}

// has says whether an environment is still there.
func (all *followed) has(environment string) bool {
	return slices.ContainsFunc(all.board.Status().Environments, func(e status.Environment) bool { return e.Name == environment })
}
