package apply

import (
	"context"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"

	"transom.dev/render/state"
)

// watches are the streams of one cluster: one per kind whose objects are watched, and those of inventories, pods and CRDs. Each
// starts with the first visit that needs it, and all end with close.
type watches struct {
	client      *client
	subscribers *subscribers
	shared      *Shared
	onReachable func(error) // nil: nobody listens
	relistAfter time.Duration

	mu      sync.Mutex
	byKind  map[schema.GroupVersionKind]*objectWatch
	broken  map[*stream]error // streams that the cluster does not answer
	started map[*stream]bool
	cancels []context.CancelFunc
	closed  bool
	running sync.WaitGroup
}

func newWatches(c *client, s *subscribers, shared *Shared, onReachable func(error)) *watches {
	return &watches{
		client: c, subscribers: s, shared: shared, onReachable: onReachable, relistAfter: relistAfter,
		byKind: map[schema.GroupVersionKind]*objectWatch{}, broken: map[*stream]error{}, started: map[*stream]bool{},
	}
}

// close ends all streams and waits for them.
func (w *watches) close() {
	w.mu.Lock()
	w.closed = true
	for _, cancel := range w.cancels {
		cancel()
	}
	w.mu.Unlock()
	w.running.Wait()
}

// begin starts a stream if it is not yet running.
func (w *watches) begin(s *stream) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.start(s)
}

// start is begin for a caller that holds the lock.
func (w *watches) start(s *stream) {
	if w.closed {
		s.hasBegun()
	}
	if w.started[s] || w.closed {
		return
	}
	w.started[s] = true
	ctx, cancel := context.WithCancel(context.Background())
	w.cancels = append(w.cancels, cancel)
	s.attach(w)
	w.running.Go(func() { s.run(ctx) })
}

// queue says whether a stream that was started waits for its first turn.
func (w *watches) queue() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for s := range w.started {
		select {
		case <-s.begun:
		default:
			return true
		}
	}
	return false
}

// reached keeps count of the streams that get no answer, and tells when the first falls silent and the last is back.
func (w *watches) reached(s *stream, err error) {
	w.mu.Lock()
	before := len(w.broken)
	if err != nil && !answered(err) {
		w.broken[s] = err
	} else {
		delete(w.broken, s)
	}
	after := len(w.broken)
	w.mu.Unlock()
	if w.onReachable != nil && (before == 0) != (after == 0) {
		if after == 0 {
			err = nil
		}
		w.onReachable(err)
	}
}

// of returns the watch of a kind, and starts it if it is the first that wants it.
func (w *watches) of(k *kind) *objectWatch {
	w.mu.Lock()
	defer w.mu.Unlock()
	if known := w.byKind[k.gvk]; known != nil {
		return known
	}
	assessed := func(o Owner) bool { return w.subscribers.assesses(o, k.gvk.GroupKind()) }
	objects := newObjectWatch(k, w.subscribers.notify, assessed)
	objects.stream = newStream(k.resource.String(), w.labelled(k), objects)
	objects.whenUnknown(func() { w.drop(objects) })
	w.byKind[k.gvk] = objects
	w.start(objects.stream)
	return objects
}

// labelled selects our objects, but for inventories, which have a watch of their own. Workloads are many and long, so that they are read
// in the form that is decoded fastest.
func (w *watches) labelled(k *kind) source {
	const selector = state.LabelManagedBy + "=" + manager + ",!" + inventoryLabel
	switch workloads := w.client.apps; k.gvk {
	case appsv1.SchemeGroupVersion.WithKind("Deployment"):
		return selected(workloads.Deployments(metav1.NamespaceAll), selector)
	case appsv1.SchemeGroupVersion.WithKind("StatefulSet"):
		return selected(workloads.StatefulSets(metav1.NamespaceAll), selector)
	case appsv1.SchemeGroupVersion.WithKind("DaemonSet"):
		return selected(workloads.DaemonSets(metav1.NamespaceAll), selector)
	}
	if wantsWhole(k.gvk.GroupKind()) {
		return selected(w.client.dynamic.Resource(k.resource), selector)
	}
	return selected(w.client.metadata.Resource(k.resource), selector)
}

// lister lists and watches objects of one kind, as the clients of client-go do.
type lister[L runtime.Object] interface {
	List(context.Context, metav1.ListOptions) (L, error)
	Watch(context.Context, metav1.ListOptions) (watch.Interface, error)
}

// selected is the source of the objects that a label selector matches.
func selected[L runtime.Object](objects lister[L], selector string) source {
	return source{
		list: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			o.LabelSelector = selector
			return objects.List(ctx, o)
		},
		watch: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			o.LabelSelector = selector
			return objects.Watch(ctx, o)
		},
	}
}

// drop forgets the watch of a kind that the cluster does not serve any more, and lets the owners of its objects look.
func (w *watches) drop(objects *objectWatch) {
	w.client.kinds.forget(objects.kind)
	w.mu.Lock()
	delete(w.byKind, objects.kind.gvk)
	w.mu.Unlock()
	objects.replace(nil, "")
	objects.turn(errUnserved)
}
