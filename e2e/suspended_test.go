package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"transom.dev/render/state"
)

// waiting is a platform of two environments, whose offerings do not roll out by themselves.
func waiting() string {
	text := `
-- clusters/one.yaml --
apiVersion: transom.dev/v1alpha1
kind: Cluster
metadata: {name: one, labels: {stage: dev}}
spec: {state: active}
-- clusters/two.yaml --
apiVersion: transom.dev/v1alpha1
kind: Cluster
metadata: {name: two, labels: {stage: prod}}
spec: {state: active}
`
	for name, from := range map[string]string{"dev": "", "prod": "promotesFrom: [dev], gates: {soak: 2s}, "} {
		text += fmt.Sprintf(`-- environments/%s.yaml --
apiVersion: transom.dev/v1alpha1
kind: Environment
metadata: {name: %s}
spec: {state: {url: ../state-%s.git, branch: main}, clusters: {matchLabels: {stage: %s}}, %srollout: {progressDeadline: 8s}}
`, name, name, name, name, from)
	}
	agent := func(image string) string {
		return `apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent}
spec:
  updateStrategy: {type: OnDelete}
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec: {containers: [{name: app, image: "` + image + `"}]}
`
	}
	job := `apiVersion: batch/v1
kind: Job
metadata: {name: manual}
spec:
  suspend: true
  template:
    spec: {restartPolicy: Never, containers: [{name: j, image: "busybox:1"}]}
`
	controller := `apiVersion: apps/v1
kind: Deployment
metadata: {name: controller, namespace: operators}
spec:
  replicas: 1
  selector: {matchLabels: {app: controller}}
  template:
    metadata: {labels: {app: controller}}
    spec: {containers: [{name: app, image: "nginx:broken"}]}
---
apiVersion: v1
kind: Namespace
metadata: {name: operators}
`
	for _, offering := range []string{"agent", "manual", "operator"} {
		text += "-- offerings/" + offering + "/offering.yaml --\n" + document("Offering", offering, "title: "+offering)
	}
	text += published("agent", "1.0.0", "", agent("nginx:1")) + published("agent", "1.1.0", "", agent("nginx:2")) +
		published("manual", "1.0.0", "", job) +
		published("manual", "1.1.0", ", health: [{group: batch, kind: Job, applied: true}]", job) +
		published("manual", "1.2.0", ", health: [{group: batch, kind: Job, healthy: spec.suspend}]", job) +
		published("operator", "1.0.0", ", scope: cluster, names: verbatim", controller)
	return text + "-- requests/shop/agent.yaml --\n" + inBoth("agent", "1.0.0") + "-- requests/shop/manual.yaml --\n" + inBoth("manual", "1.0.0") +
		"-- requests/ops/operator.yaml --\n" + inBoth("operator", "1.0.0")
}

func inBoth(offering, version string) string {
	return document("Request", offering, fmt.Sprintf("offering: %s, version: %q, environments: {dev: {}, prod: {}}", offering, version))
}

// TestWhatDoesNotRollOutByItselfIsLetBe on real clusters: nothing is rolled back or rejected, status names the reason of the wait, and
// it is promoted once its pods ran, or a health entry says that less is enough. Pods of a cluster-scoped version are seen.
func TestWhatDoesNotRollOutByItselfIsLetBe(t *testing.T) {
	t.Parallel()
	w := newWorld(t, waiting(), []string{"one", "two"})
	w.start()
	w.eventually("the agent is everywhere", func() error { return w.agrees("prod", "agent", "1.0.0", "Healthy", "") })
	w.eventually("the operator's broken image is named", func() error {
		return w.agrees("dev", "operator", "1.0.0", "Progressing", "ErrImagePull")
	})
	w.eventually("the Job is suspended", func() error {
		return w.agrees("dev", "manual", "1.0.0", "Suspended", "is suspended: it runs once spec.suspend is false")
	})

	w.push("the agent's next version", map[string]string{"requests/shop/agent.yaml": inBoth("agent", "1.1.0")})
	w.eventually("the agent waits for its pods to be deleted", func() error {
		return w.agrees("dev", "agent", "1.1.0", "Suspended", "waits for its pods to be deleted: ")
	})
	w.push("a Job that asks for less", map[string]string{"requests/shop/manual.yaml": inBoth("manual", "1.1.0")})
	w.eventually("a version of the same bytes is healthy by its entry", func() error { return w.agrees("dev", "manual", "1.1.0", "Healthy", "") })
	w.eventually("the operator failed", func() error {
		if r := w.recorded("dev", "ops", "operator"); len(r.Promotion.Rejected) == 0 {
			return errors.New("it is not rejected yet") // so the deadline of the others is long over
		}
		return nil
	})
	w.eventually("nothing that is suspended is proven", func() error {
		in, err := w.standing("prod", "agent")
		if err != nil {
			return err
		}
		if in.Version != "1.0.0" || len(in.Waiting) == 0 || !strings.Contains(in.Waiting[0].Reason, "dev proves nothing of") {
			return fmt.Errorf("%s waits for %+v", in.Version, in.Waiting)
		}
		return nil
	})
	dev := w.recorded("dev", "shop", "agent")
	require.Empty(t, dev.Promotion.Rejected)
	require.Equal(t, "1.1.0", dev.Version)
	require.Nil(t, dev.Promotion.Rollout)
	require.Contains(t, w.recorded("dev", "shop", "manual").Promotion.Unproven, "asks nothing of Job.batch but to be applied")

	require.NoError(t, w.client("one").CoreV1().Pods("shop").DeleteCollection(context.Background(), metav1.DeleteOptions{},
		metav1.ListOptions{LabelSelector: "transom.dev/request=agent"}))
	w.eventually("the agent is promoted once its pods ran", func() error { return w.agrees("prod", "agent", "1.1.0", "Suspended", "") })
	w.push("a Job that says when it is healthy", map[string]string{"requests/shop/manual.yaml": inBoth("manual", "1.2.0")})
	w.eventually("it is promoted by its entry", func() error { return w.agrees("prod", "manual", "1.2.0", "Healthy", "") })
	w.stop()
}

// agrees returns an error until an instance has a version with a health on its cluster, and says why.
func (w *world) agrees(environment, request, version string, health state.Health, why string) error {
	in, err := w.standing(environment, request)
	if err != nil {
		return err
	}
	if len(in.Placements) != 1 || in.Version != version || in.Placements[0].Health != health || !strings.Contains(in.Placements[0].Message, why) {
		return fmt.Errorf("%s: %+v, %+v", in.Version, in.Placements, in.Waiting)
	}
	return nil
}
