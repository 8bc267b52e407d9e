package apply

import (
	appsv1 "k8s.io/api/apps/v1"

	"transom.dev/render/state"
)

// WorkloadHealth is the health of a workload by its status, as a watch finds it that shares with others, and why.
func WorkloadHealth(s *Shared, kind string, object any) (state.Health, string) {
	l := reduceWorkload(appsv1.SchemeGroupVersion.WithKind(kind), withoutTemplate(object), s)
	return l.byStatus.health, l.byStatus.message
}

// HealthyWorkloads counts the facts that are remembered.
func (s *Shared) HealthyWorkloads() int { return len(s.healthy.all) }
