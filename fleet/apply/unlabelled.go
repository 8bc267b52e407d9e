package apply

import (
	"context"
	"fmt"
	"slices"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"transom.dev/render/state"
)

// Pods without labels of an instance, as those of a cluster-scoped version or of one with verbatim names, are not watched: on
// a shared cluster that would be nearly all pods. Those of one workload are listed by its own selector once its
// controller has seen it and while it is not healthy, and counted where the workload, or a ReplicaSet of it, is their controller.
const (
	unlabelledEvery = 10 * time.Second
	mostUnlabelled  = 250 // of one workload
)

// hasUnlabelledPods says whether the template of a workload gives its pods no labels of the instance.
func hasUnlabelledPods(d *desired) bool {
	template, templated, _ := unstructured.NestedMap(d.content, "spec", "template")
	_, labelled, _ := unstructured.NestedString(template, "metadata", "labels", state.LabelRequest)
	return templated && !labelled && !custom(d.gvk.GroupKind())
}

// listUnlabelled lists a workload's pods anew, if the last list is long enough ago.
func (p podDiagnosis) listUnlabelled(ctx context.Context, d *desired) error {
	wait := p.cluster.unlabelled.dueIn(d.live.uid())
	d.due = sooner(d.due, unlabelledEvery)
	if wait > 0 {
		d.due = sooner(d.due, wait)
		return nil
	}
	var pods *v1.PodList
	owners := map[types.UID]bool{d.live.uid(): true}
	err := p.client.request(ctx, func(ctx context.Context) (err error) {
		selected := metav1.ListOptions{LabelSelector: d.live.byStatus.selector, Limit: mostUnlabelled}
		if d.object.Kind == "Deployment" {
			sets, err := p.client.metadata.Resource(replicaSets).Namespace(d.object.Namespace).List(ctx, selected)
			if err != nil {
				return err
			}
			for i := range sets.Items {
				owners[sets.Items[i].UID] = d.live.controls(&sets.Items[i])
			}
		}
		pods, err = p.client.core.Pods(d.object.Namespace).List(ctx, selected)
		return err
	})
	switch {
	case err != nil && !answered(err):
		return fmt.Errorf("list the pods of %s: %w", d.object, err)
	case err != nil:
		pods = &v1.PodList{} // who may not read them learns nothing of them
	}
	p.cluster.unlabelled.takeList(d, slices.DeleteFunc(pods.Items, func(one v1.Pod) bool {
		controller := metav1.GetControllerOfNoCopy(&one)
		return controller == nil || !owners[controller.UID]
	}))
	return nil
}
