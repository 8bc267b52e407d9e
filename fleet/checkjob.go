package fleet

import (
	"context"
	"errors"
	"fmt"

	"transom.dev/fleet/apply"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// A checker runs the Jobs of checks beside instances. A member that is none runs none.
type checker interface {
	RunCheck(ctx context.Context, in apply.Instance, of apply.CheckJob) (apply.CheckResult, error)
	SweepChecks(ctx context.Context, in apply.Instance) error
}

// ErrMovedOn says that a placement is not at the revision any more beside which a Job was to run.
var ErrMovedOn = errors.New("does not run this revision any more")

// RunCheck runs the Job of a check beside a placement to its end, and has it deleted then. It runs only where the placement is at
// exactly that revision (state.Placement.Observed), and has a result only where it is so at the end still. An error says that there is none.
func (f *Fleet) RunCheck(ctx context.Context, p Placement, revision string, of apply.CheckJob) (result apply.CheckResult, err error) {
	err = f.check(ctx, p, func(ctx context.Context, c checker, as *assignment) error {
		in, err := at(p, revision, as)
		if err != nil {
			return err
		}
		result, err = c.RunCheck(ctx, opening(in, f), of) // image pull secrets
		return err
	})
	if err == nil {
		err = f.check(ctx, p, func(_ context.Context, _ checker, as *assignment) error {
			_, err := at(p, revision, as)
			return err
		})
	}
	if err != nil {
		return apply.CheckResult{}, err
	}
	return result, nil
}

// at is the instance of a placement, if that is at a revision.
func at(p Placement, revision string, as *assignment) (apply.Instance, error) {
	in, err := as.instance(p.owner())
	if err == nil && (in.Absent || state.ObservedAs(in.Revision, in.Anew) != revision) {
		err = fmt.Errorf("%s %w", p.Cluster, ErrMovedOn)
	}
	return in, err
}

// SweepChecks deletes the Jobs of checks that a daemon before this one left beside the instances of an environment on a cluster.
func (f *Fleet) SweepChecks(ctx context.Context, environment, cluster string) error {
	return f.check(ctx, Placement{Environment: environment, Cluster: cluster}, func(ctx context.Context, c checker, as *assignment) error {
		in := apply.Instance{Owner: apply.Owner{Environment: environment}, State: as.state(), Lineage: as.Lineage}
		return c.SweepChecks(ctx, in)
	})
}

// check lends the connection to a placement's cluster to whoever writes there beside an environment's instances.
func (f *Fleet) check(ctx context.Context, p Placement, do func(context.Context, checker, *assignment) error) error {
	return f.lend(ctx, p, func(ctx context.Context, m member, as *assignment) error {
		c, ok := m.(checker)
		switch {
		case !ok:
			return errors.New("no Job is run there")
		case as.cluster.State == platform.ClusterPaused:
			return fmt.Errorf("cluster %s is paused", p.Cluster)
		case as.External:
			return fmt.Errorf("another agent applies %s", p.Environment)
		}
		return do(ctx, c, as)
	})
}
