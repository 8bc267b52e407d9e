package kustomize

import (
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/resid"
)

// everywhere are the fields of the rule Everywhere.
func everywhere() []types.FieldSpec {
	var fields []types.FieldSpec
	add := func(group, kind, path string) {
		fields = append(fields, types.FieldSpec{Gvk: resid.Gvk{Group: group, Kind: kind}, Path: path, CreateIfNotPresent: true})
	}
	for _, kind := range []string{"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"} {
		add("apps", kind, "spec/selector/matchLabels")
		add("apps", kind, "spec/template/metadata/labels")
	}
	add("batch", "Job", "spec/template/metadata/labels")
	add("batch", "CronJob", "spec/jobTemplate/spec/template/metadata/labels")
	add("policy", "PodDisruptionBudget", "spec/selector/matchLabels")
	add("networking.k8s.io", "NetworkPolicy", "spec/podSelector/matchLabels")
	return append(fields, types.FieldSpec{Gvk: resid.Gvk{Version: "v1", Kind: "Service"}, Path: "spec/selector"})
}
