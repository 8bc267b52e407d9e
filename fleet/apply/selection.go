package apply

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// selecting are the kinds that work by which pods they select, and the field that says so.
var selecting = map[schema.GroupKind]string{
	{Kind: "Service"}: "selector",
	{Group: "policy", Kind: "PodDisruptionBudget"}:      "selector",
	{Group: "networking.k8s.io", Kind: "NetworkPolicy"}: "podSelector",
}

// selectorOf is the selector by which an object selects pods; nil for a kind that selects none.
func selectorOf(gk schema.GroupKind, object map[string]any) labels.Selector {
	name, known := selecting[gk]
	if !known {
		return nil
	}
	fields, there, _ := unstructured.NestedMap(object, "spec", name)
	if gk.Group == "" { // a Service, which without a selector has its endpoints from somebody else
		values, _, _ := unstructured.NestedStringMap(object, "spec", name)
		if len(values) == 0 {
			return labels.Nothing()
		}
		return labels.SelectorFromSet(values)
	}
	if !there && gk.Kind != "NetworkPolicy" {
		return labels.Nothing()
	}
	var selector metav1.LabelSelector
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(fields, &selector); err != nil {
		return labels.Nothing()
	}
	parsed, err := metav1.LabelSelectorAsSelector(&selector)
	if err != nil {
		return labels.Nothing()
	}
	return parsed
}

// selectorText is a selector as people read it.
func selectorText(s labels.Selector) string {
	if _, selects := s.Requirements(); !selects {
		return "nothing"
	}
	if s.Empty() {
		return "all pods"
	}
	return s.String()
}

// compareSelectors compares an object's selectors before and after, and counts their pods; nil where they are the same.
func (r rehearsal) compareSelectors(ctx context.Context, d *desired, before, after map[string]any) (*Selection, error) {
	was, is := selectorOf(d.gvk.GroupKind(), before), selectorOf(d.gvk.GroupKind(), after)
	if was == nil || is == nil || selectorText(was) == selectorText(is) {
		return nil, nil
	}
	s := &Selection{Before: selectorText(was), After: selectorText(is)}
	var err error
	if s.Pods, err = r.countPods(ctx, d.object.Namespace, was); err != nil {
		return nil, err
	}
	s.PodsAfter, err = r.countPods(ctx, d.object.Namespace, is)
	return s, err
}

// countPods counts the pods of a namespace that a selector matches now.
func (r rehearsal) countPods(ctx context.Context, namespace string, s labels.Selector) (n int, err error) {
	if _, selects := s.Requirements(); !selects {
		return 0, nil
	}
	k, err := r.client.kinds.find(ctx, podKind)
	if err != nil || k == nil {
		return 0, err
	}
	err = r.client.request(ctx, func(ctx context.Context) error {
		ctx = spending(ctx, newBudget(r.client.limits.ListBytes, "--cluster-list-bytes"))
		all, err := r.client.metadataOf(k, namespace).List(ctx, metav1.ListOptions{LabelSelector: s.String()})
		if err == nil {
			n = len(all.Items)
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("count the pods in %s: %w", namespace, err)
	}
	return n, nil
}
