package apply

import (
	"context"
	"fmt"
	"regexp"
	"slices"

	"github.com/fluxcd/pkg/ssa/normalize"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"transom.dev/render/state"
)

// mostLive bounds the objects of an instance that are read for people at once.
const mostLive = 100

// A Named is an object in a version of its API.
type Named struct {
	Object
	Version string // such as v1
}

// Live reads objects of an instance as the cluster has them, each in the version that it is named in, without the fields that say who
// wrote it and when. An object that does not exist, or that is another's, is omitted. Secrets are never read.
func (c *showing) Live(ctx context.Context, o Owner, objects []Named) ([]map[string]any, error) {
	var all []map[string]any
	for _, one := range objects[:min(len(objects), mostLive)] {
		if one.Kind == "Secret" && one.Group == "" {
			continue
		}
		k, err := c.client.kinds.find(ctx, schema.GroupVersionKind{Group: one.Group, Version: one.Version, Kind: one.Kind})
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", one.Object, err)
		}
		if k == nil {
			continue
		}
		found, err := c.client.readWhole(ctx, k, one.Object)
		switch {
		case apierrors.IsNotFound(err):
		case err != nil:
			return nil, fmt.Errorf("read %s: %w", one.Object, err)
		case o.carries(found.GetLabels()):
			all = append(all, withoutWrites(found))
		}
	}
	return all, nil
}

// withoutWrites is an object without the fields that say who wrote it and when.
func withoutWrites(u *unstructured.Unstructured) map[string]any {
	for _, field := range []string{"managedFields", "uid", "resourceVersion", "generation", "creationTimestamp", "selfLink"} {
		unstructured.RemoveNestedField(u.Object, "metadata", field)
	}
	for _, name := range []string{state.AnnotationDigest, corev1.LastAppliedConfigAnnotation} {
		unstructured.RemoveNestedField(u.Object, "metadata", "annotations", name)
	}
	return u.Object
}

// Canonical is an object as an API server writes it, whose types have one way to write each value: "1000m" of CPU is "1" there, and an empty
// list that a type leaves out is not there. An object of a kind that Kubernetes does not have itself stays as it is.
func Canonical(object map[string]any) map[string]any {
	if hasHugeQuantity(object) {
		return object
	}
	u := &unstructured.Unstructured{Object: runtime.DeepCopyJSON(object)}
	if err := normalize.Unstructured(u); err != nil {
		return object
	}
	return u.Object
}

// hugeQuantity matches quantities that have very many digits once they are read: of 1234567890123456789e2000000000 that takes hours.
var hugeQuantity = regexp.MustCompile(`^[-+.0-9]+[eE][-+]?[0-9]{4,}$`)

// hasHugeQuantity reports whether a value has such a text. API servers have none; whoever pretends to be one may.
func hasHugeQuantity(value any) bool {
	switch v := value.(type) {
	case string:
		return hugeQuantity.MatchString(v)
	case []any:
		return slices.ContainsFunc(v, hasHugeQuantity)
	case map[string]any:
		for _, field := range v {
			if hasHugeQuantity(field) {
				return true
			}
		}
	}
	return false
}
