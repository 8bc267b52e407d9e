package apply

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var crds = &kind{
	gvk:      schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"},
	resource: schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"},
}

// arrivalWatch sees CRDs come and change, whoever makes them, and lets those look again that wait for a kind. It
// starts with the first that waits, and keeps none of them.
type arrivalWatch struct {
	*stream
	kinds       *kinds
	subscribers *subscribers
}

func newArrivalWatch(c *client, s *subscribers) *arrivalWatch {
	w := &arrivalWatch{kinds: c.kinds, subscribers: s}
	w.stream = newStream("arriving CRDs", selected(c.metadata.Resource(crds.resource), ""), w)
	return w
}

func (w *arrivalWatch) reduce(object any) any { return object.(metav1.Object).GetResourceVersion() }

func (w *arrivalWatch) put(key, any) { w.arrived() }

func (w *arrivalWatch) remove(key, string) { w.kinds.expire() }

func (w *arrivalWatch) replace(map[key]any, string) { w.arrived() }

// arrived has the next visit that needs a kind ask the cluster for its kinds, and tells the owners that wait for one.
func (w *arrivalWatch) arrived() {
	w.kinds.expire()
	w.subscribers.notifyWaiting()
}
