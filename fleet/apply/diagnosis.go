package apply

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
)

const longestWhy = 400 // of the message of a pod, in bytes

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
	w.stream = newStream("pods", selected(c.core.Pods(""), requestLabel), w)
	return w
}

// podDiagnosis finds the pod that keeps a workload from being healthy.
type podDiagnosis struct {
	cluster *Cluster
	client  *client
}

// explain adds the ailment of an object's worst pod to the message of its status. A pod of another revision than the present one
// is told as such: it makes nothing stuck.
func (p podDiagnosis) explain(ctx context.Context, d *desired, message string) (string, error) {
	if d.live.byStatus.selector == "" && !custom(d.gvk.GroupKind()) {
		return message, nil
	}
	ailing := map[string]*pod{}
	if hasUnlabelledPods(d) {
		if err := p.listUnlabelled(ctx, d); err != nil {
			return "", err
		}
	}
	p.cluster.watches.begin(p.cluster.pods.stream)
	for _, pods := range p.podsOf(d) {
		maps.Copy(ailing, pods.ailing(d))
	}
	if len(ailing) == 0 {
		return message, nil
	}
	present, err := p.presentRevision(ctx, d, ailing)
	if err != nil {
		return "", err
	}
	name, worst := worstPod(ailing, present, d.live)
	d.stuck = worst.stuck && present.current(worst, d.live) && !d.live.byStatus.behind && d.live.byStatus.health != Suspended
	if !present.superseded(worst) {
		return strings.TrimPrefix(message+": pod "+name+": "+worst.why, ": "), nil
	}
	p.blameSuperseded(d, name, worst)
	return strings.TrimPrefix(message+": pod "+name+" still has the revision before: "+worst.why, ": "), nil
}

// ailing are the pods of an object that ail: those that its selector selects or that it owns. Pods that were listed are its own.
func (w *podWatch) ailing(d *desired) map[string]*pod {
	selects, err := labels.Parse(d.live.byStatus.selector)
	if err != nil || selects.Empty() || w.stream == nil {
		selects = labels.Nothing()
	}
	all := map[string]*pod{}
	w.mu.Lock()
	defer w.mu.Unlock()
	for name, p := range w.namespaces[d.object.Namespace] {
		its := selects.Matches(p.labels) || slices.Contains(p.owners, d.live.uid)
		if its && p.severity > 0 {
			all[name] = p
		}
	}
	return all
}

// worstPod is the pod that ails most. One of the revision that was applied last tells more than any that was there before.
func worstPod(ailing map[string]*pod, present podRevision, of *live) (name string, worst *pod) {
	rank := func(p *pod) int {
		if present.current(p, of) {
			return p.severity + stuck
		}
		return p.severity
	}
	for n, p := range ailing {
		if worst == nil || cmp.Or(cmp.Compare(rank(p), rank(worst)), strings.Compare(name, n)) > 0 {
			name, worst = n, p
		}
	}
	return name, worst
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
	if old != nil && old.uid == p.uid && old.unstarted {
		p.since = old.since
	}
	w.mu.Lock()
	if w.namespaces[k.namespace] == nil {
		w.namespaces[k.namespace] = map[string]*pod{}
	}
	if w.namespaces[k.namespace][k.name] = p; w.stream == nil && p.severity == 0 && !p.deleting {
		delete(w.namespaces[k.namespace], k.name)
	}
	w.mu.Unlock()
	before := cmp.Or(old, &pod{})
	changed := p.why != before.why || p.deleting != before.deleting || p.unstarted != before.unstarted
	if changed && w.stream != nil {
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

func (w *podWatch) replace(all map[key]any, _ string) {
	w.mu.Lock()
	before := w.namespaces
	w.namespaces = map[string]map[string]*pod{}
	w.mu.Unlock()
	for k, value := range all {
		w.store(k, value.(*pod), before[k.namespace][k.name])
	}
}

// tell tells the instance that a pod is of, by its labels.
func (w *podWatch) tell(p *pod) {
	w.subscribers.notifyRequest(p.labels[teamLabel], p.labels[requestLabel])
}

// podsOf is where an object's pods are known.
func (p podDiagnosis) podsOf(d *desired) []*podWatch {
	if hasUnlabelledPods(d) {
		return []*podWatch{p.cluster.pods, p.cluster.unlabelled}
	}
	return []*podWatch{p.cluster.pods}
}

// How bad a pod's state is, from those that pass by themselves to those that do not.
const (
	starting = iota + 1
	unready
	failed
	stuck
)

// ailment says how bad a pod is off and why, in the words of the kubelet and the scheduler, and whether a container
// of it cannot start.
func ailment(p *v1.Pod) (ill int, why string, cannotStart bool) {
	if p.Status.Phase == v1.PodSucceeded {
		return 0, "", false
	}
	note := func(severity int, text ...string) {
		if severity > ill {
			text = slices.DeleteFunc(text, func(s string) bool { return s == "" })
			ill, why = severity, clip(strings.Join(text, ": "))
		}
	}
	for _, c := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
		ailingContainer(&c, note)
	}
	cannotStart = ill == stuck
	if p.Status.Phase == v1.PodFailed {
		note(failed, cmp.Or(p.Status.Reason, "Failed"), p.Status.Message)
	}
	for _, c := range p.Status.Conditions {
		switch {
		case c.Type == v1.PodScheduled && c.Status == v1.ConditionFalse:
			note(stuck, c.Reason, c.Message)
		case c.Type == v1.PodReady && c.Status != v1.ConditionTrue:
			note(unready, "not ready", c.Message)
		}
	}
	if p.Status.Phase == v1.PodPending {
		note(starting, "Pending", p.Status.Message)
	}
	return ill, why, cannotStart
}

// ailingContainer tells of a container that waits for anything but its image or the containers before it, and of one
// that ended badly. A container that ends again and again is stuck between two attempts only; while it runs, how it ended shows.
func ailingContainer(c *v1.ContainerStatus, note func(severity int, text ...string)) {
	if w := c.State.Waiting; w != nil {
		severity := stuck
		if w.Reason == "ContainerCreating" || w.Reason == "PodInitializing" || w.Reason == "" {
			severity = starting
		}
		note(severity, w.Reason, w.Message)
	}
	for _, t := range []*v1.ContainerStateTerminated{c.State.Terminated, c.LastTerminationState.Terminated} {
		if t != nil && t.ExitCode != 0 && !c.Ready {
			note(failed, t.Reason, cmp.Or(t.Message, fmt.Sprintf("exit code %d", t.ExitCode)))
		}
	}
}

// clip bounds the text of a pod.
func clip(s string) string {
	if len(s) <= longestWhy {
		return s
	}
	return strings.ToValidUTF8(s[:longestWhy], "") + "…"
}
