package apply

import (
	"context"
	"fmt"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"transom.dev/render/state"
)

// bodies are the objects of built-in kinds that a version's health entry assesses, as they were read last. Watches keep no more
// of such an object than of any other, so it is read anew whenever the watch has seen it change.
type bodies struct {
	mu       sync.Mutex
	byObject map[Object]*live
	bytes    int // of their fields
}

// mostBodyBytes bounds the memory of bodies: more than that and all are forgotten, also those whose objects are gone.
const mostBodyBytes = 64 << 20

// get is an object as it was read, if it has not changed since; nil: it is to be read.
func (b *bodies) get(o Object, seen *live) *live {
	b.mu.Lock()
	defer b.mu.Unlock()
	known := b.byObject[o]
	if known == nil || known.id != seen.id || older(known.version, seen.version) {
		return nil
	}
	return known
}

// put keeps an object as it was read.
func (b *bodies) put(o Object, whole *live) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if old := b.byObject[o]; old != nil {
		b.bytes -= bytesOf(old.body)
	}
	size := bytesOf(whole.body)
	if b.bytes+size > mostBodyBytes {
		clear(b.byObject)
		b.bytes = 0
	}
	b.byObject[o] = whole
	b.bytes += size
}

// bytesOf is about how much memory the fields of an object take.
func bytesOf(value any) int {
	size := 16
	switch value := value.(type) {
	case map[string]any:
		for name, field := range value {
			size += len(name) + 16 + bytesOf(field)
		}
	case []any:
		for _, item := range value {
			size += bytesOf(item)
		}
	case string:
		size += len(value)
	}
	return size
}

// assessBuiltin assesses an object of a built-in kind by the version's health entry.
func (a assessment) assessBuiltin(ctx context.Context, d *desired, applied bool) (state.Health, string, error) {
	if applied {
		if d.live.byStatus.behind {
			return state.Progressing, notSeen, nil
		}
		return state.Healthy, "", nil
	}
	a.cluster.subscribers.assess(a.in.Owner, d.gvk.GroupKind())
	whole, err := a.readBody(ctx, d)
	switch {
	case err != nil:
		return state.Unknown, "", err
	case whole == nil:
		d.again = true
		return state.Progressing, "is gone", nil
	case whole.digest != d.digest:
		d.again = true
		return state.Progressing, "the cluster has another revision of it", nil
	}
	seen := d.live
	d.live = whole
	health, message := a.assessCustom(d)
	d.live = seen
	return health, message, nil
}

// readBody reads an object whole, unless it was read as it is known to be now; nil: it does not exist.
func (a assessment) readBody(ctx context.Context, d *desired) (*live, error) {
	if known := a.cluster.health.bodies.get(d.object, d.live); known != nil {
		return known, nil
	}
	var whole *live
	err := a.client.request(ctx, func(ctx context.Context) error {
		u, err := a.readWhole(ctx, d)
		if err == nil {
			whole = reduceForEntry(u, d.live)
		}
		return err
	})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", d.object, err)
	}
	a.cluster.health.bodies.put(d.object, whole)
	return whole, nil
}

// readWhole asks for an object as a health expression may read it: of a Secret that is its metadata, and no value.
func (a assessment) readWhole(ctx context.Context, d *desired) (*unstructured.Unstructured, error) {
	if d.gvk.GroupKind() == (schema.GroupKind{Kind: "Secret"}) {
		m, err := a.client.metadataOf(d.kind, d.object.Namespace).Get(ctx, d.object.Name, metav1.GetOptions{})
		if err != nil {
			return nil, err
		}
		body, err := runtime.DefaultUnstructuredConverter.ToUnstructured(m)
		u := &unstructured.Unstructured{Object: body}
		u.SetGroupVersionKind(d.gvk)
		return u, err
	}
	return a.client.wholeOf(d.kind, d.object.Namespace).Get(ctx, d.object.Name, metav1.GetOptions{})
}
