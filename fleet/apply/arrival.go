package apply

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
)

var crds = &kind{
	gvk:      schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"},
	resource: schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"},
}

// arrivalWatch sees CRDs come and change, whoever makes them, and lets those look again that wait for a kind. It
// starts with the first that waits, and keeps none of them.
type arrivalWatch struct {
	*stream
	cluster *Cluster
}

func newArrivalWatch(c *Cluster) *arrivalWatch {
	w := &arrivalWatch{cluster: c}
	w.stream = newStream("arriving CRDs", source{
		list: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			return c.metadata.Resource(crds.resource).List(ctx, o)
		},
		watch: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			return c.metadata.Resource(crds.resource).Watch(ctx, o)
		},
	}, w)
	return w
}

func (w *arrivalWatch) reduce(object any) any { return object.(metav1.Object).GetResourceVersion() }

func (w *arrivalWatch) put(key, any) { w.arrived() }

func (w *arrivalWatch) remove(key, string) { w.cluster.kinds.expire() }

func (w *arrivalWatch) replace(map[key]any, string) { w.arrived() }

func (w *arrivalWatch) arrived() {
	w.cluster.kinds.expire()
	w.cluster.notifyWaiting()
}
