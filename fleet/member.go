package fleet

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1 "k8s.io/client-go/kubernetes/typed/core/v1"

	"transom.dev/fleet/apply"
)

// A member is a cluster that answers: what an agent asks of it.
type member interface {
	UID(ctx context.Context) (string, error) // asked anew each time
	Apply(ctx context.Context, in apply.Instance) (apply.Result, error)
	Look(ctx context.Context, in apply.Instance) (apply.Result, error)
	Observe(ctx context.Context, in apply.Instance) (apply.Result, error)
	Owners(ctx context.Context, environment string) ([]apply.Owner, error)
	Checkpoint(ctx context.Context, in apply.Instance, checkpoint apply.Checkpoint) error
	Close()
}

// A dialer connects to a cluster.
type dialer func(ctx context.Context, cluster string, tell events) (member, error)

// events are what a member calls when something happens on its cluster. They do not block.
type events struct {
	instance func(apply.Owner) // something about its objects
	doubt    func()            // the cluster may have gone away
}

// real is a member behind an API server.
type real struct {
	*apply.Cluster
	namespaces corev1.NamespaceInterface
}

func (f *Fleet) dialApply(ctx context.Context, cluster string, tell events) (member, error) {
	config, err := f.Connect(ctx, cluster)
	if err != nil {
		return nil, err
	}
	client, err := corev1.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("read the connection settings of %s: %w", cluster, err)
	}
	c, err := apply.Connect(ctx, config, apply.Options{
		OnEvent: tell.instance,
		OnReachable: func(err error) {
			if err != nil {
				tell.doubt()
			}
		},
	})
	if err != nil {
		return nil, err
	}
	return real{Cluster: c, namespaces: client.Namespaces()}, nil
}

// UID asks for the UID of the kube-system namespace, which lives as long as its cluster.
func (r real) UID(ctx context.Context) (string, error) {
	namespace, err := r.namespaces.Get(ctx, metav1.NamespaceSystem, metav1.GetOptions{})
	if err != nil {
		return "", err
	}
	return string(namespace.UID), nil
}
