package apply

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Apply makes one visit of an instance. An error means that the cluster could not be asked: nothing may be concluded
// about the instance, and the caller tries again with backoff; of the Result only Refusal counts then. The faults that a person must mend are in Result.Problems.
func (c *Cluster) Apply(ctx context.Context, in Instance) (Result, error) {
	return c.visit(ctx, in, mode{write: true, rehearse: true})
}

// Observe is Apply without any write, for clusters that are paused.
func (c *Cluster) Observe(ctx context.Context, in Instance) (Result, error) {
	return c.visit(ctx, in, mode{})
}

// Rehearse is Observe that also finds the effects of adopting: the API server is asked about every object of the instance, as
// a dry run, and nothing is written.
func (c *Cluster) Rehearse(ctx context.Context, in Instance) (Result, error) {
	return c.visit(ctx, in, mode{rehearse: true})
}

// Look is Apply as far as that gets without a request to the cluster: to the end where everything is as it shall be,
// because watches have told so. It is quick however busy the cluster is. Where anything is to be asked or done it fails
// with ErrRequests; then nothing was done, and nothing is known of how the instance is.
func (c *Cluster) Look(ctx context.Context, in Instance) (Result, error) {
	return c.visit(context.WithValue(ctx, looking{}, true), in, mode{write: true, rehearse: true})
}

func (c *Cluster) visit(ctx context.Context, in Instance, how mode) (Result, error) {
	ctx, end := c.shared.sit(ctx)
	defer end()
	c.subscribers.add(in.Owner)
	p := newVisit(c, in, how)
	err := p.run(ctx)
	if errors.Is(err, errOvertaken) {
		p.overtaken = true
		err = p.health.assessHealth(ctx, p.all())
	}
	if err != nil {
		return Result{Refusal: p.refusalOf(err)}, fmt.Errorf("%s: %w", in.Owner, err)
	}
	return p.result(), nil
}

// mode says how far a visit may go.
type mode struct {
	write    bool
	rehearse bool // the API server is asked for the effects of adopting, even where nothing is written
}

// visit brings one instance on one cluster to its desired state, as far as it may, and finds out how it does. Its steps, each a
// type of its own, work on the same target one after the other:
//
//	read the objects → rehearse an adoption → apply → assess health → prune
//
// Each request to the cluster is made by one of them. Its findings about an object are with that object, those
// about the instance are with the step, and result puts the Result together.
type visit struct {
	*target
	mode
	began time.Time

	reader      reader
	rehearsal   rehearsal
	application *application
	health      assessment
	pruning     *pruning

	overtaken bool     // somebody may have applied a later state
	foreign   *Foreign // somebody else keeps the environment on this cluster
	unproven  string   // why nothing may be written or deleted: the state is not proven to be Transom's
}

func newVisit(c *Cluster, in Instance, how mode) *visit {
	t := newTarget(c, in)
	health := assessment{t, podDiagnosis{c, c.client}}
	return &visit{
		target: t, mode: how, began: time.Now(), health: health,
		reader: reader{t}, rehearsal: rehearsal{t}, pruning: &pruning{target: t},
		application: &application{target: t, writer: writer{t, fieldOwnership{t}}, health: health},
	}
}

// run makes the visit from end to end. An error of any step ends it.
func (p *visit) run(ctx context.Context) error {
	if !p.readManifests() {
		return nil
	}
	if goes, err := p.checkLineage(ctx); err != nil || !goes {
		return err
	}
	if err := p.reader.readObjects(ctx); err != nil {
		return fmt.Errorf("look at what is there: %w", err)
	}
	if p.in.External && p.write && !p.stopped() {
		return p.follow(ctx)
	}
	writes, err := p.mayWrite(ctx)
	if err != nil {
		return err
	}
	if !writes {
		return p.health.assessHealth(ctx, p.all())
	}
	return p.bringToState(ctx)
}

// mayWrite says whether the desired objects may be written. Nothing is written before, but for the end of objects that must go
// before those that replace them.
func (p *visit) mayWrite(ctx context.Context) (bool, error) {
	if p.stopped() || !p.rehearse || p.findLaterState() {
		return false, nil
	}
	if p.write {
		if err := p.prove(ctx); err != nil || p.unproven != "" {
			return false, err
		}
	}
	if p.write {
		if p.application.checkSealed(); p.stopped() {
			return false, nil
		}
	}
	if err := p.rehearsal.rehearseAdoption(ctx); err != nil {
		return false, fmt.Errorf("try to adopt: %w", err)
	}
	if !p.write || p.stopped() || p.rehearsal.waits() {
		return false, nil
	}
	if err := p.pruning.pruneBeforeApply(ctx); err != nil {
		return false, fmt.Errorf("prune: %w", err)
	}
	return len(p.pruning.waiting) == 0, nil
}

// bringToState writes the desired objects, and prunes those that are desired no more once their replacements are healthy.
func (p *visit) bringToState(ctx context.Context) error {
	if err := p.application.prepare(ctx); err != nil {
		return fmt.Errorf("prepare: %w", err)
	}
	if err := p.application.apply(ctx); err != nil {
		return fmt.Errorf("apply: %w", err)
	}
	if err := p.health.assessHealth(ctx, p.all()); err != nil {
		return fmt.Errorf("judge: %w", err)
	}
	if err := p.deleteObstacles(ctx); err != nil {
		return fmt.Errorf("make way: %w", err)
	}
	if err := p.pruning.pruneOrphans(ctx); err != nil {
		return fmt.Errorf("prune: %w", err)
	}
	return nil
}

// findLaterState says whether another daemon may have applied a later state than this visit has: one of the objects carries a
// digest that is neither the desired one nor of our own writing, and came after that state was fetched; or it was deleted
// after that, and the inventory does not list it any more. Then nothing is written before the state is fetched again. An
// object that a later fetch confirms is ours to correct, whoever wrote the other digest. An object that a person deletes is
// still listed, and comes back at once.
func (p *visit) findLaterState() bool {
	if p.overtaken {
		return true
	}
	p.overtaken = !p.in.Fetched.IsZero() && slices.ContainsFunc(p.all(), func(d *desired) bool {
		l := d.live
		if l == nil {
			return d.watch != nil && !p.inventory.listed[d.object] && d.watch.lostSince(d.object, p.in.Fetched)
		}
		return l.digest != "" && l.digest != d.digest && l.arrived.time().After(p.in.Fetched)
	})
	return p.overtaken
}
