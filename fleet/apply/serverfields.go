package apply

import (
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// dropServerFields drops the fields that tools write into manifests and that only the cluster fills. The digest is of the
// manifest as it is in Git, so that dropping them changes nothing that runs.
func dropServerFields(u *unstructured.Unstructured) {
	delete(u.Object, "status")
	metadata, _, _ := unstructured.NestedMap(u.Object, "metadata")
	if created, there := metadata["creationTimestamp"]; there && created == nil {
		unstructured.RemoveNestedField(u.Object, "metadata", "creationTimestamp")
	}
	switch gk := u.GroupVersionKind().GroupKind().String(); gk {
	case "ClusterRole.rbac.authorization.k8s.io":
		if u.Object["aggregationRule"] != nil {
			delete(u.Object, "rules") // those of the roles that it aggregates
		}
	case "ValidatingWebhookConfiguration.admissionregistration.k8s.io", "MutatingWebhookConfiguration.admissionregistration.k8s.io":
		webhooks, _ := u.Object["webhooks"].([]any)
		for _, webhook := range webhooks {
			webhook, _ := webhook.(map[string]any)
			dropBundle(u, webhook, "clientConfig")
		}
	case crds.gvk.GroupKind().String():
		dropBundle(u, u.Object, "spec", "conversion", "webhook", "clientConfig")
	case "APIService.apiregistration.k8s.io":
		dropBundle(u, u.Object, "spec")
	}
}

// injectors are annotations that have a controller fill the CA bundles of an object.
var injectors = []string{
	"cert-manager.io/inject-ca-from", "cert-manager.io/inject-ca-from-secret", "cert-manager.io/inject-apiserver-ca",
	"service.beta.openshift.io/inject-cabundle",
}

// placeholders are the values that tools write where a controller is to fill in a CA bundle: nothing, or an empty line.
var placeholders = []any{nil, "", "Cg=="}

// dropBundle drops the caBundle below a path, if others fill it.
func dropBundle(u *unstructured.Unstructured, within map[string]any, path ...string) {
	parent, there, _ := unstructured.NestedFieldNoCopy(within, path...)
	fields, isMap := parent.(map[string]any)
	annotations := u.GetAnnotations()
	injected := slices.ContainsFunc(injectors, func(name string) bool { return annotations[name] != "" })
	filled := injected || slices.Contains(placeholders, fields["caBundle"])
	if there && isMap && filled {
		delete(fields, "caBundle")
	}
}
