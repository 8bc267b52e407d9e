package builtin

import (
	"cmp"
	"strings"
)

// A Scaler is a kind whose objects set spec.replicas of the workload that they name. A VerticalPodAutoscaler is none: it never
// writes replicas, so that without those of the manifest nobody would.
type Scaler struct {
	Target  []string // the path to the reference of the workload
	Minimum []string // the path to the fewest replicas that it sets
}

var (
	autoscaler   = &Scaler{Target: []string{"spec", "scaleTargetRef"}, Minimum: []string{"spec", "minReplicas"}}
	scaledObject = &Scaler{Target: []string{"spec", "scaleTargetRef"}, Minimum: []string{"spec", "minReplicaCount"}}
)

// ScalerOf returns nil for a kind that scales nothing.
func ScalerOf(group, kind string) *Scaler {
	switch {
	case group == "autoscaling" && kind == "HorizontalPodAutoscaler":
		return autoscaler
	case group == "keda.sh" && kind == "ScaledObject":
		return scaledObject
	}
	return nil
}

// A ScaleTarget is a reference by which a Scaler names a workload. A field that it leaves out is that of a Deployment.
type ScaleTarget struct{ APIVersion, Kind, Name string }

// Names says whether the reference is to an object, in any version of its API.
func (t ScaleTarget) Names(group, kind, name string) bool {
	of, _, grouped := strings.Cut(cmp.Or(t.APIVersion, "apps/v1"), "/")
	if !grouped {
		of = ""
	}
	return name != "" && t.Name == name && cmp.Or(t.Kind, "Deployment") == kind && of == group
}

// ReplicasField is the field that a Scaler sets, as spec.ignore of a version has it.
const ReplicasField = "spec.replicas"
