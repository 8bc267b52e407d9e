package preview

import (
	"bytes"
	"reflect"
	"slices"
	"strings"

	"transom.dev/render/internal/keyorder"
	"transom.dev/render/internal/manifests"
)

// An Object is an object of a manifest file, for people.
type Object struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Namespace  string `json:"namespace,omitempty"`
	Name       string `json:"name"`
	Manifest   string `json:"manifest"` // YAML; the values of a Secret are hidden
}

// Group is that of its API; empty: the core's.
func (o Object) Group() string {
	group, _, grouped := strings.Cut(o.APIVersion, "/")
	if !grouped {
		return ""
	}
	return group
}

// Version is that of its API.
func (o Object) Version() string { return o.APIVersion[strings.LastIndex(o.APIVersion, "/")+1:] }

// Objects lists the objects of a manifest file, sorted.
func Objects(file []byte) ([]Object, error) {
	found, err := documents(manifests.Split(file))
	if err != nil {
		return nil, err
	}
	all := make([]Object, 0, len(found))
	for _, id := range sortedIDs(found, nil) {
		d := found[id]
		all = append(all, Object{d.apiVersion, id.kind, id.namespace, id.name, mask(d, d, "***")})
	}
	return all, nil
}

// Written is live objects as a manifest file.
func Written(live []map[string]any) ([]byte, error) {
	var texts [][]byte
	for _, object := range live {
		text, err := keyorder.Marshal(object)
		if err != nil {
			return nil, err
		}
		texts = append(texts, bytes.TrimSpace(text))
	}
	return manifests.Join(texts), nil
}

// Covered is live objects as a manifest file that can be compared with the desired one. It has the fields that the desired manifest
// sets, with the values of the cluster: whatever defaults, controllers and people added beside them says nothing about the desired
// ones. The canonical form of a desired object is the one in which an API server writes it: a value that is live as in there is the desired
// one. A Secret, whose values stay in the cluster, is as it is desired.
func Covered(desired []byte, live []map[string]any, canonical func(map[string]any) map[string]any) ([]byte, error) {
	wanted, err := documents(manifests.Split(desired))
	if err != nil {
		return nil, err
	}
	written, err := Written(live)
	if err != nil {
		return nil, err
	}
	found, err := documents(manifests.Split(written))
	if err != nil {
		return nil, err
	}
	var texts [][]byte
	for _, id := range sortedIDs(wanted, nil) {
		d, there := found[id]
		if wanted[id].secret {
			texts = append(texts, []byte(strings.TrimSpace(wanted[id].text)))
			continue
		}
		if !there {
			continue
		}
		object := covered(wanted[id].object, canonical(wanted[id].object), d.object)
		if same(wanted[id].object, object) {
			texts = append(texts, []byte(strings.TrimSpace(wanted[id].text)))
			continue
		}
		text, err := keyorder.Marshal(object)
		if err != nil {
			return nil, err
		}
		texts = append(texts, bytes.TrimSpace(text))
	}
	return manifests.Join(texts), nil
}

// covered is the part of a live value that a desired one sets, written as the desired one is where the live one is its canonical form.
func covered(desired, canonical, live any) any {
	switch desired := desired.(type) {
	case map[string]any:
		fields, ok := live.(map[string]any)
		if !ok {
			return live
		}
		return coveredFields(desired, canonical, fields)
	case []any:
		items, ok := live.([]any)
		if !ok {
			return live
		}
		return coveredItems(desired, canonical, items)
	}
	if reflect.DeepEqual(canonical, live) {
		return desired
	}
	return live
}

// coveredFields is covered for the fields of an object. One without a value that the canonical form leaves out is omitted by the API
// server, too.
func coveredFields(desired map[string]any, canonical any, live map[string]any) map[string]any {
	part, forms := map[string]any{}, fieldsOf(canonical)
	for name, value := range desired {
		form, formed := forms[name]
		is, there := live[name]
		switch {
		case there:
			part[name] = covered(value, form, is)
		case forms != nil && !formed && isEmpty(value):
			part[name] = value
		}
	}
	return part
}

// coveredItems is covered for lists. Items with a name belong to each other by that, others by their index; items of the cluster that
// are beyond the desired ones are shown, unless they have a name: others may own these.
func coveredItems(desired []any, canonical any, live []any) []any {
	part := []any{}
	forms, _ := canonical.([]any)
	for i, item := range desired {
		at := i
		if name := nameOf(item); name != "" {
			at = slices.IndexFunc(live, func(other any) bool { return nameOf(other) == name })
		}
		if at < 0 || at >= len(live) {
			continue
		}
		var form any
		if len(forms) == len(desired) {
			form = forms[i]
		}
		part = append(part, covered(item, form, live[at]))
	}
	for i := len(desired); i < len(live); i++ {
		if nameOf(live[i]) == "" {
			part = append(part, live[i])
		}
	}
	return part
}

func fieldsOf(value any) map[string]any {
	fields, _ := value.(map[string]any)
	return fields
}

// isEmpty says whether a value is the zero value of its type, or has no elements.
func isEmpty(value any) bool {
	switch value := value.(type) {
	case map[string]any:
		return len(value) == 0
	case []any:
		return len(value) == 0
	}
	return value == nil || reflect.ValueOf(value).IsZero()
}

// nameOf is the name of an item of a list; empty: it has none.
func nameOf(item any) string {
	name, _ := fieldsOf(item)["name"].(string)
	return name
}

// same says whether two values are written alike.
func same(a, b any) bool {
	one, err := keyorder.Marshal(a)
	if err != nil {
		return false
	}
	other, err := keyorder.Marshal(b)
	return err == nil && bytes.Equal(one, other)
}
