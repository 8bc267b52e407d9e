package e2e_test

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"transom.dev/reconciler/status"
)

// databases is a platform of StatefulSets, of which version 1.1.0 has an image that cannot be pulled.
func databases() string {
	text := `
-- clusters/one.yaml --
apiVersion: transom.dev/v1alpha1
kind: Cluster
metadata: {name: one}
spec: {state: active}
-- environments/dev.yaml --
apiVersion: transom.dev/v1alpha1
kind: Environment
metadata: {name: dev}
spec:
  state: {url: ../state-dev.git, branch: main}
  clusters: {}
  rollout: {instances: {first: 9, maxConcurrent: 100%, maxFailures: 9}, progressDeadline: 15s}
-- offerings/db/offering.yaml --
apiVersion: transom.dev/v1alpha1
kind: Offering
metadata: {name: db}
spec: {title: A database}
`
	for number, image := range map[string]string{"1.0.0": "nginx:1", "1.1.0": "nginx:broken", "1.2.0": "nginx:3"} {
		text += published("db", number, "", `apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  replicas: 2
  serviceName: db
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec: {containers: [{name: app, image: "`+image+`"}]}
`)
	}
	for _, name := range []string{"patient", "hurried"} {
		text += "-- requests/shop/" + name + ".yaml --\n" + wants(name, "1.0.0")
	}
	return text
}

func wants(name, version string) string {
	return document("Request", name, fmt.Sprintf("offering: db, version: %q, environments: {dev: {}}", version))
}

// TestARollbackOfAStatefulSetTakes although a pod of the bad version, which cannot start, keeps the StatefulSet from going
// back; and the next version is blamed for nothing, whether it is merged after the rollback or while that pod is in the way.
func TestARollbackOfAStatefulSetTakes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, databases(), []string{"one"})
	w.start()
	w.eventually("1.0.0 is healthy", func() error { return w.runs("1.0.0", "patient", "hurried") })
	w.push("1.1.0", map[string]string{
		"requests/shop/patient.yaml": wants("patient", "1.1.0"), "requests/shop/hurried.yaml": wants("hurried", "1.1.0"),
	})
	w.eventually("1.1.0 is rolled back", func() error {
		for _, name := range []string{"patient", "hurried"} {
			if r := w.recorded("dev", "shop", name); r.Version != "1.0.0" || len(r.Promotion.Rejected) != 1 {
				return fmt.Errorf("%s has %s", name, r.Version)
			}
		}
		return nil
	})
	w.push("1.2.0 for the one in a hurry", map[string]string{"requests/shop/hurried.yaml": wants("hurried", "1.2.0")})
	w.eventually("what keeps the rollback from going on is said", func() error {
		p, err := w.placed("patient")
		if err != nil {
			return err
		}
		if !strings.Contains(p.Message, "still has the revision before: ErrImagePull") {
			return errors.New(p.Message)
		}
		return nil
	})
	w.eventually("the rollback is healthy", func() error { return w.runs("1.0.0", "patient") })
	w.eventually("1.2.0 is healthy", func() error { return w.runs("1.2.0", "hurried") })
	w.push("1.2.0", map[string]string{"requests/shop/patient.yaml": wants("patient", "1.2.0")})
	w.eventually("1.2.0 is healthy", func() error { return w.runs("1.2.0", "patient", "hurried") })
	for _, name := range []string{"patient", "hurried"} {
		failures := w.recorded("dev", "shop", name).Promotion.Rejected
		require.Len(t, failures, 1, "nothing is blamed on 1.0.0 or 1.2.0: %+v", failures)
		require.Equal(t, "1.1.0", failures[0].Version)
	}
	require.Equal(t, 2, strings.Count(w.said(`"msg":"deleted"`), "Pod shop/"), "one pod of each StatefulSet")
	w.stop()
}

// runs returns an error until requests have a version, healthy, with both pods, and no rollout.
func (w *world) runs(version string, names ...string) error {
	for _, name := range names {
		p, err := w.placed(name)
		if err != nil {
			return err
		}
		r := w.recorded("dev", "shop", name)
		if p.Stage != status.Healthy || p.Version != version || r.Version != version || r.Promotion.Rollout != nil {
			return fmt.Errorf("%s: %s is %s: %s", name, p.Version, p.Stage, p.Message)
		}
		sets, err := w.client("one").AppsV1().StatefulSets("shop").List(w.t.Context(), metav1.ListOptions{LabelSelector: "transom.dev/request=" + name})
		if err != nil {
			return err
		}
		if len(sets.Items) != 1 || sets.Items[0].Status.UpdatedReplicas != 2 || sets.Items[0].Status.ReadyReplicas != 2 {
			return fmt.Errorf("%s has not two pods of its revision", name)
		}
	}
	return nil
}

// placed is the daemon's status of a request on the one cluster.
func (w *world) placed(name string) (*status.Placement, error) {
	in, err := w.standing("dev", name)
	if err != nil {
		return nil, err
	}
	if len(in.Placements) != 1 {
		return nil, fmt.Errorf("%s is not placed", name)
	}
	p := in.Placements[0]
	p.Version = cmp.Or(p.Version, in.Version)
	return &p, nil
}
