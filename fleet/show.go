package fleet

import (
	"context"
	"fmt"
	"io"

	"transom.dev/fleet/apply"
)

// A shower shows people the pods behind a placement. A member that is none has no pods.
type shower interface {
	Pods(ctx context.Context, o apply.Owner, namespaces []string) ([]apply.Pod, error)
	Happenings(ctx context.Context, o apply.Owner, objects []apply.Object) ([]apply.Happening, error)
	OpenLog(ctx context.Context, l apply.Log) (io.ReadCloser, error)
	Live(ctx context.Context, o apply.Owner, objects []apply.Named) ([]map[string]any, error)
}

// Live reads objects of a placement as its cluster has them.
func (f *Fleet) Live(ctx context.Context, p Placement, objects []apply.Named) (all []map[string]any, err error) {
	err = f.show(ctx, p, func(ctx context.Context, s shower) (err error) {
		all, err = s.Live(ctx, p.owner(), objects)
		return err
	})
	return all, err
}

// Pods lists the pods of a placement in some namespaces.
func (f *Fleet) Pods(ctx context.Context, p Placement, namespaces []string) (pods []apply.Pod, err error) {
	err = f.show(ctx, p, func(ctx context.Context, s shower) (err error) {
		pods, err = s.Pods(ctx, p.owner(), namespaces)
		return err
	})
	return pods, err
}

// Happenings lists the Events about objects of a placement and their pods, the latest first.
func (f *Fleet) Happenings(ctx context.Context, p Placement, objects []apply.Object) (all []apply.Happening, err error) {
	err = f.show(ctx, p, func(ctx context.Context, s shower) (err error) {
		all, err = s.Happenings(ctx, p.owner(), objects)
		return err
	})
	return all, err
}

// ReadLog hands the log of a container to a function, until that returns. The log ends with ctx, and when the connection to the
// cluster ends.
func (f *Fleet) ReadLog(ctx context.Context, p Placement, l apply.Log, read func(io.Reader) error) error {
	return f.show(ctx, p, func(ctx context.Context, s shower) error {
		log, err := s.OpenLog(ctx, l)
		if err != nil {
			return err
		}
		defer func() { _ = log.Close() }()
		return read(log)
	})
}

func (p Placement) owner() apply.Owner {
	return apply.Owner{Environment: p.Environment, Team: p.Team, Request: p.Request}
}

// show lends the connection to a placement's cluster to whoever shows pods.
func (f *Fleet) show(ctx context.Context, p Placement, do func(context.Context, shower) error) error {
	return f.lend(ctx, p, func(ctx context.Context, m member, _ *assignment) error {
		s, ok := m.(shower)
		if !ok {
			return fmt.Errorf("cluster %s shows no pods", p.Cluster)
		}
		return do(ctx, s)
	})
}

// lend lends the connection to a placement's cluster, if the cluster answers and is the one that the environment knows. The loan ends
// with the connection.
func (f *Fleet) lend(ctx context.Context, p Placement, do func(context.Context, member, *assignment) error) error {
	f.mu.Lock()
	a := f.agents[p.Cluster]
	f.mu.Unlock()
	if a == nil {
		return fmt.Errorf("no environment has a cluster %s", p.Cluster)
	}
	c, ok := a.link.current()
	if !ok {
		return fmt.Errorf("cluster %s is not reachable at the moment", p.Cluster)
	}
	defer c.release()
	as := a.assignments.of(p.Environment)
	if as == nil || !as.writesTo(c.uid) {
		return fmt.Errorf("environment %s is not written to cluster %s: its status says why", p.Environment, p.Cluster)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(c.ctx, cancel)()
	return do(ctx, c.member, as)
}
