package apply

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// fieldSet reads an entry of managedFields. Its nodes are those that the API server documents for FieldsV1: "f:<name>" is
// a field, "k:<keys>" an item of a list by its keys, "v:<value>" an item of a set, "." the node itself, and an empty
// node covers all that is below it.
func fieldSet(e *metav1.ManagedFieldsEntry) map[string]any {
	var set map[string]any
	if e == nil || e.FieldsV1 == nil || json.Unmarshal(e.FieldsV1.GetRawBytes(), &set) != nil {
		return nil
	}
	return set
}

// segment is one part of a path: how it reads, and which node of a field set it leads to.
type segment struct {
	text string
	find func(node map[string]any) (map[string]any, bool)
}

type path []segment

func (p path) String() string {
	var b strings.Builder
	for _, s := range p {
		b.WriteString(s.text)
	}
	return strings.TrimPrefix(b.String(), ".")
}

// in says whether a field set owns the field that the path leads to.
func (p path) in(set map[string]any) bool {
	for i, s := range p {
		if len(set) == 0 {
			return i > 0
		}
		next, ok := s.find(set)
		if !ok {
			return false
		}
		set = next
	}
	return true
}

// notApplied are the fields of an object and of its metadata that managedFields never lists.
var notApplied = map[string][]string{
	"":         {"apiVersion", "kind", "status"},
	"metadata": {"name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp", "managedFields"},
}

// uncovered returns the path to the first field of an object that a field set does not own; nil if it owns all.
func uncovered(set map[string]any, object map[string]any) path {
	for _, name := range slices.Sorted(maps.Keys(object)) {
		if slices.Contains(notApplied[""], name) {
			continue
		}
		value := object[name]
		if metadata, ok := value.(map[string]any); ok && name == "metadata" {
			if metadata = without(metadata, notApplied["metadata"]); len(metadata) == 0 {
				continue
			}
			value = metadata
		}
		if missing := uncoveredField(set, name, value); missing != nil {
			return missing
		}
	}
	return nil
}

// without are the fields that are not among the names.
func without(fields map[string]any, names []string) map[string]any {
	rest := maps.Clone(fields)
	maps.DeleteFunc(rest, func(name string, _ any) bool { return slices.Contains(names, name) })
	return rest
}

// uncoveredField is uncovered for one field: the path to it, or to the first field below that the set does not own.
func uncoveredField(set map[string]any, name string, value any) path {
	if value == nil {
		return nil // a null is not applied
	}
	field := fieldSegment(name)
	node, ok := field.find(set)
	if list, isList := value.([]any); !ok && isList && len(list) == 0 {
		return nil // of a list by keys or values there is nothing to own; takenList knows of those that somebody else set
	}
	if !ok {
		if inner, isMap := value.(map[string]any); isMap && len(inner) > 0 {
			return append(path{field}, uncoveredValue(nil, value, true)...)
		}
		return path{field}
	}
	if missing := uncoveredValue(node, value, false); missing != nil {
		return append(path{field}, missing...)
	}
	return nil
}

// uncoveredValue looks below a node; none says that there is no node, so that the first field below is missing.
func uncoveredValue(node map[string]any, value any, none bool) path {
	if len(node) == 0 && !none {
		return nil
	}
	switch value := value.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(value)) {
			if missing := uncoveredField(node, name, value[name]); missing != nil {
				return missing
			}
		}
	case []any:
		for i, item := range value {
			if missing := uncoveredItem(node, i, item); missing != nil {
				return missing
			}
		}
	}
	return nil
}

// uncoveredItem is uncovered for one item of a list.
func uncoveredItem(node map[string]any, index int, item any) path {
	at := itemSegment(index, item)
	below, ok := at.find(node)
	if !ok {
		return path{at}
	}
	if missing := uncoveredValue(below, item, false); missing != nil {
		return append(path{at}, missing...)
	}
	return nil
}

func fieldSegment(name string) segment {
	return segment{text: "." + name, find: func(node map[string]any) (map[string]any, bool) {
		below, ok := node["f:"+name].(map[string]any)
		return below, ok
	}}
}

// itemSegment finds an item of a list by its keys or its value. A key that the item leaves out has its default.
func itemSegment(index int, item any) segment {
	text := fmt.Sprintf("[%d]", index)
	fields, isMap := item.(map[string]any)
	if name, ok := fields["name"].(string); ok {
		text = "[name=" + name + "]"
	}
	return segment{text: text, find: func(node map[string]any) (map[string]any, bool) {
		for name, below := range node {
			keys, isKeys := strings.CutPrefix(name, "k:")
			value, isValue := strings.CutPrefix(name, "v:")
			byKeys := isKeys && isMap && keyed(keys, fields)
			byValue := isValue && !isMap && sameJSON(value, item)
			if byKeys || byValue {
				inner, ok := below.(map[string]any)
				return inner, ok
			}
		}
		return nil, false
	}}
}

// keyed says whether an item of a list has the keys of a node, which are JSON.
func keyed(keys string, item map[string]any) bool {
	var want map[string]any
	if json.Unmarshal([]byte(keys), &want) != nil {
		return false
	}
	for name, value := range want {
		if have, ok := item[name]; ok && !sameScalar(have, value) {
			return false
		}
	}
	return true
}

// sameJSON says whether a value equals one that is written as JSON.
func sameJSON(raw string, value any) bool {
	var want any
	return json.Unmarshal([]byte(raw), &want) == nil && sameScalar(value, want)
}

// sameScalar compares a value of an object, where whole numbers are int64, with one of JSON, where they are float64.
func sameScalar(a, b any) bool {
	if n, ok := a.(int64); ok {
		a = float64(n)
	}
	return reflect.DeepEqual(a, b)
}

// takenList returns the path to the first empty list of an object that is one value and has another owner now; nil if there is none.
func takenList(entries []metav1.ManagedFieldsEntry, value any, at path) path {
	switch value := value.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(value)) {
			if taken := takenList(entries, value[name], append(slices.Clip(at), fieldSegment(name))); taken != nil {
				return taken
			}
		}
	case []any:
		for i, item := range value {
			if taken := takenList(entries, item, append(slices.Clip(at), itemSegment(i, item))); taken != nil {
				return taken
			}
		}
		if len(value) == 0 && !at.in(fieldSet(ownEntry(entries))) && slices.ContainsFunc(entries, at.isValueOf) {
			return at
		}
	}
	return nil
}

// hasEmptyList says whether some list in a value has no items.
func hasEmptyList(value any) bool {
	switch value := value.(type) {
	case map[string]any:
		for _, inner := range value {
			if hasEmptyList(inner) {
				return true
			}
		}
	case []any:
		return len(value) == 0 || slices.ContainsFunc(value, hasEmptyList)
	}
	return false
}

// isValueOf says whether a manager owns the field that the path leads to as one value, with all that is below it.
func (p path) isValueOf(e metav1.ManagedFieldsEntry) bool {
	set := fieldSet(&e)
	for _, s := range p {
		next, ok := s.find(set)
		if !ok {
			return false
		}
		set = next
	}
	return len(set) == 0 && e.Subresource != "status"
}

// taker names the manager that took the field at path; empty if nobody owns it, because it was removed.
func taker(entries []metav1.ManagedFieldsEntry, at path) string {
	own := ownEntry(entries)
	for i := range entries {
		if e := &entries[i]; e != own && e.Subresource != "status" && at.in(fieldSet(e)) {
			return e.Manager
		}
	}
	return ""
}
