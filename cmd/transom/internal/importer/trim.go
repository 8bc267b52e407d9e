package importer

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
)

// manager is the field manager of the dry runs, which write nothing.
const manager = "transom-import"

// mostDryRuns bounds the dry runs of one object.
const mostDryRuns = 80

// trim is an object as it would be written. With an error it has every field of the spec that it has in the cluster.
func trim(ctx context.Context, objects dynamic.ResourceInterface, live *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	t := &dryRuns{objects: objects, live: live, remaining: mostDryRuns}
	whole := strip(live)
	kept, err := t.leaveOut(ctx, candidates(live))
	if err != nil {
		return whole, err
	}
	// A field may have stayed for another that was omitted beside it: with its own type, a Service has other defaults.
	for _, at := range kept {
		if _, err := t.leaveOut(ctx, []Path{at}); err != nil {
			return whole, err
		}
	}
	if len(t.gone) == 0 {
		return whole, t.refusal
	}
	// The fields were looked at by themselves. Together they have to come to the same object, too.
	back, err := t.without(ctx, nil)
	if err != nil {
		return whole, err
	}
	if !reflect.DeepEqual(strip(back).Object, whole.Object) {
		return whole, errors.New("it would be another object")
	}
	for _, at := range t.gone {
		cut(whole.Object, at)
	}
	return whole, nil
}

// dryRuns asks the API server how an object would be without some of its fields.
type dryRuns struct {
	objects   dynamic.ResourceInterface
	live      *unstructured.Unstructured
	gone      []Path // fields that come back as they are
	remaining int    // of the dry runs
	refusal   error  // the first one
}

// leaveOut tries an object without fields, and returns those that would not come back as they are. Where the API server refuses
// the object, one of the fields has to stay: each half is tried by itself.
func (t *dryRuns) leaveOut(ctx context.Context, fields []Path) (kept []Path, err error) {
	if len(fields) == 0 || t.remaining == 0 {
		return fields, nil
	}
	t.remaining--
	back, err := t.without(ctx, fields)
	switch {
	case err == nil:
	case !apierrors.IsInvalid(err) && !apierrors.IsForbidden(err) && !apierrors.IsBadRequest(err):
		return nil, err
	case len(fields) == 1:
		t.refusal = cmp.Or(t.refusal, err)
		return fields, nil
	default:
		t.refusal = cmp.Or(t.refusal, err)
		first, err := t.leaveOut(ctx, fields[:len(fields)/2])
		if err != nil {
			return nil, err
		}
		second, err := t.leaveOut(ctx, fields[len(fields)/2:])
		return slices.Concat(first, second), err
	}
	for _, at := range fields {
		was, _ := valueAt(t.live.Object, at)
		is, has := valueAt(back.Object, at)
		if has && reflect.DeepEqual(was, is) {
			t.gone = append(t.gone, at)
		} else {
			kept = append(kept, at)
		}
	}
	return kept, nil
}

// without is the object as the API server would have it without fields, and without those that are gone.
func (t *dryRuns) without(ctx context.Context, fields []Path) (*unstructured.Unstructured, error) {
	object := t.live.DeepCopy()
	for _, at := range slices.Concat(t.gone, fields) {
		cut(object.Object, at)
	}
	return t.objects.Update(ctx, object, metav1.UpdateOptions{DryRun: []string{metav1.DryRunAll}, FieldManager: manager})
}

// strip is an object without the fields that only a cluster can give: its status, the bookkeeping in metadata, and addresses.
func strip(live *unstructured.Unstructured) *unstructured.Unstructured {
	o := live.DeepCopy()
	delete(o.Object, "status")
	metadata := map[string]any{"name": live.GetName()}
	if labels := o.GetLabels(); len(labels) > 0 {
		metadata["labels"] = asObject(labels)
	}
	annotations := o.GetAnnotations()
	for name := range annotations {
		if IsBookkeeping(name) {
			delete(annotations, name)
		}
	}
	if len(annotations) > 0 {
		metadata["annotations"] = asObject(annotations)
	}
	removeEmptyMetadata(o.Object)
	o.Object["metadata"] = metadata
	ip, _, _ := unstructured.NestedString(live.Object, "spec", "clusterIP")
	for _, at := range Assigned(o.GetKind(), ip == "None") {
		cut(o.Object, at)
	}
	return o
}

// removeEmptyMetadata removes the metadata of templates that say nothing.
func removeEmptyMetadata(value any) {
	switch value := value.(type) {
	case map[string]any:
		if metadata, ok := value["metadata"].(map[string]any); ok {
			if metadata["creationTimestamp"] == nil {
				delete(metadata, "creationTimestamp")
			}
			if len(metadata) == 0 {
				delete(value, "metadata")
			}
		}
		for _, below := range value {
			removeEmptyMetadata(below)
		}
	case []any:
		for _, item := range value {
			removeEmptyMetadata(item)
		}
	}
}

func asObject(texts map[string]string) map[string]any {
	o := map[string]any{}
	for name, text := range texts {
		o[name] = text
	}
	return o
}

// IsBookkeeping says whether an annotation is a controller's or kubectl's own memory.
func IsBookkeeping(annotation string) bool {
	prefix, _, _ := strings.Cut(annotation, "/")
	return annotation == corev1.LastAppliedConfigAnnotation || slices.Contains([]string{
		"deployment.kubernetes.io", "pv.kubernetes.io", "volume.kubernetes.io", "volume.beta.kubernetes.io", "deprecated.daemonset.template.generation",
		"autoscaling.alpha.kubernetes.io", "endpoints.kubernetes.io",
	}, prefix)
}

// candidates are the fields that may be omitted: those that have a default, and those that kubectl's memory of the file does
// not have.
func candidates(live *unstructured.Unstructured) []Path {
	paths := expand(live.Object, defaults(live.GetKind()))
	var file map[string]any
	if text := live.GetAnnotations()[corev1.LastAppliedConfigAnnotation]; text != "" && json.Unmarshal([]byte(text), &file) == nil {
		for name, value := range live.Object {
			if name != "metadata" && name != "status" && file[name] != nil {
				paths = append(paths, beyond(Path{name}, value, file[name])...)
			}
		}
	}
	return paths
}

// beyond lists the topmost fields of a value that another value lacks. Items of lists stay as they are where their number differs.
func beyond(at Path, value, file any) (paths []Path) {
	switch value := value.(type) {
	case map[string]any:
		file, ok := file.(map[string]any)
		if !ok {
			return nil
		}
		for name, v := range value {
			below := append(slices.Clone(at), name)
			if other, known := file[name]; known {
				paths = append(paths, beyond(below, v, other)...)
			} else {
				paths = append(paths, below)
			}
		}
	case []any:
		file, ok := file.([]any)
		if !ok || len(file) != len(value) {
			return nil
		}
		for i, v := range value {
			paths = append(paths, beyond(append(slices.Clone(at), i), v, file[i])...)
		}
	}
	return paths
}
