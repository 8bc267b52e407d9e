package reconciler

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"transom.dev/reconciler/gitrepo"
	"transom.dev/reconciler/promotion"
	"transom.dev/render"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// races bounds how often one pass renders again because somebody else moved the state branch.
const races = 5

// Reconcile brings an environment's state to the requests of the platform, and the fleet to the state:
//
//	fetch    the head of its state repository
//	accept   or freeze: is the platform a continuation of the one that the state came from?
//	choose   which release every instance has from now on: gates, rollouts, failures, people's decisions
//	render   those, for every cluster, against the records of the state; bytes that did not change are carried over
//	admit    how many of the changes go to which clusters now
//	commit   the difference, on top of exactly the head that was read
//	record   where everything stands
//	deploy   the state commit, never bytes that are only in memory
//
// A commit that loses a race has written nothing: the pass begins again on the new head. Where a phase fails, the commit
// before stays deployed.
func (r *Reconciler) Reconcile(ctx context.Context, p *platform.Platform, l *lane) error {
	e := p.Environments[l.name]
	if err := l.open(r.OpenState, e); err != nil {
		return fmt.Errorf("open the state of %s: %w", l.name, err)
	}
	doubted := l.takeDoubt()
	for attempt := 1; ; attempt++ {
		fetched := r.phase(l, "fetch")
		held, err := l.fetch(ctx, &r.Trust)
		if fetched(); err != nil {
			return fmt.Errorf("fetch the state of %s: %w", l.name, err)
		}
		r.publish(p, l.name, held)
		now := r.inputs(p, l, held)
		if l.done.same(now) && (l.next.IsZero() || l.soak == 0 && r.Now().Before(l.next)) {
			if doubted {
				return r.deploy(ctx, p, l, held)
			}
			return nil
		}
		err = r.advance(ctx, p, l, held, now)
		if errors.Is(err, gitrepo.ErrRaced) && attempt < races {
			continue
		}
		return errors.Join(err, r.deploy(ctx, p, l, held))
	}
}

// advance runs the phases between reading the state and deploying it.
func (r *Reconciler) advance(ctx context.Context, p *platform.Platform, l *lane, held *held, now inputs) error {
	frozen, err := r.accept(ctx, p, l.name, held)
	if err != nil {
		return fmt.Errorf("accept platform commit %s for %s: %w", p.Commit, l.name, err)
	}
	if frozen != "" {
		r.recordFrozen(ctx, p, l, held, frozen)
		l.done, l.next = now, time.Time{}
		return nil
	}
	held.base.Pins = now.pins
	choice := r.choose(ctx, p, l, held, now.around)
	state, answers, err := r.render(ctx, p, l, held, choice)
	if err != nil {
		return fmt.Errorf("render %s: %w", l.name, err)
	}
	l.unrendered.add(answers.admission.Unrendered)
	if err := r.commit(ctx, p, l, held, state, choice); err != nil {
		r.Board.Problems(l.name, slices.Concat(p.Problems, state.Problems), state.Problems)
		return fmt.Errorf("commit the state of %s: %w", l.name, err)
	}
	r.publish(p, l.name, held)
	r.record(ctx, p, l, held, state, answers)
	if l.done, l.next = now, answers.next(); held.head.Commit != now.head {
		l.paced()
		r.lanes.wake("commit", 0, l.name) // another instance may have waited for this move
	}
	return nil
}

// phase begins a phase of a pass and returns a function that ends it.
func (r *Reconciler) phase(l *lane, name string) (done func()) {
	began := time.Now()
	l.watchdog.enter(name, r.Now())
	return func() {
		l.watchdog.enter("", r.Now())
		if r.Took != nil {
			r.Took(l.name, name, time.Since(began))
		}
	}
}

// render renders the chosen instances, and commits to as many of their changes as are admitted.
func (r *Reconciler) render(ctx context.Context, p *platform.Platform, l *lane, h *held, choice *promotion.Choice) (*render.State, *Answers, error) {
	defer r.phase(l, "render")()
	direction, answers, err := Direction(ctx, choice, atOf(l.repo))
	if err != nil {
		return nil, nil, err
	}
	state, err := l.renderer.Direct(p, l.name, h.base, direction)
	return state, answers, err
}

// publish tells this lane's records to the lanes whose decisions depend on them.
func (r *Reconciler) publish(p *platform.Platform, environment string, h *held) {
	if r.states.publish(environment, h) {
		others := slices.DeleteFunc(p.Graph.Neighbours(environment), func(name string) bool { return name == environment })
		r.lanes.wake("state of "+environment, 0, others...)
	}
}

// inputs are all that a pass over an environment depends on.
type inputs struct {
	platform *platform.Platform
	head     string
	pins     map[string]string
	around   map[string]committed // the states of its neighbours
	heard    int                  // how much clusters have said of it and its neighbours
	builds   int                  // that no pass waited for
}

func (r *Reconciler) inputs(p *platform.Platform, l *lane, h *held) inputs {
	l.mu.Lock()
	builds := l.builds
	l.mu.Unlock()
	return inputs{
		p, h.head.Commit, r.identities.of(p, p.Environments[l.name]), r.states.around(p, l.name),
		r.health.heard(p.Graph.Neighbours(l.name)), builds,
	}
}

// same says that a pass with these inputs was done, so that another would find nothing to do before some time has passed.
func (i inputs) same(o inputs) bool {
	return i.platform == o.platform && i.head == o.head && maps.Equal(i.pins, o.pins) && i.heard == o.heard && i.builds == o.builds &&
		maps.EqualFunc(i.around, o.around, func(a, b committed) bool { return a.commit == b.commit })
}

// held is the content of an environment's state repository.
type held struct {
	head *gitrepo.Snapshot // of the branch; the parent of the next commit
	ours *gitrepo.Snapshot // the last commit that is believed to be Transom's: it is deployed
	base *render.Base      // the content of ours

	fetched time.Time // when the fetch of head began

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
func (l *lane) fetch(ctx context.Context, trust *Trust) (*held, error) {
	began := time.Now()
	head, err := l.repo.Fetch(ctx)
	if err != nil {
		return nil, err
	}
	if l.last != nil && l.last.head.Commit == head.Commit {
		l.last.fetched = began
		return l.last, nil
	}
	l.identity = cmp.Or(l.identity, newIdentity())
	ours, err := trust.believed(ctx, l.repo, l.name, head)
	if err != nil {
		return nil, err
	}
	if err := ours.Bounded(); err != nil {
		return nil, fmt.Errorf("read state commit %s: %w", ours.Commit, err)
	}
	base, err := render.ReadBase(ours)
	if err != nil {
		return nil, fmt.Errorf("read state commit %s: %w", ours.Commit, err)
	}
	base.Identity = l.identity
	l.last = &held{head: head, ours: ours, base: base, fetched: began}
	return l.last, nil
}

// commit writes the changes on top of the head, undoes the changes of others, and brings held to the new content of the
// branch.
func (r *Reconciler) commit(ctx context.Context, p *platform.Platform, l *lane, h *held, rendered *render.State, choice *promotion.Choice) error {
	defer r.phase(l, "commit")()
	changes, err := restore(h)
	if err != nil {
		return err
	}
	healed := len(changes)
	maps.Copy(changes, rendered.Changes)
	if h.abandons {
		rendered.Fleet.Platform = p.Commit
		changes[state.FleetFile] = rendered.Fleet.Encode()
	}
	if len(changes) == 0 {
		return nil
	}
	message := describe(l.name, p.Commit, h.base, rendered, healed)
	message.thank(ctx, r.Platform, p.Commit)
	snapshot, err := l.repo.Commit(ctx, h.head, gitrepo.Commit{
		Message: message.String(), Changes: changes, Author: self, Committer: self, When: r.Now(),
		Key: r.Trust.Key,
	})
	if err != nil {
		l.last = nil
		return err
	}
	if healed > 0 {
		r.Logger.Warn("state restored: somebody else had written it", "environment", l.name, "theirs", h.head.Commit,
			"believed", h.ours.Commit, "commit", snapshot.Commit, "files", healed)
	}
	h.head, h.ours = snapshot, snapshot
	h.abandons = false
	h.base.Advance(rendered, snapshot)
	if r.Trust.Key == nil {
		l.evidence.pushed(rendered.Changes, choice.Restore, snapshot)
	}
	r.Logger.Info("state committed", "environment", l.name, "commit", snapshot.Commit,
		"platform", p.Commit, "requests", len(rendered.Touched), "files", len(changes))
	return nil
}
