package render

import (
	"fmt"
	"path"
	"reflect"
	"slices"
	"strings"

	"transom.dev/render/platform"
)

// upgrade warns of what moving the cases of two versions from the one to the other does. What cannot be rendered with
// both says nothing: its request is not one that moves.
func upgrade(from, to *platform.Version, before, after []*Case) error {
	told := map[string]bool{}
	for _, c := range slices.Concat(after, before) {
		if c.Got == nil {
			continue
		}
		old, now := c.Got, c.Got
		if c.Version == to {
			old = c.as(from)
		} else {
			now = c.as(to)
		}
		if old == nil || now == nil {
			continue
		}
		remarks, err := upgradeRemarks(old, now)
		if err != nil {
			return err
		}
		for _, remark := range remarks {
			if told[remark] {
				continue
			}
			told[remark] = true
			warning := platform.Problem{
				File: path.Join(c.Dir, "request.yaml"), Rule: "upgrade", Warning: true,
				Message: fmt.Sprintf("moving from %s to %s %s", from.Number, to.Number, remark),
			}
			c.Problems = append(c.Problems, warning)
		}
	}
	return nil
}

// as renders the case with another version of its offering; nil where that does not take it.
func (c *Case) as(v *platform.Version) []byte {
	rendered, problems := InstanceAs(c.loaded, c.environment, c.key, "", v)
	if slices.ContainsFunc(problems, func(p platform.Problem) bool { return !p.Warning }) {
		return nil
	}
	return rendered.Manifest
}

// upgradeRemarks says what an upgrade from one manifest to the next one does that its authors should know: fields that
// Kubernetes does not let change, objects that go, and data that goes or is left behind.
func upgradeRemarks(before, after []byte) ([]string, error) {
	old, err := genericObjects(before)
	if err != nil {
		return nil, err
	}
	now, err := genericObjects(after)
	if err != nil {
		return nil, err
	}
	var remarks []string
	ids := func() (all []objectID) {
		for id := range old {
			all = append(all, id)
		}
		slices.SortFunc(all, func(a, b objectID) int { return strings.Compare(a.String(), b.String()) })
		return all
	}()
	for _, id := range ids {
		if now[id] == nil {
			remarks = append(remarks, removal(id, old[id]))
			continue
		}
		for _, volume := range volumesLost(old[id], now[id]) {
			remarks = append(remarks, fmt.Sprintf("takes the volume %s from the %s: its data is left behind", volume, id))
		}
		if fields := immutableChanges(id, old[id], now[id]); len(fields) > 0 {
			remarks = append(remarks, fmt.Sprintf("changes %s of the %s, which Kubernetes refuses: the object has to be replaced",
				strings.Join(fields, ", "), id))
		}
	}
	return remarks, nil
}

func genericObjects(manifest []byte) (map[objectID]map[string]any, error) {
	found := map[objectID]map[string]any{}
	for _, text := range splitDocuments(manifest) {
		objects, err := parseObjects(text)
		if err != nil {
			return nil, err
		}
		if len(objects) != 1 {
			continue
		}
		if found[objects[0].id], err = genericObject(text); err != nil {
			return nil, err
		}
	}
	return found, nil
}

func removal(id objectID, object map[string]any) string {
	switch {
	case id.group == "" && id.kind == "PersistentVolumeClaim":
		return fmt.Sprintf("removes the %s and its data with it", id)
	case id.kind == "StatefulSet" && len(volumeTemplates(object)) > 0:
		return fmt.Sprintf("removes the %s: the data of its volumes is left behind", id)
	}
	return fmt.Sprintf("removes the %s", id)
}

// volumesLost names the volume claim templates that a StatefulSet no longer has.
func volumesLost(before, after map[string]any) (lost []string) {
	has := volumeTemplates(after)
	for _, name := range volumeTemplates(before) {
		if !slices.Contains(has, name) {
			lost = append(lost, name)
		}
	}
	return lost
}

func volumeTemplates(object map[string]any) (names []string) {
	templates, _ := field(object, "spec", "volumeClaimTemplates").([]any)
	for _, t := range templates {
		template, _ := t.(map[string]any)
		if name, ok := field(template, "metadata", "name").(string); ok {
			names = append(names, name)
		}
	}
	return names
}

// immutable lists the fields that Kubernetes does not let change once an object is there, by group and kind.
var immutable = map[string][]string{
	"apps/Deployment":                       {"spec.selector"},
	"apps/DaemonSet":                        {"spec.selector"},
	"apps/ReplicaSet":                       {"spec.selector"},
	"batch/Job":                             {"spec.selector", "spec.template", "spec.completionMode", "spec.manualSelector"},
	"Service":                               {"spec.clusterIP", "spec.clusterIPs"},
	"Secret":                                {"type"},
	"rbac.authorization.k8s.io/RoleBinding": {"roleRef"},
	"rbac.authorization.k8s.io/ClusterRoleBinding":  {"roleRef"},
	"storage.k8s.io/StorageClass":                   {"provisioner", "parameters", "reclaimPolicy", "volumeBindingMode"},
	"networking.k8s.io/IngressClass":                {"spec.controller"},
	"scheduling.k8s.io/PriorityClass":               {"value"},
	"apiextensions.k8s.io/CustomResourceDefinition": {"spec.group", "spec.scope", "spec.names.kind", "spec.names.plural"},
}

// mutable lists, for kinds whose spec is immutable as a whole, the fields of it that are not.
var mutable = map[string][]string{
	"apps/StatefulSet": {
		"replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit", "persistentVolumeClaimRetentionPolicy", "minReadySeconds",
	},
	"PersistentVolumeClaim": {"resources", "volumeAttributesClassName"},
}

// immutableChanges lists the fields that differ and cannot be changed in place.
func immutableChanges(id objectID, before, after map[string]any) (changed []string) {
	kind := strings.TrimPrefix(id.group+"/"+id.kind, "/")
	fields := slices.Clone(immutable[kind])
	if free, whole := mutable[kind]; whole {
		for _, object := range []map[string]any{before, after} {
			spec, _ := object["spec"].(map[string]any)
			for name := range spec {
				if !slices.Contains(free, name) && !slices.Contains(fields, "spec."+name) {
					fields = append(fields, "spec."+name)
				}
			}
		}
	}
	if before["immutable"] == true && id.group == "" && (id.kind == "ConfigMap" || id.kind == "Secret") {
		fields = append(fields, "data", "binaryData", "immutable")
	}
	slices.Sort(fields)
	for _, f := range fields {
		path := strings.Split(f, ".")
		if !reflect.DeepEqual(field(before, path...), field(after, path...)) {
			changed = append(changed, f)
		}
	}
	return changed
}

func field(object map[string]any, path ...string) any {
	var at any = object
	for _, name := range path {
		m, _ := at.(map[string]any)
		at = m[name]
	}
	return at
}
