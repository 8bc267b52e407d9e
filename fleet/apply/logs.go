package apply

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"transom.dev/render/state"
)

// showing reads pods, logs and Events for people; it is part of Cluster.
type showing struct{ client *client }

// Bounds of the answers to people who look at pods.
const (
	mostPods   = 100     // of an instance in one namespace
	mostEvents = 2000    // of one namespace, of which those of an instance are kept
	mostLog    = 4 << 20 // bytes of one container's log
)

// A Pod is a pod of an instance, for people.
type Pod struct {
	Namespace  string
	Name       string
	Phase      string
	Message    string // its ailment; empty: it has none
	Started    time.Time
	Containers []Container // those that prepare it first
	Owners     []Object    // that control it, the nearest first
}

// A Container is one of a pod.
type Container struct {
	Name     string
	Ready    bool
	Restarts int
	Prepares bool // it is an init container
}

// A Log names a part of a container's log.
type Log struct {
	Namespace, Pod, Container string

	Tail     int  // so many of the latest lines
	Follow   bool // until the context of the request ends
	Previous bool // of the container before the last restart
}

// A Happening is a Kubernetes Event about an object of an instance, or about one that belongs to it.
type Happening struct {
	At      time.Time
	Object  Object
	Type    string // Normal or Warning
	Reason  string
	Message string
	Count   int
}

// Pods lists the pods with the labels of an instance in some namespaces.
func (c *showing) Pods(ctx context.Context, o Owner, namespaces []string) ([]Pod, error) {
	var all []Pod
	for _, namespace := range namespaces {
		pods, err := c.listPods(ctx, o, namespace)
		if err != nil {
			return nil, err
		}
		for i := range pods {
			all = append(all, podOf(&pods[i]))
		}
	}
	return all, nil
}

func (c *showing) listPods(ctx context.Context, o Owner, namespace string) (pods []v1.Pod, err error) {
	err = c.client.request(ctx, func(ctx context.Context) error {
		list, err := c.client.core.Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: selects(o), Limit: mostPods})
		if err == nil {
			pods = list.Items
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list the pods of %s: %w", o, err)
	}
	return pods, nil
}

// selects is the selector of the pods of an instance: their templates have its labels of identity.
func selects(o Owner) string {
	return labels.Set{state.LabelTeam: o.Team, state.LabelRequest: o.Request}.String()
}

func podOf(p *v1.Pod) Pod {
	_, why, _ := ailment(p)
	one := Pod{Namespace: p.Namespace, Name: p.Name, Phase: string(p.Status.Phase), Message: why, Owners: ownersOf(p)}
	if p.Status.StartTime != nil {
		one.Started = p.Status.StartTime.Time
	}
	states := map[string]v1.ContainerStatus{}
	for _, s := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
		states[s.Name] = s
	}
	for i, in := range slices.Concat(p.Spec.InitContainers, p.Spec.Containers) {
		s := states[in.Name]
		one.Containers = append(one.Containers, Container{in.Name, s.Ready, int(s.RestartCount), i < len(p.Spec.InitContainers)})
	}
	return one
}

// ownersOf are the controller of a pod, and the Deployment above a ReplicaSet: that names its ReplicaSets after itself and the hash of
// the template, which their pods have as a label.
func ownersOf(p *v1.Pod) []Object {
	controller := metav1.GetControllerOf(p)
	if controller == nil {
		return nil
	}
	owners := []Object{{Kind: controller.Kind, Namespace: p.Namespace, Name: controller.Name}}
	hash := p.Labels[appsv1.DefaultDeploymentUniqueLabelKey]
	if name, of := strings.CutSuffix(controller.Name, "-"+hash); of && hash != "" && controller.Kind == "ReplicaSet" {
		owners = append(owners, Object{Kind: "Deployment", Namespace: p.Namespace, Name: name})
	}
	return owners
}

// OpenLog opens a part of a container's log. Who reads it closes it; it ends by itself with its context, and after so many bytes.
func (c *showing) OpenLog(ctx context.Context, l Log) (io.ReadCloser, error) {
	lines, most := int64(l.Tail), int64(mostLog)
	budget := newBudget(mostLog+1<<20, answerFlag)
	budget.patient = l.Follow
	log, err := c.client.core.Pods(l.Namespace).GetLogs(l.Pod, &v1.PodLogOptions{
		Container: l.Container, Follow: l.Follow, Previous: l.Previous, TailLines: &lines, LimitBytes: &most,
	}).Stream(spending(ctx, budget))
	if err != nil {
		return nil, plain(err) // whoever asked names the pod, and so does the API server
	}
	return &boundedLog{log, most}, nil
}

// boundedLog is a log that says where it is longer than it may be: the API server ends it there as if that were its end.
type boundedLog struct {
	io.ReadCloser
	remaining int64 // bytes
}

// Read is part of io.Reader.
func (b *boundedLog) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.remaining -= int64(n); b.remaining <= 0 && errors.Is(err, io.EOF) {
		err = fmt.Errorf("cut after %d MiB: ask for fewer lines", mostLog>>20)
	}
	return n, err
}

// Happenings lists the Events about objects of an instance, their ReplicaSets and pods, the latest first.
func (c *showing) Happenings(ctx context.Context, o Owner, objects []Object) ([]Happening, error) {
	ours := map[Object]bool{}
	var namespaces []string
	for _, one := range objects {
		ours[Object{Kind: one.Kind, Namespace: one.Namespace, Name: one.Name}] = true
		if one.Namespace != "" && !slices.Contains(namespaces, one.Namespace) {
			namespaces = append(namespaces, one.Namespace)
		}
	}
	var all []Happening
	for _, namespace := range namespaces {
		pods, err := c.listPods(ctx, o, namespace)
		if err != nil {
			return nil, err
		}
		for i := range pods {
			ours[Object{Kind: "Pod", Namespace: namespace, Name: pods[i].Name}] = true
		}
		if err := c.addReplicaSets(ctx, o, namespace, ours); err != nil {
			return nil, err
		}
		found, err := c.listEvents(ctx, namespace)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	all = slices.DeleteFunc(all, func(h Happening) bool { return !ours[h.Object] })
	slices.SortStableFunc(all, func(a, b Happening) int { return b.At.Compare(a.At) })
	return all, nil
}

// addReplicaSets adds those of an instance: where pods are refused, the Events are about them.
func (c *showing) addReplicaSets(ctx context.Context, o Owner, namespace string, to map[Object]bool) error {
	return c.client.request(ctx, func(ctx context.Context) error {
		list, err := c.client.metadata.Resource(replicaSets).Namespace(namespace).List(ctx, metav1.ListOptions{LabelSelector: selects(o), Limit: mostPods})
		if err != nil {
			return fmt.Errorf("list the ReplicaSets of %s: %w", o, err)
		}
		for i := range list.Items {
			to[Object{Kind: "ReplicaSet", Namespace: namespace, Name: list.Items[i].Name}] = true
		}
		return nil
	})
}

// listEvents lists the Events of a namespace.
func (c *showing) listEvents(ctx context.Context, namespace string) (all []Happening, err error) {
	page := metav1.ListOptions{Limit: 500}
	for len(all) < mostEvents {
		var list *v1.EventList
		err := c.client.request(ctx, func(ctx context.Context) (err error) {
			list, err = c.client.core.Events(namespace).List(ctx, page)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("list the events of namespace %s: %w", namespace, err)
		}
		for i := range list.Items {
			all = append(all, happening(&list.Items[i]))
		}
		if page.Continue = list.Continue; page.Continue == "" {
			break
		}
	}
	return all, nil
}

func happening(e *v1.Event) Happening {
	h := Happening{
		At: e.LastTimestamp.Time, Object: Object{Kind: e.InvolvedObject.Kind, Namespace: e.InvolvedObject.Namespace, Name: e.InvolvedObject.Name},
		Type: e.Type, Reason: e.Reason, Message: e.Message, Count: int(max(e.Count, 1)),
	}
	if e.Series != nil {
		h.At, h.Count = e.Series.LastObservedTime.Time, int(e.Series.Count)
	}
	if h.At.IsZero() {
		h.At = cmp.Or(e.EventTime.Time, e.CreationTimestamp.Time)
	}
	return h
}
