package apply

import (
	"cmp"
	"slices"
	"sync"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"transom.dev/render/state"
)

// pod is a pod, reduced to its owners and its ailment.
type pod struct {
	uid      types.UID
	labels   labels.Set
	owners   []types.UID
	made     time.Time // by the API server's clock
	severity int       // how bad it is; 0 is well
	why      string
	stuck    bool // no wait by itself gets it started
	deleting bool // it is being deleted

	unstarted bool      // no container of it has ever started, nor will one without a change
	since     time.Time // when the watch first saw it unstarted, by our clock
}

// podWatch has pods: those with the labels of an instance, which it watches, or those without, which are listed.
type podWatch struct {
	*stream     // nil: they are listed, and only those that ail are kept
	subscribers *subscribers

	mu         sync.Mutex
	namespaces map[string]map[string]*pod
	revisions  map[types.UID]known     // the present ones of workloads
	lists      map[types.UID]time.Time // when the pods of a workload were listed last
}

// newPods is for pods that are listed.
func newPods() *podWatch {
	return &podWatch{namespaces: map[string]map[string]*pod{}, revisions: map[types.UID]known{}, lists: map[types.UID]time.Time{}}
}

// newPodWatch watches the pods of instances, by their labels.
func newPodWatch(c *client, s *subscribers) *podWatch {
	w := newPods()
	w.subscribers = s
	w.stream = newStream("pods", selected(c.core.Pods(""), state.LabelRequest), w)
	return w
}

func (w *podWatch) reduce(object any) any {
	full := object.(*v1.Pod)
	p := &pod{
		uid: full.UID, labels: full.Labels, made: full.CreationTimestamp.Time, deleting: full.DeletionTimestamp != nil,
		unstarted: neverStarts(full), since: time.Now(),
	}
	for _, o := range full.OwnerReferences {
		p.owners = append(p.owners, o.UID)
	}
	p.severity, p.why, p.stuck = ailment(full)
	return p
}

func (w *podWatch) put(k key, value any) {
	w.mu.Lock()
	old := w.namespaces[k.namespace][k.name]
	w.mu.Unlock()
	w.store(k, value.(*pod), old)
}

// store stores a pod as it is now, given how it was seen last.
func (w *podWatch) store(k key, p, old *pod) {
	p.follow(old)
	w.mu.Lock()
	if w.namespaces[k.namespace] == nil {
		w.namespaces[k.namespace] = map[string]*pod{}
	}
	if w.namespaces[k.namespace][k.name] = p; w.stream == nil && p.severity == 0 && !p.deleting {
		delete(w.namespaces[k.namespace], k.name)
	}
	w.mu.Unlock()
	if p.differs(old) && w.stream != nil {
		w.tell(p)
	}
}

func (w *podWatch) remove(k key, _ string) {
	w.mu.Lock()
	old := w.namespaces[k.namespace][k.name]
	delete(w.namespaces[k.namespace], k.name)
	w.mu.Unlock()
	if old != nil && old.why != "" {
		w.tell(old)
	}
}

// replace takes the whole list at once: a visit meanwhile would find no pod that ails, and nobody would tell it of those that did before.
func (w *podWatch) replace(all map[key]any, _ string) {
	after := map[string]map[string]*pod{}
	for k, value := range all {
		if after[k.namespace] == nil {
			after[k.namespace] = map[string]*pod{}
		}
		after[k.namespace][k.name] = value.(*pod)
	}
	w.mu.Lock()
	before := w.namespaces
	for k, value := range all {
		value.(*pod).follow(before[k.namespace][k.name])
	}
	w.namespaces = after
	w.mu.Unlock()
	for k, value := range all {
		if p := value.(*pod); p.differs(before[k.namespace][k.name]) {
			w.tell(p)
		}
	}
	for namespace, pods := range before {
		for name, old := range pods {
			if all[key{namespace, name}] == nil && old.why != "" {
				w.tell(old)
			}
		}
	}
}

// follow takes over what is known of the pod as it was seen before; nil: it was not.
func (p *pod) follow(old *pod) {
	if old != nil && old.uid == p.uid && old.unstarted {
		p.since = old.since
	}
}

// differs says whether a visit could come to another result by a pod than by the one before; nil: there was none.
func (p *pod) differs(old *pod) bool {
	before := cmp.Or(old, &pod{})
	return p.why != before.why || p.deleting != before.deleting || p.unstarted != before.unstarted
}

// tell tells the instance that a pod is of, by its labels.
func (w *podWatch) tell(p *pod) {
	w.subscribers.notifyRequest(p.labels[state.LabelTeam], p.labels[state.LabelRequest])
}

// ailing are the pods of an object that ail: those that its selector selects or that it owns. Pods that were listed are its own.
func (w *podWatch) ailing(d *desired) map[string]*pod {
	uid := d.live.uid()
	selects, err := labels.Parse(d.live.byStatus.selector)
	if err != nil || selects.Empty() || w.stream == nil {
		selects = labels.Nothing()
	}
	all := map[string]*pod{}
	w.mu.Lock()
	defer w.mu.Unlock()
	for name, p := range w.namespaces[d.object.Namespace] {
		its := selects.Matches(p.labels) || slices.Contains(p.owners, uid)
		if its && p.severity > 0 {
			all[name] = p
		}
	}
	return all
}

// isDeletingPodOf says whether a pod of a StatefulSet is being deleted.
func (w *podWatch) isDeletingPodOf(d *desired) bool {
	uid := d.live.uid()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range w.namespaces[d.object.Namespace] {
		if p.deleting && slices.Contains(p.owners, uid) {
			return true
		}
	}
	return false
}

// markDeleting records that a pod was deleted, before the watch says so.
func (w *podWatch) markDeleting(k key, was *pod) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.namespaces[k.namespace][k.name] == was {
		next := *was
		next.deleting = true
		w.namespaces[k.namespace][k.name] = &next
	}
}

// known is the present revision of a workload at a generation.
type known struct {
	generation int64
	value      string
}

const manyRevisions = 10_000 // of which none was forgotten although its workload may be gone

// revisionOf is a workload's present revision as it was learned; empty: not known.
func (w *podWatch) revisionOf(l *live) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if k := w.revisions[l.uid()]; k.generation == l.generation {
		return k.value
	}
	return ""
}

// learnRevision remembers the present revision of a workload.
func (w *podWatch) learnRevision(l *live, value string) {
	if value == "" {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.revisions) >= manyRevisions {
		clear(w.revisions)
	}
	w.revisions[l.uid()] = known{l.generation, value}
}

// dueIn is how long to wait before the pods of a workload are listed again.
func (w *podWatch) dueIn(workload types.UID) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return max(unlabelledEvery-time.Since(w.lists[workload]), 0)
}

// takeList takes the pods of a workload as they are now.
func (w *podWatch) takeList(d *desired, pods []v1.Pod) {
	uid := d.live.uid()
	now := map[string]*pod{}
	for i := range pods {
		one := w.reduce(&pods[i]).(*pod)
		if !slices.Contains(one.owners, uid) {
			one.owners = append(one.owners, uid)
		}
		now[pods[i].Name] = one
	}
	w.mu.Lock()
	before := map[string]*pod{}
	for name, known := range w.namespaces[d.object.Namespace] {
		if slices.Contains(known.owners, uid) {
			before[name] = known
			delete(w.namespaces[d.object.Namespace], name)
		}
	}
	if len(w.lists) >= manyRevisions {
		clear(w.lists)
		clear(w.namespaces)
	}
	w.lists[uid] = time.Now()
	w.mu.Unlock()
	for name, one := range now {
		w.store(key{d.object.Namespace, name}, one, before[name])
	}
}

// forgetPodsOf drops the pods of a workload that is healthy.
func (w *podWatch) forgetPodsOf(d *desired) {
	uid := d.live.uid()
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, known := w.lists[uid]; !known {
		return
	}
	delete(w.lists, uid)
	for name, one := range w.namespaces[d.object.Namespace] {
		if slices.Contains(one.owners, uid) {
			delete(w.namespaces[d.object.Namespace], name)
		}
	}
}
