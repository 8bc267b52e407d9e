package forge

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"transom.dev/reconciler/status"
	"transom.dev/reconciler/trigger"
)

const (
	defaultDelay = 2 * time.Second
	// readAgain is how often the operator's file is read.
	readAgain = 10 * time.Second
	// shortestWait and longestWait lie between two rounds that fail.
	shortestWait, longestWait = 5 * time.Second, 10 * time.Minute
)

// The parts of the facts that a forge is told.
const (
	Statuses = "commit statuses"
	Comments = "comments on pull requests"
)

// A Teller tells a forge. Fill in the fields, then call Run; no field changes after that.
type Teller struct {
	Config  func() (Config, error) // read again and again
	Board   *status.Board
	Branch  string // of the platform repository
	Console string // the address of the console, to which statuses lead; may be empty

	// Plan makes the plan of merging a request into a commit of the platform, as the text of a comment. ErrMoved says to ask
	// again later; nil: no comments are written.
	Plan func(ctx context.Context, r Request, head string) (string, error)

	// Changed is the commit that changed a file of the platform last, as of a commit.
	Changed func(ctx context.Context, head, file string) (string, error)

	// Recent lists the latest commits of the platform; nil: only those that the Board names are known.
	Recent func(ctx context.Context, most int) ([]string, error)

	Interval time.Duration // of looking for pull requests without being told
	Delay    time.Duration // how long a change of the Board is waited with, as others follow it mostly; 0 is two seconds
	Wait     time.Duration // before a round that failed is made again, for the first time; 0 is five seconds
	Reread   time.Duration // of the operator's file; 0 is ten seconds
	Patience time.Duration // how long a failure lasts before it is told; 0 is 15 seconds

	looks *trigger.Latch

	mu     sync.Mutex
	config Config
	host   Host
	read   time.Time
	once   sync.Once
}

// Look has the Teller look for pull requests soon. It does not wait.
func (t *Teller) Look(cause string) {
	t.prepare()
	t.looks.Fire(cause)
}

func (t *Teller) prepare() { t.once.Do(func() { t.looks = trigger.New() }) }

// Run tells the forge until ctx is done. It returns nil then.
func (t *Teller) Run(ctx context.Context) error {
	t.prepare()
	changes := trigger.New()
	changes.Fire("start")
	t.Look("start")
	statuses := &statusTeller{Teller: t, again: changes}
	comments := &commentTeller{Teller: t}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { t.follow(ctx, changes); return nil })
	group.Go(func() error {
		t.repeat(ctx, Statuses, changes, func(ctx context.Context, host Host) error { return statuses.tell(ctx, host) })
		return nil
	})
	if t.Plan != nil {
		group.Go(func() error { return trigger.Every(ctx, t.Interval, func() { t.Look("interval") }) })
		group.Go(func() error {
			t.repeat(ctx, Comments, t.looks, func(ctx context.Context, host Host) error {
				if t.isSilent() {
					return nil
				}
				return comments.tell(ctx, host)
			})
			return nil
		})
	}
	return group.Wait()
}

// follow fires the latch a while after the Board changed.
func (t *Teller) follow(ctx context.Context, latch *trigger.Latch) {
	changed, end := t.Board.Subscribe()
	defer end()
	for {
		select {
		case <-ctx.Done():
			return
		case <-changed:
		}
		if !rest(ctx, cmp.Or(t.Delay, defaultDelay)) {
			return
		}
		latch.Fire("board")
	}
}

// repeat makes a round each time that the latch fires. A round that fails for all is made again, later and later, and no sooner
// than the forge wants; the operator's file is read meanwhile, as it may mend the fault.
func (t *Teller) repeat(ctx context.Context, part string, latch *trigger.Latch, round func(context.Context, Host) error) {
	var wait time.Duration
	for {
		if wait == 0 {
			if _, err := latch.Wait(ctx); err != nil {
				return
			}
		} else if !t.restFailing(ctx, wait) {
			return
		}
		host, err := t.now()
		if err == nil {
			err = guarded(func() error { return round(ctx, host) })
		}
		if ctx.Err() != nil {
			return
		}
		t.Board.ForgeTold(part, err)
		wait = nextWait(wait, t.Wait, err)
	}
}

// guarded makes a round. A fault of the code that reads a forge's answers costs the round alone, and not the daemon.
func guarded(round func() error) (err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("the forge's answer cannot be read: %v", fault)
		}
	}()
	return round()
}

// nextWait is how long to wait after a round; 0: until something happens.
func nextWait(before, first time.Duration, err error) time.Duration {
	if err == nil || errors.As(err, new(aside)) {
		return 0
	}
	if first == 0 {
		first = shortestWait
	}
	next := min(max(first, 2*before), longestWait)
	var paused *pausedError
	if errors.As(err, &paused) {
		next = max(first, time.Until(paused.until))
	}
	return next
}

// restFailing waits, and not longer once the operator's file changed. It says whether to go on.
func (t *Teller) restFailing(ctx context.Context, wait time.Duration) bool {
	t.mu.Lock()
	before := t.host
	t.mu.Unlock()
	for end := time.Now().Add(wait); ; {
		remaining := time.Until(end)
		if remaining <= 0 {
			return true
		}
		if !rest(ctx, min(remaining, cmp.Or(t.Reread, readAgain))) {
			return false
		}
		if host, _ := t.now(); host != before { // none while the file cannot be read, which the next round says
			return true
		}
	}
}

// now is the host that the operator's file names. While the file cannot be read, nobody is told: a token may have been taken
// back.
func (t *Teller) now() (Host, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.host != nil && time.Since(t.read) < cmp.Or(t.Reread, readAgain) {
		return t.host, nil
	}
	config, err := t.Config()
	if err != nil {
		t.host = nil
		return nil, err
	}
	t.read = time.Now()
	if t.host != nil && config == t.config {
		return t.host, nil
	}
	t.host, t.config = nil, config
	host, err := Open(config)
	if err != nil {
		return nil, err
	}
	t.host = host
	return host, nil
}

// isSilent says whether the operator's file leaves pull requests to the pipeline.
func (t *Teller) isSilent() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.config.Silent
}

// rest waits, and says whether ctx is not done.
func rest(ctx context.Context, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
