package apply

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
)

// mode says how far a pass may go.
type mode struct {
	write    bool
	rehearse bool // the API server is asked for the effects of adopting, even where nothing is written
}

// pass is one look at one instance.
type pass struct {
	*Cluster
	in Instance
	mode

	around  []*desired // the objects that the environment puts around a team: the namespace file
	objects []*desired
	scaled  map[Object]int64 // by something else of the instance, with its fewest replicas
	listed  map[Object]bool  // by the inventory
	adopted map[Object]bool  // by the inventory: those that others had made
	gone    []Change         // pruned or let go

	admitted map[Object]string // by the inventory: effects of an adoption that began
	adoption *Adoption         // that waits for a person; nil: none does

	waiting []Object // to be pruned, and still there
	later   string   // the commit of a later state, which pruning is left to
	doubted bool     // somebody may have applied a later state
	foreign *Foreign // somebody else keeps the environment on this cluster
	held    string   // why nothing may be written or deleted: it is not proven to be Transom's
	blocker *desired // the object that those of a later step wait for, nil if none do
	blocked string   // which step it keeps from going on

	checkpoint Checkpoint // of the inventory, of whatever revision

	problems []Problem // of the instance as a whole, or of objects that are pruned
	again    bool
}

// Apply makes one pass over an instance. An error means that the cluster could not be asked: nothing may be concluded
// about the instance, and the caller tries again with backoff. The faults that a person must mend are in Result.Problems.
func (c *Cluster) Apply(ctx context.Context, in Instance) (Result, error) {
	return c.pass(ctx, in, mode{write: true, rehearse: true})
}

// Observe is Apply without any write, for clusters that are paused.
func (c *Cluster) Observe(ctx context.Context, in Instance) (Result, error) {
	return c.pass(ctx, in, mode{})
}

// ErrRequests is the error of a Look that would have had to make a request.
var ErrRequests = errors.New("requests to the cluster are needed")

// Look is Apply as far as that gets without a request to the cluster: to the end where everything is as it shall be,
// because watches have told so. It is quick however busy the cluster is. Where anything is to be asked or done it fails
// with ErrRequests; then nothing was done, and nothing is known of how the instance is.
func (c *Cluster) Look(ctx context.Context, in Instance) (Result, error) {
	return c.pass(context.WithValue(ctx, looking{}, true), in, mode{write: true, rehearse: true})
}

// looking is the key of a context in which no request is made.
type looking struct{}

// asks fails in a Look.
func asks(ctx context.Context) error {
	if ctx.Value(looking{}) != nil {
		return ErrRequests
	}
	return nil
}

func (c *Cluster) pass(ctx context.Context, in Instance, how mode) (Result, error) {
	began := time.Now()
	c.meet(in.Owner)
	p := &pass{Cluster: c, in: in, mode: how}
	err := p.run(ctx)
	if errors.Is(err, errOvertaken) {
		p.doubted = true
		err = p.judge(ctx, p.all())
	}
	if err != nil {
		return Result{}, fmt.Errorf("%s: %w", in.Owner, err)
	}
	result := p.result()
	result.Took = time.Since(began)
	return result, nil
}

// run is a pass from end to end. Each step leaves its findings in the pass; an error of any ends it.
func (p *pass) run(ctx context.Context) error {
	if !p.read() {
		return nil
	}
	if goes, err := p.stand(ctx); err != nil || !goes {
		return err
	}
	if err := p.look(ctx); err != nil {
		return fmt.Errorf("look at what is there: %w", err)
	}
	if p.stopped() || !p.rehearse {
		return p.judge(ctx, p.all())
	}
	if p.in.External && p.write {
		return p.follow(ctx)
	}
	if p.doubts() {
		return p.judge(ctx, p.all())
	}
	if p.write {
		if err := p.prove(ctx); err != nil {
			return err
		}
	}
	if p.held != "" {
		return p.judge(ctx, p.all())
	}
	if err := p.tryAdoption(ctx); err != nil {
		return fmt.Errorf("try to adopt: %w", err)
	}
	if !p.write || p.stopped() || p.holdsBack() {
		return p.judge(ctx, p.all())
	}
	if err := p.retireFirst(ctx); err != nil {
		return fmt.Errorf("prune: %w", err)
	}
	if len(p.waiting) > 0 {
		return p.judge(ctx, p.all())
	}
	if err := p.enter(ctx); err != nil {
		return fmt.Errorf("prepare: %w", err)
	}
	if err := p.apply(ctx); err != nil {
		return fmt.Errorf("apply: %w", err)
	}
	if err := p.judge(ctx, p.all()); err != nil {
		return fmt.Errorf("judge: %w", err)
	}
	if err := p.unblock(ctx); err != nil {
		return fmt.Errorf("make way: %w", err)
	}
	if err := p.retire(ctx); err != nil {
		return fmt.Errorf("prune: %w", err)
	}
	return nil
}

// all is everything desired, the objects around the team first.
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
