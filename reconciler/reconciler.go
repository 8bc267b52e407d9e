package reconciler

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"transom.dev/fleet"
	"transom.dev/fleet/apply"
	"transom.dev/reconciler/check"
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
	Refused(ctx context.Context, commit string, by *gitrepo.Signers) (why string, err error)
	Changed(ctx context.Context, commit, path string) (gitrepo.CommitInfo, error)
	Arrived(ctx context.Context, commit, path string) (gitrepo.CommitInfo, error)
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

	// Checkpoint has an instance's inventory remember for how long a revision was seen healthy, and the answers to checks. It
	// does not wait.
	Checkpoint(environment, cluster string, k platform.RequestKey, c apply.Checkpoint)
}

// Figures counts the passes, and the corrections of drift.
type Figures interface {
	// Pass takes how long a phase of a pass over an environment took; the phase "" is all of it.
	Pass(environment, phase string, took time.Duration)

	// Corrected takes that an object had been changed by others and was set back.
	Corrected(environment, cluster string)
}

// Reconciler has the concrete parts. All fields but Repository, Signers, Trust, Figures, Traces, Checks, Jobs and Further are required, and
// none is changed once it runs.
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

	// Signers, if set, are those of whom one has to sign the platform's head, as of now.
	Signers func() *gitrepo.Signers

	// Trust says which commits of the state branches are believed.
	Trust Trust

	Figures Figures

	// Checks asks other parties what the checks of environments say; nil: nobody is asked, and no check passes.
	Checks *check.Asker

	// Jobs runs the Jobs of checks; nil: none is run, and no check by Jobs passes.
	Jobs JobRunner

	// Traces, if set, take the way of each state commit.
	Traces Traces

	// Further, if set, finds Problems of the platform that only this daemon can know. They are shown, and hinder nothing.
	Further func(*platform.Platform) []platform.Problem

	cache cache
}

// cache is the memory of a Reconciler: all of it can be read again from Git and the clusters.
type cache struct {
	readiness  readiness
	loops      loops
	underWay   underWay
	records    records
	health     observations
	identities identities
	told       toldPlatform
	vouching   vouching

	deferred deferred
	loading  loading
	parsing  watchdog // of the load under way
	followed followed
}

// loading has the Loader that remembers the files of the platform, and those that it loaded last. Follow and Run use it, one after the other.
type loading struct {
	loader *platform.Loader
	head   *gitrepo.Snapshot
	asked  bool   // Git answered since the head was loaded: nobody knows whether that is still followed
	atOnce int    // how many new requests one load resolves; zero: requestsAtOnce
	fault  string // the last commit whose load panicked, and how
}

// resolves is how many new requests one load resolves.
func (l *loading) resolves() int { return cmp.Or(l.atOnce, requestsAtOnce) }

// with returns the Loader, made from its settings at the first call.
func (l *loading) with(settings platform.Loader) *platform.Loader {
	if l.loader == nil {
		l.loader = &settings
	}
	return l.loader
}

// loaded takes in that a commit was loaded.
func (l *loading) loaded(head *gitrepo.Snapshot) { l.head, l.asked = head, false }

// answered takes in that Git said which commit is the head. Until that is loaded, nothing more of the one before is.
func (l *loading) answered() { l.asked = true }

// cameUpon takes in that the load of a commit panicked, and returns what is to be logged beside that. The load is tried again at each trigger: the log has
// the stack of the first time that it does so in this way.
func (l *loading) cameUpon(commit string, fault any) []any {
	told := []any{"commit", commit, "err", fault}
	if how := fmt.Sprintf("%s: %v", commit, fault); l.fault != how {
		told = append(told, "stack", string(debug.Stack()))
		l.fault = how
	}
	return told
}

// toldPlatform is the platform that status was told of last, and the Problems that were found further. One goroutine has it.
type toldPlatform struct {
	of      *platform.Platform
	further []platform.Problem
}

// readiness knows the platform that was loaded last, and how far the environments have come since the start.
type readiness struct {
	mu     sync.Mutex
	latest *platform.Platform
	ready  map[string]bool // environments that were reconciled once
}

// platform returns the one that was loaded last, or nil.
func (s *readiness) platform() *platform.Platform {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.latest
}

func (s *readiness) loaded(p *platform.Platform) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.latest = p
}

// reconciled takes that a pass over an environment succeeded.
func (s *readiness) reconciled(environment string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ready == nil {
		s.ready = map[string]bool{}
	}
	s.ready[environment] = true
}

// missing names the first environment that was not reconciled yet; empty: there is none.
func (s *readiness) missing() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(s.latest.Environments)) {
		if !s.ready[name] && !s.latest.Environments[name].Broken {
			return name
		}
	}
	return ""
}

// Run reconciles on every trigger until ctx is done, and returns when every loop has ended.
func (r *Reconciler) Run(ctx context.Context) error {
	r.cache.health.begin(r.Now, r.Fleet.Checkpoint)
	defer r.askChecks(ctx)()
	defer r.cache.loops.wait()
	for {
		causes, err := r.Trigger.Wait(ctx)
		if err != nil {
			return nil //nolint:nilerr // the context is done: that is how it ends
		}
		p, err := r.loadFor(ctx, causes)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			r.Board.PlatformFailed(r.PlatformURL, err) // which is logged where it is news
			r.Logger.Debug("platform not loaded", "cause", causes, "err", err)
			if p = r.goOn(); p == nil {
				continue // the ticker tries again; the loops keep their platform
			}
		}
		r.cache.deferred.loaded(p, r.Trigger.Fire)
		r.startLoops(ctx, p, causes)
	}
}

// loadFor loads the platform for these causes. Only where requests are all that is waited for, Git is not asked.
func (r *Reconciler) loadFor(ctx context.Context, causes []string) (*platform.Platform, error) {
	if slices.Equal(causes, []string{causeDeferred}) {
		if p := r.goOn(); p != nil {
			return p, nil
		}
	}
	return r.load(ctx)
}

// goOn resolves more of the requests of the commit that was loaded last, also where Git does not answer and nothing newer is known. It returns
// nil where there is nothing to go on with. Where Git answered, and its branch is gone, no commit of it is vouched for or its head cannot be
// loaded, the platform is frozen: what runs stays, and nothing new comes.
func (r *Reconciler) goOn() *platform.Platform {
	latest := r.cache.readiness.platform()
	if latest == nil || latest.Deferred() == 0 || r.cache.loading.asked {
		return nil
	}
	p, err := r.parse(r.cache.loading.head, r.cache.loading.resolves())
	if err != nil {
		r.Logger.Debug("no more requests resolved", "err", err)
		return nil
	}
	r.loaded(p)
	return p
}

// load reads the platform's head.
func (r *Reconciler) load(ctx context.Context) (*platform.Platform, error) {
	head, err := r.fetchHead(ctx)
	if err == nil || errors.Is(err, errUnsigned) {
		r.Board.PlatformFrozen(r.cache.vouching.verdict().frozen) // which logs it where it is news
	}
	if err != nil {
		return nil, err
	}
	latest := r.cache.readiness.platform()
	if latest != nil && latest.Commit == head.Commit && latest.Deferred() == 0 {
		r.Board.PlatformReached()
		r.tellLoaded(latest)
		return latest, nil
	}
	p, err := r.parse(head, r.cache.loading.resolves())
	if err != nil {
		return nil, err
	}
	r.Board.PlatformReached()
	r.loaded(p)
	return p, nil
}

// loaded takes in a platform that was loaded.
func (r *Reconciler) loaded(p *platform.Platform) {
	r.cache.readiness.loaded(p)
	r.tellLoaded(p)
	r.Logger.Info("platform loaded", "commit", p.Commit, "requests", p.CountRequests(), "problems", len(p.Problems), "deferred", p.Deferred())
}

// fetchHead brings the mirror of the platform up to date, and returns its newest commit that is vouched for.
func (r *Reconciler) fetchHead(ctx context.Context) (*gitrepo.Snapshot, error) {
	head, err := r.Platform.Fetch(ctx)
	if err != nil {
		return nil, fmt.Errorf("fetch platform %s: %w", r.PlatformURL, err)
	}
	r.cache.loading.answered()
	if head.Commit == "" {
		return nil, noCommit(r.PlatformURL, cmp.Or(r.Board.Branch, "main"), r.Platform.OtherBranches())
	}
	return r.vouchedFor(ctx, head)
}

// parse loads the files of the platform's head, and resolves so many new requests. Follow and Run call it, one after the other.
func (r *Reconciler) parse(head *gitrepo.Snapshot, atOnce int) (p *platform.Platform, err error) {
	r.cache.parsing.begin(r.Now())
	r.cache.parsing.enter("load", r.Now())
	defer r.cache.parsing.end()
	defer func() { // a fault of ours ends this load, not the daemon
		if fault := recover(); fault != nil {
			r.Logger.Error("fault", r.cache.loading.cameUpon(head.Commit, fault)...)
			p, err = nil, fmt.Errorf("load platform commit %s: it came upon a fault of Transom, which is worth a report: %v; what runs stays as it is", head.Commit, fault)
		}
	}()
	r.cache.underWay.expect()
	loader := r.cache.loading.with(platform.Loader{
		Repository: r.Repository, Own: []platform.StateRepository{{URL: r.PlatformURL, Branch: cmp.Or(r.Board.Branch, "main")}},
	})
	loader.AtOnce = atOnce
	p, err = loader.Load(head)
	if err != nil {
		return nil, fmt.Errorf("load platform commit %s: %w", head.Commit, err)
	}
	p.Commit = head.Commit
	r.cache.loading.loaded(head)
	return p, nil
}

// tellLoaded tells status of the platform, with the Problems that only this daemon finds, unless it was told the same before.
func (r *Reconciler) tellLoaded(p *platform.Platform) {
	var further []platform.Problem
	if r.Further != nil {
		further = r.Further(p)
	}
	further = append(further, warnOfDeferred(p, r.cache.loading.resolves())...)
	if told := &r.cache.told; told.of != p || !slices.Equal(told.further, further) {
		told.of, told.further = p, further
		shown := *p
		if len(further) > 0 {
			shown.Problems = slices.Concat(p.Problems, further)
			slices.SortStableFunc(shown.Problems, platform.Problem.Compare)
		}
		r.Board.Loaded(r.PlatformURL, &shown)
	}
}

// Notifications are those of the platform that was loaded last, by name.
func (r *Reconciler) Notifications() map[string]*platform.Notification {
	if p := r.cache.readiness.platform(); p != nil {
		return p.Notifications
	}
	return nil
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
	if r.cache.readiness.platform() == nil {
		if err := r.cache.vouching.verdict().err; err != nil {
			return fmt.Errorf("%w; \"transom status\" says how to go on", err)
		}
		return fmt.Errorf("the platform %s is not loaded yet", r.PlatformURL)
	}
	stuck := r.cache.loops.stuck(r.Now())
	if why := r.cache.parsing.stuck(r.Now()); why != "" {
		stuck = append(stuck, "the platform is stuck: "+why)
	}
	if len(stuck) > 0 {
		slices.Sort(stuck)
		return errors.New(strings.Join(stuck, "; "))
	}
	if missing := r.cache.readiness.missing(); missing != "" {
		return fmt.Errorf("environment %s is not reconciled yet; \"transom status\" says why", missing)
	}
	return nil
}

// Ages are how long the passes under way have taken, by environment; zero where none is.
func (r *Reconciler) Ages() map[string]time.Duration { return r.cache.loops.ages(r.Now()) }

// Passes says for how long passes have been under way without a pause, with a channel that is closed at the next one; nil: none is under way.
func (r *Reconciler) Passes() (age time.Duration, over <-chan struct{}) {
	return r.cache.underWay.now()
}
