package apply

import (
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"transom.dev/render/state"
)

// workload is an object of the group apps as its own client decodes it.
type workload interface {
	metav1.Object
	Marshal() ([]byte, error)
}

// withoutTemplate takes off a workload what is long and says nothing of its health; nil: the object is no workload.
func withoutTemplate(object any) workload {
	switch o := object.(type) {
	case *appsv1.Deployment:
		o.Spec.Template = v1.PodTemplateSpec{}
		return o
	case *appsv1.StatefulSet:
		o.Spec.Template, o.Spec.VolumeClaimTemplates = v1.PodTemplateSpec{}, nil
		return o
	case *appsv1.DaemonSet:
		o.Spec.Template = v1.PodTemplateSpec{}
		return o
	}
	return nil
}

// workloadHealth is the health of a workload without its template. Most are healthy, with the same status on all clusters, so that it is
// computed once for them.
func (s *Shared) workloadHealth(gvk schema.GroupVersionKind, o workload, applied time.Time) statusHealth {
	facts := healthFacts(gvk.Kind, o)
	if s.knowsHealthy(facts) {
		return statusHealth{health: state.Healthy}
	}
	body, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
	if err != nil {
		return statusHealth{health: state.Unknown, message: err.Error()}
	}
	u := unstructured.Unstructured{Object: body}
	u.SetGroupVersionKind(gvk)
	found := healthByStatus(&u, applied)
	if found == (statusHealth{health: state.Healthy}) {
		s.recordHealthy(facts)
	}
	return found
}

// healthFacts are all fields of a workload by which it is healthy, as a text; empty: they are not known. Times and messages are none of
// them: they only tell which failure counts. Nor are selectors, which each instance has of its own.
func healthFacts(kind string, o workload) string {
	about := metav1.ObjectMeta{Generation: o.GetGeneration(), DeletionTimestamp: o.GetDeletionTimestamp()}
	var facts workload
	switch o := o.(type) {
	case *appsv1.Deployment:
		of := &appsv1.Deployment{ObjectMeta: about, Spec: o.Spec, Status: o.Status}
		of.Spec.Selector = nil
		of.Status.Conditions = slices.Clone(of.Status.Conditions)
		for i := range of.Status.Conditions {
			c := &of.Status.Conditions[i]
			c.LastUpdateTime, c.LastTransitionTime, c.Message = metav1.Time{}, metav1.Time{}, ""
		}
		facts = of
	case *appsv1.StatefulSet:
		of := &appsv1.StatefulSet{ObjectMeta: about, Spec: o.Spec, Status: o.Status}
		of.Spec.Selector, of.Spec.ServiceName = nil, ""
		of.Status.Conditions = slices.Clone(of.Status.Conditions)
		for i := range of.Status.Conditions {
			of.Status.Conditions[i].LastTransitionTime, of.Status.Conditions[i].Message = metav1.Time{}, ""
		}
		facts = of
	case *appsv1.DaemonSet:
		of := &appsv1.DaemonSet{ObjectMeta: about, Spec: o.Spec, Status: o.Status}
		of.Spec.Selector = nil
		of.Status.Conditions = slices.Clone(of.Status.Conditions)
		for i := range of.Status.Conditions {
			of.Status.Conditions[i].LastTransitionTime, of.Status.Conditions[i].Message = metav1.Time{}, ""
		}
		facts = of
	}
	text, err := facts.Marshal()
	if err != nil {
		return ""
	}
	return kind + string(text)
}
