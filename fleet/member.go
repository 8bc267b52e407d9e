package fleet

import (
	"context"

	"transom.dev/fleet/apply"
	"transom.dev/fleet/credential"
)

// A member is a cluster that answers, with the requests that an agent makes of it.
type member interface {
	UID(ctx context.Context) (string, error) // asked anew each time
	Apply(ctx context.Context, in apply.Instance) (apply.Result, error)
	Look(ctx context.Context, in apply.Instance) (apply.Result, error)
	Try(ctx context.Context, in apply.Instance, r *apply.Refusal) (refused bool, err error)
	Observe(ctx context.Context, in apply.Instance) (apply.Result, error)
	Owners(ctx context.Context, environment string) ([]apply.Owner, error)
	Checkpoint(ctx context.Context, in apply.Instance, checkpoint apply.Checkpoint) error
	Record(ctx context.Context, o apply.Owner, n apply.News) error
	Credential() *credential.Credential // nil: nothing is known about it
	Version() string
	Width() int   // how many requests may be under way at present
	Queues() bool // some of its objects cannot be listed before other clusters' are
	Close()
}

// A dialer connects to a cluster.
type dialer func(ctx context.Context, cluster string, own bool, on events) (member, error)

// events are the functions that a member calls when something happens on its cluster. They do not block.
type events struct {
	instance    func(apply.Owner) // something about its objects
	unreachable func()            // the cluster may have gone away
}

// real is a member behind an API server.
type real struct {
	*apply.Cluster
	credential *credential.Credential
}

func (f *Fleet) dialApply(ctx context.Context, cluster string, own bool, on events) (member, error) {
	way, err := f.Connect(ctx, cluster, own)
	if err != nil {
		return nil, err
	}
	c, err := apply.Connect(ctx, way.Config, apply.Options{
		Limits:  f.Limits,
		Shared:  &f.shared,
		OnEvent: on.instance,
		OnReachable: func(err error) {
			if err != nil {
				on.unreachable()
			}
		},
	})
	if err != nil {
		return nil, err
	}
	return real{c, way}, nil
}

// Credential is the one that the connection was made with.
func (r real) Credential() *credential.Credential { return r.credential }

// UID asks the cluster who it is.
func (r real) UID(ctx context.Context) (string, error) { return r.Identify(ctx) }
