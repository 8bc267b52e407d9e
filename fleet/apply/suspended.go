package apply

import (
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"transom.dev/render/state"
)

// suspension says why a workload waits whose manifest asks that it does not come to its present revision by itself: a
// strategy that leaves pods of the revision before, a pause, or a suspended Job. It is false for a workload whose controller
// still has something to do, and for one that has pods of the present revision which are not ready. The status must be of
// the present generation.
func suspension(gk schema.GroupKind, body map[string]any) (waits string, suspended bool) {
	switch gk {
	case schema.GroupKind{Group: "apps", Kind: "DaemonSet"}:
		return daemonSetSuspension(body)
	case schema.GroupKind{Group: "apps", Kind: "StatefulSet"}:
		return statefulSetSuspension(body)
	case schema.GroupKind{Group: "apps", Kind: "Deployment"}:
		return deploymentSuspension(body)
	case schema.GroupKind{Group: "batch", Kind: "Job"}:
		on, _, _ := unstructured.NestedBool(body, "spec", "suspend")
		return "is suspended: it runs once spec.suspend is false", on
	}
	return "", false
}

func daemonSetSuspension(body map[string]any) (string, bool) {
	desired, there := number(body, 0, "status", "desiredNumberScheduled"), number(body, 0, "status", "currentNumberScheduled")
	updated, available := number(body, 0, "status", "updatedNumberScheduled"), number(body, 0, "status", "numberAvailable")
	underway := updated > 0 && available < desired // pods of the present revision
	if strategyOf(body) != "OnDelete" || there < desired || updated >= desired || underway {
		return "", false
	}
	return ofDeletion(desired-updated, desired), true
}

func statefulSetSuspension(body map[string]any) (string, bool) {
	wanted, there := number(body, 1, "spec", "replicas"), number(body, 0, "status", "replicas")
	updated, ready := number(body, 0, "status", "updatedReplicas"), number(body, 0, "status", "readyReplicas")
	underway := updated > 0 && ready < wanted // pods of the present revision
	if there < wanted || updated >= wanted || underway {
		return "", false
	}
	if strategyOf(body) == "OnDelete" {
		return ofDeletion(wanted-updated, wanted), true
	}
	partition := partitionOf(body)
	return ofPartition(partition, wanted, wanted), partition >= wanted && updated == 0
}

// statefulSetProgress assesses a StatefulSet whose pods people delete, of which kstatus says that it is always well.
func statefulSetProgress(body map[string]any) (state.Health, string) {
	wanted, there := number(body, 1, "spec", "replicas"), number(body, 0, "status", "replicas")
	switch ready := number(body, 0, "status", "readyReplicas"); {
	case there < wanted:
		return state.Progressing, fmt.Sprintf("Replicas: %d/%d", there, wanted)
	case ready < wanted:
		return state.Progressing, fmt.Sprintf("Ready: %d/%d", ready, wanted)
	case there > wanted:
		return state.Progressing, fmt.Sprintf("Pending termination: %d", there-wanted)
	}
	return state.Healthy, ""
}

// ofOldRevision says of a healthy StatefulSet which of its pods its partition leaves at the revision before; empty: none.
func ofOldRevision(body map[string]any) string {
	wanted, updated := number(body, 1, "spec", "replicas"), number(body, 0, "status", "updatedReplicas")
	if partition := partitionOf(body); partition > 0 && updated < wanted {
		return ofPartition(partition, wanted-updated, wanted)
	}
	return ""
}

func deploymentSuspension(body map[string]any) (string, bool) {
	paused, _, _ := unstructured.NestedBool(body, "spec", "paused")
	wanted, there := number(body, 1, "spec", "replicas"), number(body, 0, "status", "replicas")
	updated, available := number(body, 0, "status", "updatedReplicas"), number(body, 0, "status", "availableReplicas")
	underway := updated > 0 && available < wanted // pods of the present revision
	switch {
	case !paused, updated >= wanted, underway:
		return "", false
	case there == 0:
		return "is paused: it makes no pods until spec.paused is false", true
	}
	return fmt.Sprintf("is paused: %d of %d pods are of the revision before until spec.paused is false", there-updated, there), true
}

// ofDeletion says that pods wait for people to delete them.
func ofDeletion(behind, all int64) string {
	return fmt.Sprintf("waits for its pods to be deleted: %d of %d are of the revision before", behind, all)
}

// ofPartition says how many pods a partition leaves behind.
func ofPartition(partition, behind, all int64) string {
	return fmt.Sprintf("its partition of %d leaves %d of %d pods at the revision before", partition, behind, all)
}

func strategyOf(body map[string]any) string {
	kind, _, _ := unstructured.NestedString(body, "spec", "updateStrategy", "type")
	return kind
}

func partitionOf(body map[string]any) int64 {
	return number(body, 0, "spec", "updateStrategy", "rollingUpdate", "partition")
}

// number reads a number of an object; absent is its value where there is none.
func number(body map[string]any, absent int64, path ...string) int64 {
	if n, ok, _ := unstructured.NestedInt64(body, path...); ok {
		return n
	}
	return absent
}

// leavesPods says whether pods of a revision before may run on under an object that is suspended, so that the objects that
// they use have to stay. Those of a suspended Job do not.
func leavesPods(d *desired) bool { return d.gvk.Group != "batch" }
