package apply

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
)

const longestWhy = 400 // of what a pod says, in bytes

// pod is what is kept of a pod: whose it is and what ails it.
type pod struct {
	labels labels.Set
	owners []types.UID
	made   time.Time // by the API server's clock
	ill    int       // how bad it is; 0 is well
	why    string
	stuck  bool // no wait by itself gets it started
	going  bool // it is being deleted
}

// podWatch holds the pods of all instances.
type podWatch struct {
	*stream
	cluster *Cluster

	mu         sync.Mutex
	namespaces map[string]map[string]*pod
}

func newPodWatch(c *Cluster) *podWatch {
	w := &podWatch{cluster: c, namespaces: map[string]map[string]*pod{}}
	w.stream = newStream("pods", source{
		list: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			o.LabelSelector = requestLabel
			return c.core.Pods("").List(ctx, o)
		},
		watch: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			o.LabelSelector = requestLabel
			return c.core.Pods("").Watch(ctx, o)
		},
	}, w)
	return w
}

// why adds to what an object's status says what ails the worst of its pods.
func (p *pass) why(d *desired, message string) string {
	if d.live.outlook.selector == "" && !custom(d.gvk.GroupKind()) {
		return message
	}
	p.begin(p.pods.stream)
	name, worst := p.pods.worst(d)
	if worst == nil {
		return message
	}
	d.stuck = worst.stuck && worst.current(d.live) && !d.live.outlook.behind
	return strings.TrimPrefix(message+": pod "+name+": "+worst.why, ": ")
}

// current says whether a pod is of a workload as it was last applied, rather than of a revision before.
func (c *pod) current(l *live) bool { return !c.going && !c.made.Before(l.applied) }

// worst finds the worst of an object's pods: those that its selector selects or that it owns. One of the revision
// that was applied last tells more than any that was there before. It is nil if none ails.
func (w *podWatch) worst(d *desired) (string, *pod) {
	selects, err := labels.Parse(d.live.outlook.selector)
	if err != nil || selects.Empty() {
		selects = labels.Nothing()
	}
	rank := func(c *pod) int {
		if c.current(d.live) {
			return c.ill + stuck
		}
		return c.ill
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	var name string
	var worst *pod
	for n, candidate := range w.namespaces[d.object.Namespace] {
		if candidate.ill == 0 || !selects.Matches(candidate.labels) && !slices.Contains(candidate.owners, d.live.uid) {
			continue
		}
		if worst == nil || rank(candidate) > rank(worst) || rank(candidate) == rank(worst) && n < name {
			name, worst = n, candidate
		}
	}
	return name, worst
}

func (w *podWatch) reduce(object any) any {
	full := object.(*v1.Pod)
	p := &pod{labels: full.Labels, made: full.CreationTimestamp.Time, going: full.DeletionTimestamp != nil}
	for _, o := range full.OwnerReferences {
		p.owners = append(p.owners, o.UID)
	}
	p.ill, p.why, p.stuck = ailment(full)
	return p
}

func (w *podWatch) put(k key, value any) {
	p := value.(*pod)
	w.mu.Lock()
	if w.namespaces[k.namespace] == nil {
		w.namespaces[k.namespace] = map[string]*pod{}
	}
	old := w.namespaces[k.namespace][k.name]
	w.namespaces[k.namespace][k.name] = p
	w.mu.Unlock()
	if before := cmp.Or(old, &pod{}); p.why != before.why || p.going != before.going {
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
	w.namespaces = map[string]map[string]*pod{}
	w.mu.Unlock()
	for k, value := range all {
		w.put(k, value)
	}
}

func (w *podWatch) tell(p *pod) {
	w.cluster.notifyRequest(p.labels[teamLabel], p.labels[requestLabel])
}

// How bad a pod's state is, from what passes by itself to what does not.
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
// that ended badly. What ends again and again is stuck between two attempts only; while it runs, how it ended shows.
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

func clip(s string) string {
	if len(s) <= longestWhy {
		return s
	}
	return strings.ToValidUTF8(s[:longestWhy], "") + "…"
}
