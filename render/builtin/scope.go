package builtin

import (
	"maps"
	"slices"
)

// Scope returns Namespaced or Cluster for a kind of Kubernetes itself.
func Scope(group, kind string) (scope string, known bool) {
	switch {
	case slices.Contains(namespacedKinds[group], kind):
		return "Namespaced", true
	case slices.Contains(clusterKinds[group], kind):
		return "Cluster", true
	}
	return "", false
}

// The kinds that an API server of Kubernetes 1.37 and its aggregation and extension layers serve, by group.
var (
	namespacedKinds = map[string][]string{
		"":                          {"Binding", "ConfigMap", "Endpoints", "Event", "LimitRange", "PersistentVolumeClaim", "Pod", "PodTemplate", "ReplicationController", "ResourceQuota", "Secret", "Service", "ServiceAccount"},
		"apps":                      {"ControllerRevision", "DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"},
		"authorization.k8s.io":      {"LocalSubjectAccessReview"},
		"autoscaling":               {"HorizontalPodAutoscaler"},
		"batch":                     {"CronJob", "Job"},
		"coordination.k8s.io":       {"Lease", "LeaseCandidate"},
		"discovery.k8s.io":          {"EndpointSlice"},
		"events.k8s.io":             {"Event"},
		"networking.k8s.io":         {"Ingress", "NetworkPolicy"},
		"policy":                    {"PodDisruptionBudget"},
		"rbac.authorization.k8s.io": {"Role", "RoleBinding"},
		"resource.k8s.io":           {"ResourceClaim", "ResourceClaimTemplate"},
		"storage.k8s.io":            {"CSIStorageCapacity"},
	}
	clusterKinds = map[string][]string{
		"":                             {"ComponentStatus", "Namespace", "Node", "PersistentVolume"},
		"admissionregistration.k8s.io": {"MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding", "MutatingWebhookConfiguration", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding", "ValidatingWebhookConfiguration"},
		"apiextensions.k8s.io":         {"CustomResourceDefinition"},
		"apiregistration.k8s.io":       {"APIService"},
		"authentication.k8s.io":        {"SelfSubjectReview", "TokenReview"},
		"authorization.k8s.io":         {"SelfSubjectAccessReview", "SelfSubjectRulesReview", "SubjectAccessReview"},
		"certificates.k8s.io":          {"CertificateSigningRequest", "ClusterTrustBundle"},
		"flowcontrol.apiserver.k8s.io": {"FlowSchema", "PriorityLevelConfiguration"},
		"networking.k8s.io":            {"IPAddress", "IngressClass", "ServiceCIDR"},
		"node.k8s.io":                  {"RuntimeClass"},
		"rbac.authorization.k8s.io":    {"ClusterRole", "ClusterRoleBinding"},
		"resource.k8s.io":              {"DeviceClass", "DeviceTaintRule", "ResourceSlice"},
		"scheduling.k8s.io":            {"PriorityClass"},
		"storage.k8s.io":               {"CSIDriver", "CSINode", "StorageClass", "VolumeAttachment", "VolumeAttributesClass"},
		"storagemigration.k8s.io":      {"StorageVersionMigration"},
	}
)

// GroupOf returns a group of Kubernetes that has a kind.
func GroupOf(kind string) string {
	for _, kinds := range []map[string][]string{namespacedKinds, clusterKinds} {
		for _, group := range slices.Sorted(maps.Keys(kinds)) {
			if slices.Contains(kinds[group], kind) {
				return group
			}
		}
	}
	return ""
}

// Kinds lists the kinds of a group of Kubernetes.
func Kinds(group string) []string { return slices.Concat(namespacedKinds[group], clusterKinds[group]) }
