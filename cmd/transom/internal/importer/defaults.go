package importer

import (
	"maps"
	"slices"
	"strings"
)

// A Path leads to a field: names, and numbers of items. "*" is every item of a list, or every field of an object.
type Path []any

// pattern writes paths: names with dots between, where "*" is every item of a list or every field of an object.
type pattern = string

// The fields that the API server, or a controller's account, fills in where a manifest leaves them out. A dry run says whether
// one has its default: a pattern too many costs nothing.
var (
	podDefaults = []pattern{
		"restartPolicy", "terminationGracePeriodSeconds", "dnsPolicy", "securityContext", "schedulerName", "serviceAccount", "enableServiceLinks",
		"volumes.*.*.defaultMode", "volumes.*.hostPath.type", "volumes.*.projected.sources.*.serviceAccountToken.expirationSeconds",
	}
	containerDefaults = []pattern{
		"terminationMessagePath", "terminationMessagePolicy", "imagePullPolicy", "resources", "ports.*.protocol", "env.*.valueFrom.fieldRef.apiVersion",
	}
	probeDefaults = []pattern{"timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold", "httpGet.scheme"}
	claimDefaults = []pattern{"apiVersion", "kind", "status", "spec.volumeMode"}

	specDefaults = map[string][]pattern{
		"Deployment":              {"progressDeadlineSeconds", "revisionHistoryLimit", "strategy", "strategy.rollingUpdate.*"},
		"StatefulSet":             {"podManagementPolicy", "revisionHistoryLimit", "updateStrategy", "updateStrategy.rollingUpdate", "persistentVolumeClaimRetentionPolicy"},
		"DaemonSet":               {"revisionHistoryLimit", "updateStrategy", "updateStrategy.rollingUpdate.*"},
		"CronJob":                 {"concurrencyPolicy", "suspend", "successfulJobsHistoryLimit", "failedJobsHistoryLimit"},
		"Service":                 {"type", "sessionAffinity", "sessionAffinityConfig", "internalTrafficPolicy", "externalTrafficPolicy", "allocateLoadBalancerNodePorts", "ports.*.protocol", "ports.*.targetPort"},
		"PersistentVolumeClaim":   {"volumeMode", "storageClassName"},
		"HorizontalPodAutoscaler": {"behavior", "metrics", "minReplicas"},
		"NetworkPolicy":           {"policyTypes"},
	}
	templates = map[string]string{
		"Deployment": "spec.template", "StatefulSet": "spec.template", "DaemonSet": "spec.template", "ReplicaSet": "spec.template",
		"CronJob": "spec.jobTemplate.spec.template",
	}
)

// Assigned are the fields that a cluster assigns to an object of a kind, and that no manifest gives. That a Service is headless is
// its author's word.
func Assigned(kind string, headless bool) []Path {
	paths := assigned[kind]
	if headless && kind == "Service" {
		paths = paths[1:]
	}
	return paths
}

// The address of a Service comes first.
var assigned = map[string][]Path{
	"Service": {
		{"spec", "clusterIP"},
		{"spec", "clusterIPs"},
		{"spec", "ipFamilies"},
		{"spec", "ipFamilyPolicy"},
		{"spec", "healthCheckNodePort"},
		{"spec", "ports", each, "nodePort"},
	},
	"PersistentVolumeClaim": {{"spec", "volumeName"}},
	"ServiceAccount":        {{"secrets"}},
}

// each stands for every item of a list, or every field of an object, in a path.
const each = "*"

// defaults are the patterns of a kind.
func defaults(kind string) (all []pattern) {
	all = prefixed("spec.", specDefaults[kind])
	if kind == "StatefulSet" {
		all = append(all, prefixed("spec.volumeClaimTemplates.*.", claimDefaults)...)
	}
	template, ok := templates[kind]
	if !ok {
		return all
	}
	all = append(all, prefixed(template+".spec.", podDefaults)...)
	for _, containers := range []string{".spec.containers.*.", ".spec.initContainers.*."} {
		all = append(all, prefixed(template+containers, containerDefaults)...)
		for _, probe := range []string{"livenessProbe.", "readinessProbe.", "startupProbe."} {
			all = append(all, prefixed(template+containers+probe, probeDefaults)...)
		}
	}
	return all
}

func prefixed(prefix string, patterns []pattern) []pattern {
	all := make([]pattern, len(patterns))
	for i, p := range patterns {
		all[i] = prefix + p
	}
	return all
}

// expand lists the fields of an object that patterns lead to.
func expand(object map[string]any, patterns []pattern) (paths []Path) {
	for _, p := range patterns {
		var names Path
		for _, name := range strings.Split(p, ".") {
			names = append(names, name)
		}
		paths = append(paths, matches(object, nil, names)...)
	}
	return paths
}

// matches lists the paths below a value that a path with wildcards leads to.
func matches(value any, at, rest Path) (paths []Path) {
	if len(rest) == 0 {
		return []Path{slices.Clone(at)}
	}
	switch value := value.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(value)) {
			if rest[0] == each || rest[0] == name {
				paths = append(paths, matches(value[name], append(at, name), rest[1:])...)
			}
		}
	case []any:
		for i := range value {
			if rest[0] == each || rest[0] == i {
				paths = append(paths, matches(value[i], append(at, i), rest[1:])...)
			}
		}
	}
	return paths
}

// valueAt is the value that a path without wildcards leads to.
func valueAt(value any, at Path) (any, bool) {
	for _, step := range at {
		switch next := value.(type) {
		case map[string]any:
			name, _ := step.(string)
			below, ok := next[name]
			if !ok {
				return nil, false
			}
			value = below
		case []any:
			i, ok := step.(int)
			if !ok || i >= len(next) {
				return nil, false
			}
			value = next[i]
		default:
			return nil, false
		}
	}
	return value, true
}

// cut removes the fields that a path leads to. An item of a list is never removed.
func cut(object map[string]any, at Path) {
	for _, found := range matches(object, nil, at) {
		last := len(found) - 1
		parent, _ := valueAt(object, found[:last])
		if fields, ok := parent.(map[string]any); ok {
			delete(fields, found[last].(string))
		}
	}
}
