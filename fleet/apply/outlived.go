package apply

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// dropOutlived removes from a status the conditions of a failure that was there before our last PATCH, and says whether there were
// any. They say nothing about the present revision, so that it is on its way until its controller says more; if that never
// comes, the progressDeadline of the environment ends the wait.
func dropOutlived(gk schema.GroupKind, body map[string]any, applied time.Time) bool {
	status, _ := body["status"].(map[string]any)
	conditions, _ := status["conditions"].([]any)
	kept := slices.DeleteFunc(slices.Clone(conditions), func(c any) bool {
		condition, _ := c.(map[string]any)
		return outlived(gk, condition, applied)
	})
	if len(kept) == len(conditions) {
		return false
	}
	status["conditions"] = kept
	return true
}

// outlived says whether a condition is of a failure from before our last PATCH, although its controller may have seen the present
// generation. The controller of Deployments takes ProgressDeadlineExceeded back only once it sees progress, and the ReplicaSet of an
// earlier revision, which it finds again after a rollback, may have nothing more to do. A CRD does not report which generation its
// names are of. A Job that failed stays failed, and the other built-in kinds have no such conditions. Times are in whole seconds:
// a deadline takes one at least, while names may be refused within the second of the PATCH.
func outlived(gk schema.GroupKind, condition map[string]any, applied time.Time) bool {
	switch gk {
	case schema.GroupKind{Group: "apps", Kind: "Deployment"}:
		since, told := timeOf(condition["lastUpdateTime"])
		return condition["reason"] == "ProgressDeadlineExceeded" && told && !since.After(applied)
	case crds.gvk.GroupKind():
		since, told := timeOf(condition["lastTransitionTime"])
		names := condition["type"] == "NamesAccepted" || condition["type"] == "Established"
		return names && condition["status"] == "False" && told && since.Before(applied)
	}
	return false
}

// timeOf reads a time of an object; false if there is none.
func timeOf(field any) (time.Time, bool) {
	text, _ := field.(string)
	t, err := time.Parse(time.RFC3339, text)
	return t, err == nil
}
