package reconciler

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"transom.dev/fleet"
	"transom.dev/reconciler/gitrepo"
	"transom.dev/reconciler/status"
	"transom.dev/reconciler/trigger"
	"transom.dev/render/platform"
)

// Source is the platform repository. The reconciler never writes to it.
type Source interface {
	Fetch(ctx context.Context) (*gitrepo.Snapshot, error)
	IsAncestor(ctx context.Context, ancestor, descendant string) (bool, error)
	Show(ctx context.Context, commit string) (gitrepo.CommitInfo, error)
	Log(ctx context.Context, path string, limit int) ([]gitrepo.CommitInfo, error)
	Changed(ctx context.Context, commit, path string) (gitrepo.CommitInfo, error)
	Generation(ctx context.Context, commit string) (int, error)
	At(ctx context.Context, commit string) (*gitrepo.Snapshot, error)
	OtherBranches() []string
}

// StateRepo is one environment's state repository.
type StateRepo interface {
	Fetch(ctx context.Context) (*gitrepo.Snapshot, error)
	Commit(ctx context.Context, parent *gitrepo.Snapshot, c gitrepo.Commit) (*gitrepo.Snapshot, error)
	Show(ctx context.Context, commit string) (gitrepo.CommitInfo, error)
	At(ctx context.Context, commit string) (*gitrepo.Snapshot, error)
	Generation(ctx context.Context, commit string) (int, error)
	Contains(ctx context.Context, head, commit string) (bool, error)
	Signed(ctx context.Context, commit string) (gitrepo.Signed, error)
	Log(ctx context.Context, path string, limit int) ([]gitrepo.CommitInfo, error)
}

// Deployer deploys an environment's committed state to the fleet. *fleet.Fleet is one.
type Deployer interface {
	Deploy(t fleet.Target) error

	// Checkpoint has an instance's inventory remember for how long a revision was seen healthy. It does not wait.
	Checkpoint(environment, cluster string, k platform.RequestKey, revision string, soaked time.Duration)
}

// Reconciler holds the concrete parts. All fields but Repository, Trust and Took are required, and none is changed once it runs.
type Reconciler struct {
	PlatformURL string
	Platform    Source
	OpenState   func(e *platform.Environment) (StateRepo, error)
	Fleet       Deployer
	Board       *status.Board
	Trigger     *trigger.Latch
	Logger      *slog.Logger
	Now         func() time.Time

	// Repository, if set, gives every address of one repository the same spelling, state repositories' as the platform writes
	// them among them, so that none is written to that is the platform's or another environment's.
	Repository func(url string) string

	// Trust says which commits of the state branches are believed.
	Trust Trust

	// Took, if set, is told how long each phase of a pass over an environment took; the phase "" is all of it.
	Took func(environment, phase string, took time.Duration)

	// Corrected, if set, is called whenever an object had been changed by others and was set back.
	Corrected func(environment, cluster string)

	identities identities
	states     states
	lanes      lanes
	health     ledger

	mu     sync.Mutex
	latest *platform.Platform
	ready  map[string]bool // environments that were reconciled once
}

// Run reconciles on every trigger until ctx is done, and returns when every lane has ended.
func (r *Reconciler) Run(ctx context.Context) error {
	r.health.begin(r.Now, r.Fleet.Checkpoint)
	defer r.lanes.wait()
	loader := &platform.Loader{
		Repository: r.Repository, Own: []platform.StateRepository{{URL: r.PlatformURL, Branch: cmp.Or(r.Board.Branch, "main")}},
	}
	for {
		causes, err := r.Trigger.Wait(ctx)
		if err != nil {
			return nil //nolint:nilerr // the context is done: that is how it ends
		}
		p, err := r.load(ctx, loader)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			r.Board.PlatformFailed(r.PlatformURL, err) // which is logged where it is news
			r.Logger.Debug("platform not loaded", "cause", causes, "err", err)
			continue // the ticker tries again; the lanes keep their platform
		}
		r.startLanes(ctx, p, causes)
	}
}

// load reads the platform's head.
func (r *Reconciler) load(ctx context.Context, loader *platform.Loader) (*platform.Platform, error) {
	head, err := r.Platform.Fetch(ctx)
	if err != nil {
		return nil, fmt.Errorf("fetch platform %s: %w", r.PlatformURL, err)
	}
	if head.Commit == "" {
		return nil, noCommit(r.PlatformURL, cmp.Or(r.Board.Branch, "main"), r.Platform.OtherBranches())
	}
	r.mu.Lock()
	latest := r.latest
	r.mu.Unlock()
	if latest != nil && latest.Commit == head.Commit {
		r.Board.PlatformReached()
		return latest, nil
	}
	p, err := loader.Load(head)
	if err != nil {
		return nil, fmt.Errorf("load platform commit %s: %w", head.Commit, err)
	}
	p.Commit = head.Commit
	r.mu.Lock()
	r.latest = p
	r.mu.Unlock()
	r.Board.Loaded(r.PlatformURL, p)
	r.Logger.Info("platform loaded", "commit", p.Commit, "requests", len(p.Requests), "problems", len(p.Problems))
	return p, nil
}

// noCommit is the error, with its remedy, of a platform repository without the branch that is followed.
func noCommit(url, branch string, others []string) error {
	if len(others) == 0 {
		return fmt.Errorf("platform %s has no commit on its branch %s yet: push one", url, branch)
	}
	return fmt.Errorf("platform %s has no branch %s; it has %s: name the one to follow with --branch, or push %s",
		url, branch, strings.Join(others, ", "), branch)
}

// Ready says whether the platform was loaded, every environment of it was reconciled once and no pass is stuck; the error
// gives the reason why not.
func (r *Reconciler) Ready() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.latest == nil {
		return fmt.Errorf("the platform %s is not loaded yet", r.PlatformURL)
	}
	if stuck := r.stuck(); len(stuck) > 0 {
		slices.Sort(stuck)
		return errors.New(strings.Join(stuck, "; "))
	}
	for _, name := range slices.Sorted(maps.Keys(r.latest.Environments)) {
		if !r.ready[name] && !r.latest.Environments[name].Broken {
			return fmt.Errorf("environment %s is not reconciled yet", name)
		}
	}
	return nil
}

func (r *Reconciler) reconciled(environment string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ready == nil {
		r.ready = map[string]bool{}
	}
	r.ready[environment] = true
}
