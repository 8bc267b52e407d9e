package apply

import (
	"maps"
	"reflect"
	"slices"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/resourceversion"
)

// objectWatch has the cluster's objects of one kind that carry our label, reduced.
type objectWatch struct {
	*stream
	kind     *kind
	changed  func(Owner)      // an object of that owner is not as it was
	assessed func(Owner) bool // an owner's version says itself when objects of the kind are healthy

	mu      sync.Mutex
	objects map[key]*live
	lost    map[key]time.Time // when objects were deleted, by our clock; forgotten after a while
}

func newObjectWatch(k *kind, changed func(Owner), assessed func(Owner) bool) *objectWatch {
	return &objectWatch{kind: k, changed: changed, assessed: assessed, objects: map[key]*live{}, lost: map[key]time.Time{}}
}

func (w *objectWatch) reduce(object any) any {
	var shared *Shared
	if w.stream != nil {
		shared = w.shared
	}
	l := w.reduceKind(object, shared)
	l.arrive()
	shared.unify(l)
	return l
}

func (w *objectWatch) reduceKind(object any, shared *Shared) *live {
	if o := withoutTemplate(object); o != nil {
		return reduceWorkload(w.kind.gvk, o, shared)
	}
	if u, whole := object.(*unstructured.Unstructured); whole {
		return reduceWhole(u)
	}
	return reduceMeta(w.kind.gvk.GroupKind(), object.(metav1.Object))
}

func (w *objectWatch) get(o Object) *live {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.objects[key{o.Namespace, o.Name}]
}

func (w *objectWatch) put(k key, value any) {
	l := value.(*live)
	w.mu.Lock()
	old := w.objects[k]
	if old != nil && older(l.version, old.version) {
		w.mu.Unlock()
		return
	}
	l.carryOver(old)
	w.objects[k] = l
	w.mu.Unlock()
	w.compare(old, l)
}

// putAnswer records the API server's answer to a write of ours, before the watch sees it.
func (w *objectWatch) putAnswer(k key, l *live) *live {
	w.mu.Lock()
	defer w.mu.Unlock()
	old := w.objects[k]
	if old != nil && older(l.version, old.version) {
		return old
	}
	l.carryOver(old)
	l.write()
	w.objects[k] = l
	return l
}

// markCovered records that the field set of an object covers the desired fields.
func (w *objectWatch) markCovered(k key, l *live) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.objects[k] != l {
		return
	}
	next := *l
	next.cover()
	w.objects[k] = &next
}

func (w *objectWatch) remove(k key, version string) {
	w.mu.Lock()
	old := w.objects[k]
	if old == nil || older(version, old.version) {
		w.mu.Unlock()
		return
	}
	delete(w.objects, k)
	w.recordLoss(k)
	w.mu.Unlock()
	w.compare(old, nil)
}

// recordLoss records that an object is gone; the caller holds the lock.
func (w *objectWatch) recordLoss(k key) {
	now := time.Now()
	maps.DeleteFunc(w.lost, func(_ key, at time.Time) bool { return now.Sub(at) > lossesKept })
	w.lost[k] = now
}

// lossesKept is for how long deletions are remembered: longer than a daemon goes without fetching new commits.
const lossesKept = time.Hour

// lostSince says whether an object was deleted after a time, as far as this watch saw.
func (w *objectWatch) lostSince(o Object, t time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.lost[key{o.Namespace, o.Name}].After(t)
}

// replace takes a list, which may come from a cache that is behind the answers to our own writes.
func (w *objectWatch) replace(all map[key]any, version string) {
	after := make(map[key]*live, len(all))
	w.mu.Lock()
	before := w.objects
	for k, value := range all {
		l := value.(*live)
		l.carryOver(before[k])
		after[k] = l
	}
	for k, old := range before {
		if older(version, old.version) {
			after[k] = old
		}
	}
	for k := range before {
		if after[k] == nil {
			w.recordLoss(k)
		}
	}
	w.objects = maps.Clone(after)
	w.mu.Unlock()
	for k, old := range before {
		w.compare(old, after[k])
	}
	for k, l := range after {
		if before[k] == nil {
			w.compare(nil, l)
		}
	}
}

// compare tells the owners if a visit could come to something else than before.
func (w *objectWatch) compare(old, l *live) {
	switch {
	case old == nil:
		w.changed(l.labels.owner)
	case l == nil:
		w.changed(old.labels.owner)
	case l.differs(old), l.version != old.version && w.assessed(l.labels.owner):
		w.changed(l.labels.owner)
		if old.labels.owner != l.labels.owner {
			w.changed(old.labels.owner)
		}
	}
}

// differs says whether a visit could come to another result by an object than by the one before.
func (l *live) differs(old *live) bool {
	return l.id != old.id || l.labels != old.labels || l.digest != old.digest || l.deleting != old.deleting ||
		l.fields != old.fields || !slices.Equal(l.dataKeys, old.dataKeys) ||
		*l.byStatus != *old.byStatus || l.seen() != old.seen() || !slices.EqualFunc(l.added, old.added, addition.same) ||
		(l.seenVersion != old.seenVersion && !reflect.DeepEqual(l.body, old.body))
}

// older says whether resourceVersion a is surely before b.
func older(a, b string) bool {
	order, err := resourceversion.CompareResourceVersion(a, b)
	return err == nil && order < 0
}
