package apply

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// target is one instance on one cluster: the objects that its state has, each with the live object beside it, and the
// instance's inventory. Every step of a visit works on it.
type target struct {
	cluster   *Cluster
	client    *client
	in        Instance
	inventory *instanceInventory
	fence     *fence

	teamObjects []*desired       // of the namespace file: the team's Namespace and the objects that the environment adds to it
	objects     []*desired       // of the instance itself
	scaled      map[Object]int64 // by another object of the instance, with its fewest replicas

	problems []Problem // of the instance as a whole
	adoption *Adoption // that waits for a person; nil: none does
}

func newTarget(c *Cluster, in Instance) *target {
	t := &target{cluster: c, client: c.client, in: in}
	t.fence = &fence{cluster: c, client: c.client, in: &t.in}
	t.inventory = &instanceInventory{client: c.client, all: c.inventories, fence: t.fence, in: &t.in}
	return t
}

// all are all desired objects, those of the namespace file first.
func (t *target) all() []*desired { return append(slices.Clip(t.teamObjects), t.objects...) }

// stopped says whether a person must mend something before anything may be written.
func (t *target) stopped() bool {
	return len(t.problems) > 0 || slices.ContainsFunc(t.all(), func(d *desired) bool { return d.fault != "" })
}

// refuse records a problem of the instance as a whole.
func (t *target) refuse(format string, args ...any) {
	t.problems = append(t.problems, Problem{Message: fmt.Sprintf(format, args...)})
}

// healthEntry is the version's health entry for an object's kind, nil if it has none.
func (t *target) healthEntry(d *desired) *platform.Health {
	for i := range t.in.Health {
		if h := &t.in.Health[i]; h.Group == d.object.Group && h.Kind == d.object.Kind {
			return h
		}
	}
	return nil
}

// behind is the health of an object that is not at its desired revision. Where another agent has not applied it yet, that
// is nobody's failure: it is unknown when the agent will, and no deadline runs.
func (t *target) behind(message string) (state.Health, string) {
	if t.in.External {
		return state.Unknown, message + ": the agent that applies this environment has not applied it yet"
	}
	return state.Progressing, message
}

func (t *target) isTeamObject(d *desired) bool { return slices.Contains(t.teamObjects, d) }

// outside says whether an object lies outside the namespace of the instance's team, where only a cluster-scoped version
// reaches.
func (t *target) outside(d *desired) bool {
	inside := d.object.Namespace != "" && d.object.Namespace == t.in.Namespace
	return t.in.Scope == platform.ClusterScoped && !inside
}

// each calls do for every object side by side; the requests that do makes are bounded by the client. In a Look, which makes none, they
// come one after the other. The first error ends the rest.
func each[T any](ctx context.Context, all []T, do func(context.Context, T) error) error {
	if mayRequest(ctx) != nil {
		for _, one := range all {
			if err := do(ctx, one); err != nil {
				return err
			}
		}
		return nil
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(256)
	for _, one := range all {
		group.Go(func() error { return do(ctx, one) })
	}
	return group.Wait()
}

// writerOf is the client that writes a desired object.
func (t *target) writerOf(d *desired) *objectWriter {
	if t.isTeamObject(d) {
		return t.client.writers.own
	}
	return t.writerTo(d.object)
}

// writerTo is the client that writes an object of the instance itself. Where nobody may, it makes no request.
func (t *target) writerTo(o Object) *objectWriter {
	if t.in.Accounts == nil {
		return t.client.writers.own
	}
	a, err := t.in.accountOf(o, t.scope())
	var w *objectWriter
	if err == nil {
		w, err = t.client.writers.as(a)
	}
	if err != nil {
		return &objectWriter{client: t.client, account: a, refused: err}
	}
	return w
}

// scope is that of the instance's version, of which the inventory alone may know once the Release file is gone.
func (t *target) scope() platform.Scope {
	if t.in.Absent {
		return cmp.Or(t.in.Scope, t.inventory.scope)
	}
	return t.in.Scope
}

// awaitsRights says whether a refusal is about rights of the account that may have come with the namespace file just now.
func (t *target) awaitsRights(err error) bool {
	var denied *deniedError
	at, written := t.cluster.granted.Load(t.in.Namespace)
	return errors.As(err, &denied) && written && time.Since(at.(time.Time)) < grantedWithin
}
