package importer

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"transom.dev/render/state"
)

// given are objects that a cluster, or a mesh, puts into every namespace.
var given = []string{"ConfigMap kube-root-ca.crt", "ConfigMap openshift-service-ca.crt", "ConfigMap istio-ca-root-cert", "ServiceAccount default"}

// choose leaves out the objects that others make: without a word where somebody else keeps them, the rest with a reason. An
// object that two API groups serve is taken once.
func (r *reader) choose(all []listed) (chosen []listed) {
	seen := map[string]bool{}
	for _, l := range all {
		if seen[string(l.UID)] || l.isKept() || r.ofTemplate(l) {
			continue
		}
		seen[string(l.UID)] = true
		if reason := l.refused(); reason != "" {
			r.leave(l.title(), "%s", reason)
			continue
		}
		chosen = append(chosen, l)
	}
	return chosen
}

// isKept says whether a controller, the cluster or Helm makes and keeps an object.
func (l listed) isKept() bool {
	if len(l.OwnerReferences) > 0 || slices.Contains(given, l.title()) {
		return true
	}
	token := l.Annotations[corev1.ServiceAccountNameKey] != ""
	return l.kind == "Secret" && (token || strings.HasPrefix(l.Name, "sh.helm.release.v1."))
}

// refused says why an object cannot be part of a version.
func (l listed) refused() string {
	switch {
	case l.Labels[state.LabelManagedBy] == state.ManagedBy:
		return fmt.Sprintf("it is of the request %s/%s already", l.Labels[state.LabelTeam], l.Labels[state.LabelRequest])
	case l.DeletionTimestamp != nil:
		return "it is being deleted"
	case l.kind == "Pod":
		return "nothing starts a pod again that has no owner; write a Deployment"
	case l.kind == "Job":
		return "it ran, and a version would run it once more; add it by hand if that is meant"
	case l.kind == "Secret":
		return "its values do not belong in Git; it stays as it is, and objects that name it find it"
	}
	return ""
}

// readTemplates reads how the claims are named that the StatefulSets of the namespace make, whoever these belong to.
func (r *reader) readTemplates(ctx context.Context) error {
	sets, err := r.objects.Resource(appsv1.SchemeGroupVersion.WithResource("statefulsets")).Namespace(r.namespace).List(ctx, metav1.ListOptions{Limit: pageSize})
	if err != nil {
		return fmt.Errorf("list the statefulsets of %s: %w", r.namespace, err)
	}
	for i := range sets.Items {
		set := &sets.Items[i]
		templates, _, _ := unstructured.NestedSlice(set.Object, "spec", "volumeClaimTemplates")
		for _, t := range templates {
			template, _ := t.(map[string]any)
			name, _, _ := unstructured.NestedString(template, "metadata", "name")
			r.claims = append(r.claims, name+"-"+set.GetName()+"-")
		}
	}
	return nil
}

// ofTemplate says whether a claim is made for a pod of a StatefulSet.
func (r *reader) ofTemplate(l listed) bool {
	return l.kind == "PersistentVolumeClaim" && slices.ContainsFunc(r.claims, func(prefix string) bool {
		number, of := strings.CutPrefix(l.Name, prefix)
		_, err := strconv.ParseUint(number, 10, 32)
		return of && err == nil
	})
}

// leaveScaling removes the replicas of workloads that an autoscaler sets.
func (f *Found) leaveScaling() {
	for _, scaler := range f.Objects {
		if scaler.GetKind() != "HorizontalPodAutoscaler" {
			continue
		}
		kind, _, _ := unstructured.NestedString(scaler.Object, "spec", "scaleTargetRef", "kind")
		name, _, _ := unstructured.NestedString(scaler.Object, "spec", "scaleTargetRef", "name")
		for _, o := range f.Objects {
			if o.GetKind() == kind && o.GetName() == name {
				unstructured.RemoveNestedField(o.Object, "spec", "replicas")
			}
		}
	}
}
