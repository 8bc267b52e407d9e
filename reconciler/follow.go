package reconciler

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"transom.dev/render/platform"
)

// Follow reads the platform and the state of its environments on every trigger until ctx is done, as a standby does: Run then begins
// with them. It decides nothing, writes nothing, and tells the Board nothing.
func (r *Reconciler) Follow(ctx context.Context) error {
	for {
		if _, err := r.Trigger.Wait(ctx); err != nil {
			return nil //nolint:nilerr // the context is done: that is how it ends
		}
		err := r.readAll(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if r.cache.followed.done(err) {
			r.Logger.Warn("standby does not follow: it is tried again at the next interval", "err", err)
		}
	}
}

// readAll reads the platform, and each state branch that it names.
func (r *Reconciler) readAll(ctx context.Context) error {
	head, err := r.fetchHead(ctx)
	if err != nil {
		return err
	}
	p, err := r.parse(head, 0)
	if err != nil {
		return err
	}
	var failed []error
	for _, name := range slices.Sorted(maps.Keys(p.Environments)) {
		if e := p.Environments[name]; !e.Broken {
			failed = append(failed, r.readState(ctx, e))
		}
	}
	return errors.Join(failed...)
}

func (r *Reconciler) readState(ctx context.Context, e *platform.Environment) error {
	b := r.cache.followed.branch(e.Name)
	if err := b.open(r.OpenState, e); err != nil {
		return fmt.Errorf("open the state of %s: %w", e.Name, err)
	}
	if _, err := b.fetch(ctx, e.Name, &r.Trust); err != nil {
		return fmt.Errorf("fetch the state of %s: %w", e.Name, err)
	}
	return nil
}

// Followed says whether all was read when Follow last looked; the error gives the reason why not.
func (r *Reconciler) Followed() error { return r.cache.followed.fault() }

// followed are the state branches that Follow reads, until the loops of Run take them.
type followed struct {
	branches map[string]*stateBranch // used by Follow, and after it by Run

	mu     sync.Mutex
	looked bool
	err    error // of the last look
}

func (f *followed) branch(environment string) *stateBranch {
	if f.branches == nil {
		f.branches = map[string]*stateBranch{}
	}
	if f.branches[environment] == nil {
		f.branches[environment] = &stateBranch{}
	}
	return f.branches[environment]
}

// take hands over the branch of an environment, as it was read last.
func (f *followed) take(environment string) stateBranch {
	b := *f.branch(environment)
	delete(f.branches, environment)
	return b
}

// done takes the result of a look, and says whether it is a fault that is news.
func (f *followed) done(err error) (news bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	news = err != nil && (f.err == nil || f.err.Error() != err.Error())
	f.looked, f.err = true, err
	return news
}

func (f *followed) fault() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.looked {
		return errors.New("the platform and the state of its environments are not read yet")
	}
	return f.err
}
