package apply

import (
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
)

// pass is one look at one instance.
type pass struct {
	*Cluster
	in    Instance
	write bool

	around  []*desired // what the environment puts around a team: the namespace file
	objects []*desired
	listed  map[Object]bool // by the inventory
	gone    []Change        // pruned or let go
	waiting []Object        // to be pruned, and still there
	later   string          // the commit of a later state, which pruning is left to

	checkpoint Checkpoint // of the inventory, of whatever revision

	problems []Problem // of the instance as a whole, or of what is pruned
	again    bool
}

// Apply makes one pass over an instance. An error means that the cluster could not be asked: nothing may be concluded
// about the instance, and the caller tries again with backoff. What a person must mend is in Result.Problems.
func (c *Cluster) Apply(ctx context.Context, in Instance) (Result, error) {
	return c.pass(ctx, in, true)
}

// Observe is Apply without any write, for clusters that are paused.
func (c *Cluster) Observe(ctx context.Context, in Instance) (Result, error) {
	return c.pass(ctx, in, false)
}

func (c *Cluster) pass(ctx context.Context, in Instance, write bool) (Result, error) {
	began := time.Now()
	c.meet(in.Owner)
	p := &pass{Cluster: c, in: in, write: write}
	if err := p.run(ctx); err != nil {
		return Result{}, fmt.Errorf("%s: %w", in.Owner, err)
	}
	result := p.result()
	result.Took = time.Since(began)
	return result, nil
}

// run is a pass from end to end. Each step leaves what it found in the pass; an error of any ends it.
func (p *pass) run(ctx context.Context) error {
	if !p.read() {
		return nil
	}
	if err := p.look(ctx); err != nil {
		return fmt.Errorf("look at what is there: %w", err)
	}
	if p.stopped() || !p.write {
		return p.judge(ctx)
	}
	if err := p.retireFirst(ctx); err != nil {
		return fmt.Errorf("prune: %w", err)
	}
	if len(p.waiting) > 0 {
		return p.judge(ctx)
	}
	if err := p.enter(ctx); err != nil {
		return fmt.Errorf("prepare: %w", err)
	}
	if err := p.apply(ctx); err != nil {
		return fmt.Errorf("apply: %w", err)
	}
	if err := p.judge(ctx); err != nil {
		return fmt.Errorf("judge: %w", err)
	}
	if err := p.retire(ctx); err != nil {
		return fmt.Errorf("prune: %w", err)
	}
	return nil
}

// all is everything desired, what is around the team first.
func (p *pass) all() []*desired { return append(slices.Clip(p.around), p.objects...) }

// stopped says whether a person must mend something before anything may be written.
func (p *pass) stopped() bool {
	return len(p.problems) > 0 || slices.ContainsFunc(p.all(), func(d *desired) bool { return d.fault != "" })
}

// each calls do for every object side by side; the requests that do makes are bounded by ask. The first error ends
// the rest.
func each[T any](ctx context.Context, all []T, do func(context.Context, T) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(256)
	for _, one := range all {
		group.Go(func() error { return do(ctx, one) })
	}
	return group.Wait()
}

// result puts together what the pass did and found.
func (p *pass) result() Result {
	r := Result{Problems: p.problems, Settled: !p.again}
	for _, d := range p.all() {
		if d.change != nil {
			r.Changes = append(r.Changes, *d.change)
		}
		if d.fault != "" {
			r.Problems = append(r.Problems, Problem{Object: d.object, Message: d.fault})
		}
		if d.drift != "" {
			r.Drift = append(r.Drift, Problem{Object: d.object, Message: d.drift})
		}
		r.Settled = r.Settled && !d.again
	}
	for _, d := range p.objects {
		if d.change == nil && d.live != nil && d.fault == "" {
			r.Unchanged++
		}
		r.Objects = append(r.Objects, d.status)
	}
	r.Changes = append(r.Changes, p.gone...)
	if p.in.Revision != "" && p.checkpoint.Revision == p.in.Revision {
		r.Checkpoint = p.checkpoint
	}
	p.sumUp(&r)
	return r
}

// sumUp says how the instance does as a whole, and names the worst object and why it is so.
func (p *pass) sumUp(r *Result) {
	r.Health = Healthy
	for _, d := range p.all() {
		r.Stuck = r.Stuck || d.stuck
		if badness[d.status.Health] > badness[r.Health] {
			r.Health = d.status.Health
		}
	}
	if d := worst(p.all()); d != nil {
		r.Object, r.Message = d.object.String(), d.object.String()+": "+d.status.Message
	}
	if left := p.left(); len(left) > 0 {
		r.Settled, r.Health, r.Object = false, Progressing, left[0].String()
		r.Message = r.Object + ": waiting for its end"
	}
	if p.later != "" && (p.in.Absent || r.Message == "") {
		r.Object = p.waiting[0].String()
		r.Message = fmt.Sprintf("%s: it is not pruned, because its inventory was written for state commit %s, which is "+
			"later than %s", r.Object, p.later, p.in.State.Commit)
	}
	if len(r.Problems) == 0 {
		if r.Message == "" && len(r.Drift) > 0 {
			r.Object, r.Message = r.Drift[0].Object.String(), r.Drift[0].String()
		}
		return
	}
	r.Settled = false
	if r.Health != Failed {
		r.Health = Unknown
	}
	if r.Message == "" {
		r.Message = r.Problems[0].String()
		if of := r.Problems[0].Object; of != (Object{}) {
			r.Object = of.String()
		}
	}
}

// left is what an instance that shall be gone still has on the cluster.
func (p *pass) left() []Object {
	switch {
	case !p.in.Absent:
		return nil
	case !p.write:
		return p.surplus()
	}
	return p.waiting
}

var badness = map[Health]int{Progressing: 1, Unknown: 2, Failed: 3}

// worst is the object that ails most, nil if none does: one with a health that is bad for good before one that cannot
// start, and that before all that may pass by itself.
func worst(all []*desired) *desired {
	var found *desired
	rank := func(d *desired) int {
		if d.stuck && d.status.Health != Failed {
			return 2*badness[Unknown] + 1
		}
		return 2 * badness[d.status.Health]
	}
	for _, d := range all {
		if rank(d) > 0 && (found == nil || rank(d) > rank(found)) {
			found = d
		}
	}
	return found
}
