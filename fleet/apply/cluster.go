package apply

import (
	"context"
	"errors"

	"k8s.io/client-go/rest"
)

// Options bound what a Cluster does and say whom it tells. The zero value works.
type Options struct {
	// Concurrency bounds the requests that are under way to the cluster at one time, over all its instances; 0 is 16.
	Concurrency int

	// OnEvent is called when a watch saw something about an object of that owner that a pass should look at. An
	// owner is named only after its first Apply or Observe on this Cluster. It must not block.
	OnEvent func(Owner)

	// OnReachable is called with an error when the cluster stops answering watches, and with nil when it answers
	// again. It must not block.
	OnReachable func(error)
}

// Cluster is the connection to one cluster. It is safe for concurrent use, but for two passes over one instance.
type Cluster struct{ uid string }

// Connect reads who the cluster is and what kinds it serves. Watches start later, with the first instance that
// needs them, and end with Close.
func Connect(ctx context.Context, cfg *rest.Config, opt Options) (*Cluster, error) {
	return nil, errors.New("no cluster")
}

// UID is the identity of the cluster: the UID of its kube-system namespace.
func (c *Cluster) UID() string { return c.uid }

// Close ends all watches and waits for them.
func (c *Cluster) Close() {}

// Apply makes one pass over an instance. An error means that the cluster could not be asked: nothing may be concluded
// about the instance, and the caller tries again with backoff. What a person must mend is in Result.Problems.
func (c *Cluster) Apply(ctx context.Context, in Instance) (Result, error) { return Result{}, nil }

// Observe is Apply without any write, for clusters that are paused.
func (c *Cluster) Observe(ctx context.Context, in Instance) (Result, error) { return Result{}, nil }

// Owners lists whose inventories of an environment the cluster holds, sorted.
func (c *Cluster) Owners(ctx context.Context, environment string) ([]Owner, error) { return nil, nil }
