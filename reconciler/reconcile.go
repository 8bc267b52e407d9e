package reconciler

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"transom.dev/reconciler/check"
	"transom.dev/reconciler/gitrepo"
	"transom.dev/reconciler/promotion"
	"transom.dev/render"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// maxRaces bounds how often one pass renders again because somebody else moved the state branch.
const maxRaces = 5

// A pass is one run over one environment.
type pass struct {
	r           *Reconciler
	loop        *loop
	platform    *platform.Platform
	environment *platform.Environment
	state       *stateContent // as fetched, and from the commit on as committed
	answers     *check.Round  // of other parties to the checks; nil: nobody is asked
	phases      []Phase       // that ended, in order
}

// reconcile brings an environment's state to the requests of the platform, and the fleet to the state:
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
func (p *pass) reconcile(ctx context.Context) error {
	l := p.loop
	if err := l.branch.open(p.r.OpenState, p.environment); err != nil {
		return fmt.Errorf("open the state of %s: %w", l.environment, err)
	}
	refetch := l.inbox.takeRefetch()
	for attempt := 1; ; attempt++ {
		if err := p.fetch(ctx); err != nil {
			return fmt.Errorf("fetch the state of %s: %w", l.environment, err)
		}
		p.publish()
		now := p.inputs()
		if l.schedule.upToDate(now, p.r.Now()) {
			if refetch {
				return p.deploy(ctx)
			}
			return nil
		}
		err := p.advance(ctx, now)
		if errors.Is(err, gitrepo.ErrRaced) && attempt < maxRaces {
			continue
		}
		return errors.Join(err, p.deploy(ctx))
	}
}

// advance runs the phases between reading the state and deploying it. Admission is asked in the middle of rendering, once it
// is known which bytes change on which clusters: answers has promotion's side of that.
func (p *pass) advance(ctx context.Context, now inputs) error {
	frozen, err := p.accept(ctx)
	if err != nil {
		return fmt.Errorf("accept platform commit %s for %s: %w", p.platform.Commit, p.loop.environment, err)
	}
	if frozen != "" {
		p.recordFrozen(ctx, frozen)
		p.loop.schedule.done, p.loop.schedule.next = now, time.Time{}
		return nil
	}
	p.state.base.Pins = now.pins
	choice := p.choose(ctx, now.elsewhere)
	direction, answers, err := Direction(ctx, choice, atOf(p.loop.branch.repo)) // direction.Admit is choice.Admit
	if err != nil {
		return fmt.Errorf("render %s: %w", p.loop.environment, err)
	}
	rendered, err := p.render(direction)
	if err != nil {
		return fmt.Errorf("render %s: %w", p.loop.environment, err)
	}
	p.forgetChecks()
	p.loop.unrendered.add(answers.admission.Unrendered)
	if err := p.commit(ctx, rendered, choice.Restore); err != nil {
		p.r.Board.Problems(p.loop.environment, slices.Concat(p.platform.Problems, rendered.Problems), rendered.Problems)
		return fmt.Errorf("commit the state of %s: %w", p.loop.environment, err)
	}
	p.publish()
	p.r.cache.health.forgetTold(p.loop.environment, p.state.base.Releases)
	p.record(ctx, rendered, answers)
	if p.state.head.Commit != now.head {
		p.loop.inbox.setCommitted(p.committedFor(rendered))
		p.trace(rendered)
	}
	p.loop.schedule.done, p.loop.schedule.next = now, answers.next()
	return nil
}

// committedFor says for which news a pass has committed what it rendered.
func (p *pass) committedFor(rendered *render.State) urgency {
	if p.platform != p.loop.schedule.done.platform {
		return immediate
	}
	for file := range rendered.Changes {
		if state.IsBelowClusters(file) {
			return progress
		}
	}
	return health
}

// phase begins a phase of a pass and returns a function that ends it.
func (p *pass) phase(name string) (done func()) {
	began := time.Now()
	p.loop.watchdog.enter(name, p.r.Now())
	return func() {
		p.loop.watchdog.enter("", p.r.Now())
		p.r.took(p.loop.environment, name, time.Since(began))
		p.phases = append(p.phases, Phase{name, began, time.Now()})
	}
}

// fetch reads the content of the state branch.
func (p *pass) fetch(ctx context.Context) (err error) {
	defer p.phase("fetch")()
	p.state, err = p.loop.branch.fetch(ctx, p.loop.environment, &p.r.Trust)
	return err
}

// publish shows the records of the environment to the loops whose decisions depend on them.
func (p *pass) publish() {
	name := p.loop.environment
	if p.r.cache.records.publish(name, p.state) {
		others := slices.DeleteFunc(p.platform.Graph.Neighbours(name), func(other string) bool { return other == name })
		p.r.cache.loops.wake("state of "+name, progress, others...)
	}
}

// inputs are all that a pass over an environment depends on.
type inputs struct {
	platform  *platform.Platform
	head      string
	pins      map[string]string
	elsewhere map[string]committed // the records of its neighbours
	news      int                  // how often the health of it and its neighbours changed
	builds    int                  // that no pass waited for
	answers   int                  // of other parties to its checks that were news
}

func (p *pass) inputs() inputs {
	name := p.loop.environment
	return inputs{
		p.platform, p.state.head.Commit, p.r.cache.identities.of(p.platform, p.environment), p.r.cache.records.elsewhere(p.platform, name),
		p.r.cache.health.newsOf(p.platform.Graph.Neighbours(name)), p.loop.inbox.buildsReady(),
		p.r.answersOf(name),
	}
}

// same says that a pass with these inputs was done, so that another would find nothing to do before some time has passed.
func (i inputs) same(o inputs) bool {
	return i.platform == o.platform && i.head == o.head && maps.Equal(i.pins, o.pins) && i.news == o.news && i.builds == o.builds &&
		i.answers == o.answers &&
		maps.EqualFunc(i.elsewhere, o.elsewhere, func(a, b committed) bool { return a.commit == b.commit })
}

// render renders the chosen instances, and commits to as many of their changes as are admitted.
func (p *pass) render(direction render.Direction) (*render.State, error) {
	defer p.phase("render")()
	return p.loop.renderer.Direct(p.platform, p.loop.environment, p.state.base, direction)
}

// commit writes the changes on top of the head, undoes the changes of others, and brings p.state to the new content of the
// branch.
func (p *pass) commit(ctx context.Context, rendered *render.State, restored map[platform.RequestKey]promotion.Restoration) error {
	defer p.phase("commit")()
	changes, err := restore(p.state)
	if err != nil {
		return err
	}
	healed := len(changes)
	maps.Copy(changes, rendered.Changes)
	if p.state.abandons {
		rendered.Fleet.Platform = p.platform.Commit
		changes[state.FleetFile] = rendered.Fleet.Encode()
	}
	if len(changes) == 0 {
		return nil
	}
	message := describe(p.loop.environment, p.platform.Commit, p.state.base, rendered, healed)
	message.thank(ctx, p.r.Platform, p.platform.Commit)
	snapshot, err := p.loop.branch.repo.Commit(ctx, p.state.head, gitrepo.Commit{
		Message: message.String(), Changes: changes, Author: self, Committer: self, When: p.r.Now(),
		Key: p.r.Trust.Key,
	})
	if err != nil {
		p.loop.branch.last = nil
		return err
	}
	if healed > 0 {
		p.r.Logger.Warn("state restored: somebody else had written it", "environment", p.loop.environment, "theirs", p.state.head.Commit,
			"believed", p.state.believed.Commit, "commit", snapshot.Commit, "files", healed)
	}
	p.state.head, p.state.believed = snapshot, snapshot
	p.state.abandons = false
	p.state.base.Advance(rendered, snapshot)
	if p.r.Trust.Key == nil {
		p.loop.evidence.pushed(rendered.Changes, restored, snapshot)
	}
	p.r.Logger.Info("state committed", "environment", p.loop.environment, "commit", snapshot.Commit,
		"platform", p.platform.Commit, "requests", len(rendered.Touched), "files", len(changes))
	return nil
}
