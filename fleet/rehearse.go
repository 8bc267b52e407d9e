package fleet

import (
	"context"
	"fmt"

	"k8s.io/client-go/rest"

	"transom.dev/fleet/apply"
)

// Rehearse asks the clusters of a target how taking over the objects that exist there would change them, and writes
// nothing. It looks at the instances whose request adopts, at those that begin, and at one of each team whose namespace
// may be adopted. The error of a cluster that does not answer is in the Result of each instance there; an error means that
// the snapshot cannot be read.
func Rehearse(ctx context.Context, t Target, connect func(ctx context.Context, cluster string) (*rest.Config, error)) ([]Result, error) {
	assigned, _, err := t.assignments(nil)
	if err != nil {
		return nil, err
	}
	var all []Result
	for _, c := range t.Clusters {
		instances, err := assigned[c.Name].adopting(t.Begins)
		if err != nil {
			return nil, err
		}
		if len(instances) > 0 {
			all = append(all, rehearse(ctx, c.Name, instances, connect)...)
		}
	}
	return all, nil
}

// adopting lists the instances that may take something over.
func (a *assignment) adopting(begins func(apply.Owner) bool) (list []apply.Instance, err error) {
	teams := map[string]bool{}
	for _, o := range a.owners() {
		in, err := a.instance(o)
		if err != nil {
			return nil, err
		}
		first := begins != nil && begins(o)
		namespace := !teams[o.Team] && len(in.AdoptNamespaces) > 0
		if in.Adopt || first || namespace {
			teams[o.Team] = true
			list = append(list, in)
		}
	}
	return list, nil
}

func rehearse(ctx context.Context, cluster string, instances []apply.Instance, connect func(context.Context, string) (*rest.Config, error)) []Result {
	config, err := connect(ctx, cluster)
	var c *apply.Cluster
	if err == nil {
		c, err = apply.Connect(ctx, config, apply.Options{})
	}
	if err == nil {
		defer c.Close()
	} else {
		err = fmt.Errorf("connect to %s: %w", cluster, err)
	}
	var results []Result
	for _, in := range instances {
		r := Result{
			Placement: Placement{Environment: in.Environment, Cluster: cluster, Team: in.Team, Request: in.Request},
			Commit:    in.State.Commit, Revision: in.Revision, Observed: true, Err: err,
		}
		if err == nil {
			r.Result, r.Err = c.Rehearse(ctx, in)
		}
		r.clean()
		results = append(results, r)
	}
	return results
}
