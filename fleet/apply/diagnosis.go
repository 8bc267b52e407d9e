package apply

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	v1 "k8s.io/api/core/v1"

	"transom.dev/render/state"
)

const longestWhy = 400 // of the message of a pod, in bytes

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
	if hasUnlabelledPods(d) && !d.live.byStatus.behind { // before, it has made no pod of this revision
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
	d.stuck = worst.stuck && present.current(worst, d.live) && !d.live.byStatus.behind && d.live.byStatus.health != state.Suspended
	if !present.superseded(worst) {
		return strings.TrimPrefix(message+": pod "+name+": "+worst.why, ": "), nil
	}
	p.blameSuperseded(d, name, worst)
	return strings.TrimPrefix(message+": pod "+name+" still has the revision before: "+worst.why, ": "), nil
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

// podsOf is where an object's pods are known.
func (p podDiagnosis) podsOf(d *desired) []*podWatch {
	if hasUnlabelledPods(d) {
		return []*podWatch{p.cluster.pods, p.cluster.unlabelled}
	}
	return []*podWatch{p.cluster.pods}
}

// How bad a pod's state is, from those that end by themselves to those that do not.
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
