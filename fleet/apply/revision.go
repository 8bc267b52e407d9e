package apply

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"transom.dev/render/state"
)

// Labels of pods that name the revision of their workload.
const (
	controllerRevisionLabel = "controller-revision-hash" // of StatefulSets and DaemonSets
	podTemplateLabel        = "pod-template-hash"        // of Deployments, by way of their ReplicaSets

	deploymentRevisionAnnotation = "deployment.kubernetes.io/revision" // of a ReplicaSet: higher is later
)

var (
	replicaSets         = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "replicasets"}
	controllerRevisions = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "controllerrevisions"}
)

// rolling are the fields of a workload that is not healthy that say how its pods come to its present revision.
type rolling struct {
	revision   string // the label of pods of a StatefulSet's present revision; empty: not known
	ordered    bool   // a StatefulSet's pod waits until the ones before it are ready
	everywhere bool   // a StatefulSet replaces all of its pods by itself
	lacking    bool   // some of its pods do not exist
}

// rollingOf reads them of a StatefulSet or a DaemonSet; it is zero for other kinds.
func rollingOf(kind string, body map[string]any) rolling {
	switch kind {
	case "StatefulSet":
		revision, _, _ := unstructured.NestedString(body, "status", "updateRevision")
		policy, _, _ := unstructured.NestedString(body, "spec", "podManagementPolicy")
		return rolling{
			revision: revision, ordered: policy == "OrderedReady",
			everywhere: strategyOf(body) == "RollingUpdate" && partitionOf(body) == 0,
			lacking:    number(body, 0, "status", "replicas") < number(body, 1, "spec", "replicas"),
		}
	case "DaemonSet":
		return rolling{lacking: number(body, 0, "status", "currentNumberScheduled") < number(body, 0, "status", "desiredNumberScheduled")}
	}
	return rolling{}
}

// podRevision is the label that pods of a workload's present revision carry. The zero podRevision is not known: then the time at which a
// pod was made tells.
type podRevision struct{ label, value string }

// on says whether a pod has the revision, and whether that can be told.
func (r podRevision) on(p *pod) (has, known bool) {
	value := p.labels[r.label]
	return value == r.value, r.value != "" && value != ""
}

// current says whether a pod is of a workload as it was last applied, rather than of a revision before.
func (r podRevision) current(p *pod, of *live) bool {
	has, known := r.on(p)
	if !known {
		has = !p.made.Before(of.applied.time())
	}
	return has && !p.deleting
}

// superseded says whether a pod is certainly not of the present revision.
func (r podRevision) superseded(p *pod) bool {
	has, known := r.on(p)
	return known && !has
}

// presentRevision finds out which label the pods of a workload's present revision carry, where that matters to its ailing pods.
func (p podDiagnosis) presentRevision(ctx context.Context, d *desired, ailing map[string]*pod) (podRevision, error) {
	if d.object.Group != "apps" || d.live.byStatus.behind {
		return podRevision{}, nil
	}
	label, newest := controllerRevisionLabel, p.newestControllerRevision
	switch d.object.Kind {
	case "StatefulSet":
		return podRevision{label, d.live.byStatus.rolling.revision}, nil
	case "DaemonSet":
	case "Deployment":
		label, newest = podTemplateLabel, p.newestReplicaSet
		stops := false
		for _, one := range ailing {
			stops = stops || one.stuck
		}
		if !stops {
			return podRevision{}, nil // pods that are only on their way blame nobody
		}
	default:
		return podRevision{}, nil
	}
	if value := p.cluster.pods.revisionOf(d.live); value != "" {
		return podRevision{label, value}, nil
	}
	var value string
	err := p.client.request(ctx, func(ctx context.Context) (err error) {
		value, err = newest(ctx, d)
		return err
	})
	switch {
	case err != nil && answered(err):
		return podRevision{}, nil
	case err != nil:
		return podRevision{}, fmt.Errorf("read the revisions of %s: %w", d.object, err)
	}
	p.cluster.pods.learnRevision(d.live, value)
	return podRevision{label, value}, nil
}

// newestReplicaSet is the hash of the ReplicaSet that a Deployment has its pods in now; empty if there is none.
func (p podDiagnosis) newestReplicaSet(ctx context.Context, d *desired) (hash string, err error) {
	all, err := p.client.metadata.Resource(replicaSets).Namespace(d.object.Namespace).List(ctx,
		metav1.ListOptions{LabelSelector: d.live.byStatus.selector})
	if err != nil {
		return "", err
	}
	newest := int64(-1)
	for i := range all.Items {
		set := &all.Items[i]
		n, err := strconv.ParseInt(set.Annotations[deploymentRevisionAnnotation], 10, 64)
		if err == nil && n > newest && d.live.controls(set) {
			newest, hash = n, set.Labels[podTemplateLabel]
		}
	}
	return hash, nil
}

// newestControllerRevision is the hash of a DaemonSet's present revision; empty if there is none.
func (p podDiagnosis) newestControllerRevision(ctx context.Context, d *desired) (hash string, err error) {
	all, err := p.client.dynamic.Resource(controllerRevisions).Namespace(d.object.Namespace).List(ctx,
		metav1.ListOptions{LabelSelector: d.live.byStatus.selector})
	if err != nil {
		return "", err
	}
	newest := int64(-1)
	for i := range all.Items {
		u := &all.Items[i]
		n, ok, _ := unstructured.NestedInt64(u.Object, "revision")
		if ok && n > newest && d.live.controls(u) {
			newest, hash = n, u.GetLabels()[controllerRevisionLabel]
		}
	}
	return hash, nil
}

// controls says whether a live object is the controller of another.
func (l *live) controls(m metav1.Object) bool {
	owner := metav1.GetControllerOfNoCopy(m)
	return owner != nil && owner.UID == l.uid()
}

// blameSuperseded records that the worst of a workload's pods is one of a revision before. Only where such a pod can keep the workload
// from going on it is to blame: a Deployment brings its new pods beside it.
func (p podDiagnosis) blameSuperseded(d *desired, name string, worst *pod) {
	rolling := d.live.byStatus.rolling
	if d.object.Group != "apps" || !slices.Contains(worst.owners, d.live.uid()) {
		return
	}
	switch d.object.Kind {
	case "DaemonSet":
		d.superseded = !rolling.lacking
	case "StatefulSet":
		d.superseded = !rolling.lacking || rolling.ordered
		if !worst.deleting {
			d.obstacle = &obstacle{name: name, pod: worst}
		}
	}
}

// superseded says whether nothing but pods of revisions before keeps objects from being healthy.
func superseded(all []*desired) bool {
	found := false
	for _, d := range all {
		if d.postponed || d.status.Health == state.Healthy || d.status.Health == state.Suspended {
			continue
		}
		if !d.superseded {
			return false
		}
		found = true
	}
	return found
}
