package preview

import (
	"bytes"
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
// ones. A Secret, whose values stay in the cluster, is as it is desired.
func Covered(desired []byte, live []map[string]any) ([]byte, error) {
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
		object := covered(wanted[id].object, d.object)
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

// covered is the part of a live value that a desired one sets.
func covered(desired, live any) any {
	switch desired := desired.(type) {
	case map[string]any:
		fields, ok := live.(map[string]any)
		if !ok {
			return live
		}
		part := map[string]any{}
		for name, value := range desired {
			if is, there := fields[name]; there {
				part[name] = covered(value, is)
			}
		}
		return part
	case []any:
		items, ok := live.([]any)
		if !ok {
			return live
		}
		return coveredItems(desired, items)
	}
	return live
}

// coveredItems is covered for lists. Items with a name belong to each other by that, others by their place; items of the cluster that
// are beyond the desired ones are shown, unless they have a name: others may own these.
func coveredItems(desired, live []any) []any {
	part := []any{}
	for i, item := range desired {
		at := i
		if name := nameOf(item); name != "" {
			at = slices.IndexFunc(live, func(other any) bool { return nameOf(other) == name })
		}
		if at >= 0 && at < len(live) {
			part = append(part, covered(item, live[at]))
		}
	}
	for i := len(desired); i < len(live); i++ {
		if nameOf(live[i]) == "" {
			part = append(part, live[i])
		}
	}
	return part
}

// nameOf is the name of an item of a list; empty: it has none.
func nameOf(item any) string {
	fields, _ := item.(map[string]any)
	name, _ := fields["name"].(string)
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
