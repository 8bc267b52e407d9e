package builtin

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
)

// KubernetesMinor is the minor version of Kubernetes 1 whose kinds and fields are known: that of k8s.io/api.
const KubernetesMinor = 37

// apisBeside are the built-in groups that k8s.io/api does not have; each has one version, and had one that is gone.
var apisBeside = []string{"apiextensions.k8s.io", "apiregistration.k8s.io"}

// Group reports whether an API group is one of Kubernetes itself, now or formerly.
func Group(group string) bool {
	_, namespaced := namespacedKinds[group]
	_, cluster := clusterKinds[group]
	return namespaced || cluster || scheme.Scheme.IsGroupRegistered(group)
}

// Unserved says that the API servers of Kubernetes do not serve a built-in kind in a version, and which one they serve
// instead; empty where they do, and of a kind that is not Kubernetes' own.
func Unserved(group, version, kind string) string {
	gvk := schema.GroupVersionKind{Group: group, Version: version, Kind: kind}
	apiVersion := gvk.GroupVersion().String()
	if object, err := scheme.Scheme.New(gvk); err == nil {
		removable, ok := object.(interface{ APILifecycleRemoved() (major, minor int) })
		if !ok {
			return ""
		}
		major, minor := removable.APILifecycleRemoved()
		if major != 1 || minor == 0 || minor > KubernetesMinor {
			return ""
		}
		return fmt.Sprintf("%s %s was removed in Kubernetes 1.%d%s", apiVersion, kind, minor, instead(gvk, object))
	}
	_, known := Scope(group, kind)
	switch {
	case slices.Contains(apisBeside, group) && known && version == "v1beta1":
		return fmt.Sprintf("%s %s was removed in Kubernetes 1.22; use %s/v1", apiVersion, kind, group)
	case slices.Contains(apisBeside, group) && known && version == "v1":
		return ""
	case known:
		return fmt.Sprintf("Kubernetes has no %s %s%s", apiVersion, kind, instead(gvk, nil))
	}
	return ""
}

// instead names the apiVersion, or the kind, to write instead of one that is not served.
func instead(gvk schema.GroupVersionKind, object any) string {
	if replaceable, ok := object.(interface {
		APILifecycleReplacement() schema.GroupVersionKind
	}); ok {
		with := replaceable.APILifecycleReplacement()
		if with.Kind != gvk.Kind {
			return fmt.Sprintf("; use %s %s", with.GroupVersion(), with.Kind)
		}
		return "; use " + with.GroupVersion().String()
	}
	var served []string
	for _, version := range scheme.Scheme.PrioritizedVersionsForGroup(gvk.Group) {
		if scheme.Scheme.Recognizes(version.WithKind(gvk.Kind)) && Unserved(gvk.Group, version.Version, gvk.Kind) == "" {
			served = append(served, version.String())
		}
	}
	switch {
	case len(served) > 0:
		return "; use " + strings.Join(served, " or ")
	case slices.Contains(apisBeside, gvk.Group):
		return "; use " + gvk.Group + "/v1"
	}
	return ""
}
