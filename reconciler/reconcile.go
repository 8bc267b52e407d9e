package reconciler

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"transom.dev/reconciler/gitrepo"
	"transom.dev/render"
	"transom.dev/render/platform"
)

// races bounds how often one pass renders again because somebody else moved the state branch.
const races = 5

// Reconcile makes an environment's state what the platform asks for, and the fleet what the state says:
//
//	fetch    the head of its state repository
//	accept   or freeze: is the platform a continuation of the one that the state came from?
//	render   every request for every cluster, against what the state holds; what did not change is carried over
//	commit   the difference, on top of exactly the head that was read
//	deploy   what is committed, never what is only in memory
//	record   where everything stands
//
// A commit that loses a race has written nothing: the pass begins again on the new head. Where a later phase fails,
// what was committed before stays deployed.
func (r *Reconciler) Reconcile(ctx context.Context, p *platform.Platform, l *lane) error {
	e := p.Environments[l.name]
	if err := l.open(r.OpenState, e); err != nil {
		return fmt.Errorf("open the state of %s: %w", l.name, err)
	}
	for attempt := 1; ; attempt++ {
		held, err := l.fetch(ctx)
		if err != nil {
			return fmt.Errorf("fetch the state of %s: %w", l.name, err)
		}
		pins := r.identities.of(p, e)
		if l.done.same(p, held, pins) {
			return nil
		}
		frozen, err := r.accept(ctx, p, l.name, held)
		if err != nil {
			return errors.Join(fmt.Errorf("accept platform commit %s for %s: %w", p.Commit, l.name, err), r.deploy(p, e, held))
		}
		if frozen != "" {
			r.recordFrozen(p, e, held, frozen)
			l.done = inputs{p, held.head.Commit, pins}
			return r.deploy(p, e, held)
		}
		held.base.Pins = pins
		state, err := l.renderer.Render(p, l.name, held.base)
		if err != nil {
			return fmt.Errorf("render %s: %w", l.name, err)
		}
		err = r.commit(ctx, p, l, held, state)
		if errors.Is(err, gitrepo.ErrRaced) && attempt < races {
			continue
		}
		if err != nil {
			return errors.Join(fmt.Errorf("commit the state of %s: %w", l.name, err), r.deploy(p, e, held))
		}
		if err := r.deploy(p, e, held); err != nil {
			return fmt.Errorf("deploy %s: %w", l.name, err)
		}
		r.record(p, e, held, state)
		l.done = inputs{p, held.head.Commit, pins}
		return nil
	}
}

// inputs are all that a pass over an environment depends on.
type inputs struct {
	platform *platform.Platform
	head     string
	pins     map[string]string
}

// same says that a pass with these inputs was done, so that another would find nothing to do.
func (i inputs) same(p *platform.Platform, h *held, pins map[string]string) bool {
	return i.platform == p && i.head == h.head.Commit && maps.Equal(i.pins, pins)
}

// held is what an environment's state repository holds.
type held struct {
	head *gitrepo.Snapshot // of the branch; the parent of what is committed next
	ours *gitrepo.Snapshot // the last commit that Transom made: the one that is believed and deployed
	base *render.Base      // the content of ours

	abandons bool // a person approved to leave the accepted platform commit behind: the new one is recorded at once
}

// open makes l.repo the repository that the environment names now.
func (l *lane) open(open func(*platform.Environment) (StateRepo, error), e *platform.Environment) error {
	url := e.State.URL + "#" + e.State.Branch
	if l.repo != nil && l.url == url {
		return nil
	}
	repo, err := open(e)
	if err != nil {
		return err
	}
	l.url, l.repo, l.last = url, repo, nil
	return nil
}

// fetch reads the state's head, and decodes it unless it is the one that this lane saw or made last.
func (l *lane) fetch(ctx context.Context) (*held, error) {
	head, err := l.repo.Fetch(ctx)
	if err != nil {
		return nil, err
	}
	if l.last != nil && l.last.head.Commit == head.Commit {
		return l.last, nil
	}
	ours, err := believed(ctx, l.repo, head)
	if err != nil {
		return nil, err
	}
	base, err := render.ReadBase(ours)
	if err != nil {
		return nil, fmt.Errorf("read state commit %s: %w", ours.Commit, err)
	}
	l.last = &held{head: head, ours: ours, base: base}
	return l.last, nil
}

// commit writes what changed on top of the head, heals what others wrote, and makes held what the branch holds then.
func (r *Reconciler) commit(ctx context.Context, p *platform.Platform, l *lane, h *held, state *render.State) error {
	changes, err := restore(h)
	if err != nil {
		return err
	}
	healed := len(changes)
	maps.Copy(changes, state.Changes)
	if h.abandons {
		state.Fleet.Platform = p.Commit
		changes["fleet.yaml"] = state.Fleet.Encode()
	}
	if len(changes) == 0 {
		return nil
	}
	message := describe(l.name, p.Commit, state, healed)
	message.thank(ctx, r.Platform, p.Commit)
	snapshot, err := l.repo.Commit(ctx, h.head, gitrepo.Commit{
		Message: message.String(), Changes: changes, Author: self, Committer: self, When: r.Now(),
	})
	if err != nil {
		l.last = nil
		return err
	}
	h.head, h.ours = snapshot, snapshot
	h.abandons = false
	h.base.Advance(state, snapshot)
	r.Logger.Info("state committed", "environment", l.name, "commit", snapshot.Commit,
		"platform", p.Commit, "requests", len(state.Touched), "files", len(changes))
	return nil
}
