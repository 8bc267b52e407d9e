package apply

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// entriesOf are the entries of an object's managedFields; none where one of them cannot be read. Its own method would write each such
// object of an API server that is not well to the standard error, for every event.
func entriesOf(m metav1.Object) []metav1.ManagedFieldsEntry {
	u, is := m.(*unstructured.Unstructured)
	if !is {
		return m.GetManagedFields()
	}
	value, _, _ := unstructured.NestedFieldNoCopy(u.Object, "metadata", "managedFields")
	items, is := value.([]any)
	if !is {
		return nil
	}
	entries := make([]metav1.ManagedFieldsEntry, len(items))
	for i, item := range items {
		fields, is := item.(map[string]any)
		if !is {
			return nil
		}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(fields, &entries[i]); err != nil {
			return nil
		}
	}
	return entries
}
