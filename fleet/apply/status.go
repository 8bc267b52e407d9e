package apply

import (
	"fmt"
	"strings"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"transom.dev/render/state"
)

// statusHealth is the health that an object of a built-in kind has by its status, at the generation it was read with.
type statusHealth struct {
	health   state.Health
	message  string
	behind   bool   // its controller has not seen this generation
	running  bool   // a Job that is not complete, which is no ailment
	selector string // of its pods, while it is not healthy
	class    string // the storage class of a claim that is pending
	rolling  rolling
}

// healthByStatus assesses by kstatus. It adds the cases that kstatus leaves open: a workload whose controller has not yet seen this
// generation has no health of its own, a failure from before our last PATCH is none of this revision, and pods that could not
// be created are named.
func healthByStatus(u *unstructured.Unstructured, applied time.Time) statusHealth {
	gk, body := u.GroupVersionKind().GroupKind(), u.Object
	var o statusHealth
	seen, _ := observedGeneration(body)
	switch {
	case gk.Kind == "APIService":
		o.health, o.message = conditionHealth(body, "Available")
	case gk.Group == "apps" && seen < u.GetGeneration():
		o.health, o.message, o.behind = state.Progressing, notSeen, true
	case gk.Kind == "StatefulSet" && strategyOf(body) == "OnDelete":
		o.health, o.message = statefulSetProgress(body)
	default:
		o.health, o.message = kstatusHealth(body)
	}
	if o.health == state.Failed && dropOutlived(gk, body, applied) {
		if still, _ := kstatusHealth(body); still != state.Failed {
			o.health, o.message = state.Progressing, "from before this revision was applied: "+o.message
		}
	}
	if o.health != state.Failed && !o.behind && !done(gk, body) {
		if waits, suspended := suspension(gk, body); suspended {
			o.health, o.message = state.Suspended, waits
		} else if gk.Kind == "StatefulSet" && o.health == state.Healthy {
			o.message = ofOldRevision(body)
		}
	}
	o.running = gk.Group == "batch" && gk.Kind == "Job" && !done(gk, body)
	if o.health == state.Healthy {
		return o
	}
	if failure := condition(body, "ReplicaFailure"); failure["status"] == "True" {
		o.message = fmt.Sprintf("%s: %v: %v", o.message, failure["reason"], failure["message"])
	}
	if gk.Group == "apps" || gk.Group == "batch" {
		o.selector = podSelector(body)
	}
	if gk.Group == "apps" && !o.behind {
		o.rolling = rollingOf(gk.Kind, body)
	}
	phase, _, _ := unstructured.NestedString(body, "status", "phase")
	if gk.Kind == "PersistentVolumeClaim" && phase == "Pending" {
		o.class, _, _ = unstructured.NestedString(body, "spec", "storageClassName")
	}
	return o
}

// done says whether an object is a Job that has run to its end.
func done(gk schema.GroupKind, body map[string]any) bool {
	return gk.Group == "batch" && gk.Kind == "Job" && condition(body, "Complete")["status"] == "True"
}

const notSeen = "its controller has not seen this revision yet"

// kstatusHealth is the health that kstatus computes, in our words.
func kstatusHealth(body map[string]any) (state.Health, string) {
	result, err := status.Compute(&unstructured.Unstructured{Object: body})
	if err != nil {
		return state.Unknown, err.Error()
	}
	switch result.Status {
	case status.CurrentStatus:
		return state.Healthy, ""
	case status.FailedStatus:
		return state.Failed, result.Message
	case status.InProgressStatus, status.TerminatingStatus:
		return state.Progressing, result.Message
	}
	return state.Unknown, result.Message
}

// podSelector is the selector of a workload in its text form; empty if there is none.
func podSelector(body map[string]any) string {
	raw, ok, _ := unstructured.NestedMap(body, "spec", "selector")
	var s metav1.LabelSelector
	if !ok || runtime.DefaultUnstructuredConverter.FromUnstructured(raw, &s) != nil {
		return ""
	}
	return metav1.FormatLabelSelector(&s)
}

// observedGeneration is the generation that a controller says it has seen; false if it says none.
func observedGeneration(body map[string]any) (int64, bool) {
	generation, ok, _ := unstructured.NestedInt64(body, "status", "observedGeneration")
	return generation, ok
}

// conditionGeneration is the newest generation that a condition was written for; false if none says.
func conditionGeneration(body map[string]any) (int64, bool) {
	conditions, _, _ := unstructured.NestedSlice(body, "status", "conditions")
	newest, says := int64(0), false
	for _, c := range conditions {
		c, _ := c.(map[string]any)
		if generation, ok := c["observedGeneration"].(int64); ok {
			newest, says = max(newest, generation), true
		}
	}
	return newest, says
}

// condition is the condition of a type in the status of an object; nil: it has none.
func condition(body map[string]any, kind string) map[string]any {
	conditions, _, _ := unstructured.NestedSlice(body, "status", "conditions")
	for _, c := range conditions {
		if c, ok := c.(map[string]any); ok && c["type"] == kind {
			return c
		}
	}
	return nil
}

// conditionHealth is the health of an object that one condition decides.
func conditionHealth(body map[string]any, kind string) (state.Health, string) {
	c := condition(body, kind)
	if c["status"] == "True" {
		return state.Healthy, ""
	}
	message, _ := c["message"].(string)
	return state.Progressing, strings.TrimSuffix("not "+kind+": "+message, ": ")
}
