package render

import (
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"

	"transom.dev/render/builtin"
)

// A fixedField is one that an API server does not let change; absent is its value where it is not written. A kept one may be
// added and taken away, as rules about an old value look only at fields that are there before and after.
type fixedField struct {
	path   string
	absent any
	kept   bool
}

// fixedFields are the fields that may not change in the lifetime of an object, by group and kind, from the validation
// of updates in Kubernetes 1.37 (pkg/apis/*/validation).
var fixedFields = map[string][]fixedField{
	"apps/Deployment": {{path: "spec.selector"}},
	"apps/ReplicaSet": {{path: "spec.selector"}},
	"apps/DaemonSet":  {{path: "spec.selector"}},
	"apps/StatefulSet": {
		{path: "spec.selector"},
		{path: "spec.serviceName"},
		{path: "spec.podManagementPolicy", absent: "OrderedReady"},
		{path: "spec.volumeClaimTemplates"},
	},
	"batch/Job": {
		{path: "spec.selector"},
		{path: "spec.template"},
		{path: "spec.completionMode", absent: "NonIndexed"},
		{path: "spec.podFailurePolicy"},
		{path: "spec.successPolicy"},
		{path: "spec.backoffLimitPerIndex"},
		{path: "spec.managedBy"},
	},
	"Service": {{path: "spec.clusterIP"}},
	"PersistentVolumeClaim": {
		{path: "spec.accessModes"},
		{path: "spec.storageClassName"},
		{path: "spec.selector"},
		{path: "spec.volumeName"},
		{path: "spec.volumeMode", absent: "Filesystem"},
		{path: "spec.dataSource"},
		{path: "spec.dataSourceRef"},
	},
	"Secret":                                {{path: "type", absent: "Opaque"}},
	"rbac.authorization.k8s.io/RoleBinding": {{path: "roleRef"}},
	"rbac.authorization.k8s.io/ClusterRoleBinding": {{path: "roleRef"}},
	"storage.k8s.io/StorageClass": {
		{path: "provisioner"},
		{path: "parameters"},
		{path: "reclaimPolicy", absent: "Delete"},
		{path: "volumeBindingMode", absent: "Immediate"},
	},
	"storage.k8s.io/VolumeAttributesClass": {{path: "driverName"}, {path: "parameters"}},
	"scheduling.k8s.io/PriorityClass":      {{path: "value"}, {path: "preemptionPolicy", absent: "PreemptLowerPriority"}},
	"node.k8s.io/RuntimeClass":             {{path: "handler"}},
	"networking.k8s.io/IngressClass":       {{path: "spec.controller"}},
	"apiextensions.k8s.io/CustomResourceDefinition": {
		{path: "spec.group"}, {path: "spec.scope"}, {path: "spec.names.kind"}, {path: "spec.names.plural"},
	},
}

// frozenFields are fixed once an object says immutable: true.
var frozenFields = map[string][]fixedField{
	"Secret":    {{path: "data"}, {path: "stringData"}, {path: "immutable"}},
	"ConfigMap": {{path: "data"}, {path: "binaryData"}, {path: "immutable"}},
}

// unchangeable lists the fields in which two contents of one object differ though the API server allows no change.
func unchangeable(id objectID, before, after map[string]any, custom fixing) (fields []string) {
	kind := strings.TrimPrefix(id.group+"/"+id.kind, "/")
	fixed := fixedFields[kind]
	if _, known := builtin.Scope(id.group, id.kind); !known && custom != nil {
		apiVersion, _ := after["apiVersion"].(string)
		fixed = custom(apiVersion, id.kind)
	}
	if frozen, _ := before["immutable"].(bool); frozen {
		fixed = slices.Concat(fixed, frozenFields[kind])
	}
	for _, f := range fixed {
		was, is := f.in(before), f.in(after)
		if !reflect.DeepEqual(was, is) && (!f.kept || was != nil && is != nil) {
			fields = append(fields, f.path)
		}
	}
	if kind == "PersistentVolumeClaim" && shrinks(before, after) {
		fields = append(fields, claimedStorage)
	}
	return fields
}

func (f fixedField) in(object map[string]any) any {
	if value := at(object, f.path); value != nil {
		return value
	}
	return f.absent
}

// claimedStorage may only grow.
const claimedStorage = "spec.resources.requests.storage"

func shrinks(before, after map[string]any) bool {
	was, wasText := at(before, claimedStorage).(string)
	is, isText := at(after, claimedStorage).(string)
	if !wasText || !isText {
		return false
	}
	old, err := resource.ParseQuantity(was)
	if err != nil {
		return false
	}
	new, err := resource.ParseQuantity(is)
	return err == nil && new.Cmp(old) < 0
}

// at returns the value at a path of field names, or nothing.
func at(object map[string]any, path string) any {
	var value any = object
	for _, name := range strings.Split(path, ".") {
		fields, _ := value.(map[string]any)
		value = fields[name]
	}
	return value
}
