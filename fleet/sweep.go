package fleet

import (
	"context"
	"slices"

	"k8s.io/apimachinery/pkg/util/wait"

	"transom.dev/fleet/apply"
)

// everything is the entry of the queue for a sweep of all instances of an environment.
func everything(environment string) apply.Owner { return apply.Owner{Environment: environment} }

// inventoriesOf is the entry of the queue for the instances of an environment that have no more than an inventory. No team has that name.
func inventoriesOf(environment string) apply.Owner {
	return apply.Owner{Environment: environment, Team: "*"}
}

// sweep queues all instances of an environment: those that have a placement here, those whose removal is recorded, and
// those that only have an inventory, because they were removed while nobody looked. The first one is visited, which has its kinds of objects
// watched on a new connection; the others are looked at, which is enough for nearly all.
func (a *agent) sweep(ctx context.Context, conn *connection, as *assignment, o apply.Owner) error {
	all := slices.Concat(as.owners(), as.removed())
	for i, known := range all {
		why := swept
		if i == 0 {
			why = due
		}
		a.queue.add(known, why)
	}
	if len(all) == 0 {
		conn.endFirst()
	}
	if err := a.sweepInventories(ctx, conn, as); err != nil {
		return err
	}
	a.queue.addAfter(o, due, wait.Jitter(sweepEvery, 0.3))
	return nil
}

// sweepInventories queues the instances of an environment that have an inventory here, and neither a placement nor the record of a
// removal.
func (a *agent) sweepInventories(ctx context.Context, conn *connection, as *assignment) error {
	present, err := conn.Owners(ctx, as.Environment)
	if err != nil {
		return err
	}
	for _, p := range present {
		if p.Request != "" && !as.hasManifests(p) && !as.recordsRemoval(p) { // a namespace stays
			a.queue.add(p, due)
		}
	}
	return nil
}
