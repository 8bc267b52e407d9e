// Package immutable knows the fields of objects that an API server does not let change. In come two contents of one object,
// out come the fields in which they differ though they may not. It knows the rules of Kubernetes' own kinds, reads those of
// custom kinds from their schemas, and asks no API server.
package immutable

import (
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"

	"transom.dev/render/builtin"
	"transom.dev/render/internal/manifests"
)

// A Field is one that an API server does not let change; absent is its value where it is not written. A kept one may be
// added and taken away, as rules about an old value look only at fields that are there before and after.
type Field struct {
	path   string
	absent any
	kept   bool
}

// A Lookup has the fields of a custom kind that may not change; nil: nothing is known of custom kinds.
type Lookup func(apiVersion, kind string) []Field

// fixedFields are the fields that may not change in the lifetime of an object, by group and kind, from the validation
// of updates in Kubernetes 1.37 (pkg/apis/*/validation).
var fixedFields = map[string][]Field{
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
var frozenFields = map[string][]Field{
	"Secret":    {{path: "data"}, {path: "stringData"}, {path: "immutable"}},
	"ConfigMap": {{path: "data"}, {path: "binaryData"}, {path: "immutable"}},
}

// Changed lists the fields in which two contents of one object differ though the API server allows no change.
func Changed(group, kind string, before, after map[string]any, custom Lookup) (fields []string) {
	name := strings.TrimPrefix(group+"/"+kind, "/")
	fixed := fixedFields[name]
	if _, known := builtin.Scope(group, kind); !known && custom != nil {
		apiVersion, _ := after["apiVersion"].(string)
		fixed = custom(apiVersion, kind)
	}
	if frozen, _ := before["immutable"].(bool); frozen {
		fixed = slices.Concat(fixed, frozenFields[name])
	}
	for _, f := range fixed {
		was, is := f.in(before), f.in(after)
		if !reflect.DeepEqual(was, is) && (!f.kept || was != nil && is != nil) {
			fields = append(fields, f.path)
		}
	}
	if name == "PersistentVolumeClaim" && shrinks(before, after) {
		fields = append(fields, claimedStorage)
	}
	return fields
}

func (f Field) in(object map[string]any) any {
	if value := manifests.At(object, f.path); value != nil {
		return value
	}
	return f.absent
}

// claimedStorage may only grow.
const claimedStorage = "spec.resources.requests.storage"

func shrinks(before, after map[string]any) bool {
	was, wasText := manifests.At(before, claimedStorage).(string)
	is, isText := manifests.At(after, claimedStorage).(string)
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
