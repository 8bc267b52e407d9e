package builtin

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
)

// offByDefault is the first minor version of Kubernetes 1 that serves no new beta API unless somebody asks it to.
const offByDefault = 24

// APIVersions lists the API versions that a minor version of Kubernetes 1 serves by default, as GROUP/VERSION and as
// GROUP/VERSION/KIND, sorted: as far as the kinds know that are of Kubernetes itself by now.
func APIVersions(minor int) []string {
	found := map[string]bool{}
	add := func(gvk schema.GroupVersionKind) {
		found[gvk.GroupVersion().String()] = true
		found[gvk.GroupVersion().String()+"/"+gvk.Kind] = true
	}
	for gvk := range scheme.Scheme.AllKnownTypes() {
		if _, known := Scope(gvk.Group, gvk.Kind); known && serves(minor, gvk) {
			add(gvk)
		}
	}
	for _, group := range apisBeside {
		for _, kind := range Kinds(group) {
			add(schema.GroupVersionKind{Group: group, Version: "v1", Kind: kind})
		}
	}
	list := make([]string, 0, len(found))
	for name := range found {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}

func serves(minor int, gvk schema.GroupVersionKind) bool {
	object, err := scheme.Scheme.New(gvk)
	if err != nil || strings.Contains(gvk.Version, "alpha") {
		return false
	}
	introduced, removed := 0, 0
	if o, ok := object.(interface{ APILifecycleIntroduced() (major, minor int) }); ok {
		_, introduced = o.APILifecycleIntroduced()
	}
	if o, ok := object.(interface{ APILifecycleRemoved() (major, minor int) }); ok {
		_, removed = o.APILifecycleRemoved()
	}
	if strings.Contains(gvk.Version, "beta") && introduced >= offByDefault {
		return false
	}
	return introduced <= minor && (removed == 0 || minor < removed)
}
