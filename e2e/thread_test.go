package e2e_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// settings is a platform whose one offering needs no controller: two clusters, two environments, one request.
var settings = `
-- offerings/settings/offering.yaml --
apiVersion: transom.dev/v1alpha1
kind: Offering
metadata: {name: settings}
spec: {title: Settings, description: A config map., owner: platform}
-- offerings/settings/1.0.0/version.yaml --
apiVersion: transom.dev/v1alpha1
kind: Version
metadata: {name: settings}
spec:
  parameters:
    type: object
    required: [color]
    properties:
      color: {type: string}
-- offerings/settings/1.0.0/kustomization.yaml --
apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
resources: [configmap.yaml]
replacements:
- source: {kind: Inputs, fieldPath: parameters.color}
  targets: [{select: {kind: ConfigMap}, fieldPaths: [data.color]}]
-- offerings/settings/1.0.0/configmap.yaml --
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {color: none}
-- environments/dev.yaml --
apiVersion: transom.dev/v1alpha1
kind: Environment
metadata: {name: dev}
spec:
  state: {url: ../state-dev.git, branch: main}
  clusters: {matchLabels: {environment: dev}}
-- environments/prod.yaml --
apiVersion: transom.dev/v1alpha1
kind: Environment
metadata: {name: prod}
spec:
  state: {url: ../state-prod.git, branch: main}
  clusters: {matchLabels: {environment: prod}}
-- clusters/one.yaml --
apiVersion: transom.dev/v1alpha1
kind: Cluster
metadata: {name: one, labels: {environment: dev}}
spec: {state: active}
-- clusters/two.yaml --
apiVersion: transom.dev/v1alpha1
kind: Cluster
metadata: {name: two, labels: {environment: prod}}
spec: {state: active}
-- requests/payments/shop.yaml --
` + request("shop", "green")

// color returns an error unless the config map of a request has a colour on a cluster; "" means that it is gone.
func (w *world) color(cluster, namespace, request, want string) error {
	object, err := w.client(cluster).CoreV1().ConfigMaps(namespace).Get(w.t.Context(), request+"-settings", metav1.GetOptions{})
	switch {
	case want == "" && apierrors.IsNotFound(err):
		return nil
	case err != nil:
		return err
	case want == "":
		return errors.New("still there")
	case object.Data["color"] != want:
		return fmt.Errorf("color is %q, want %q", object.Data["color"], want)
	default:
		return nil
	}
}

func request(name, color string) string {
	return document("Request", name, `offering: settings, version: "1", parameters: {color: `+color+`}, environments: {dev: {}, prod: {}}`)
}

func TestPushedRequestIsLiveAndRemovedRequestIsGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings, []string{"one", "two"}, "--api-only")
	w.start()
	for _, cluster := range []string{"one", "two"} {
		w.eventually("the request is live on "+cluster, func() error { return w.color(cluster, "payments", "shop", "green") })
	}

	commit := w.push("shop: blue", map[string]string{"requests/payments/shop.yaml": request("shop", "blue")})
	for _, cluster := range []string{"one", "two"} {
		w.eventually("the change is live on "+cluster, func() error { return w.color(cluster, "payments", "shop", "blue") })
	}
	w.eventually("status says so", func() error { return w.healthy(commit, 2) })

	w.push("remove shop", map[string]string{"requests/payments/shop.yaml": ""})
	for _, cluster := range []string{"one", "two"} {
		w.eventually("the object is gone from "+cluster, func() error { return w.color(cluster, "payments", "shop", "") })
	}
	w.eventually("status forgets it", func() error {
		s, err := w.status()
		if err == nil && len(s.Instances) > 0 {
			err = fmt.Errorf("%d instances left", len(s.Instances))
		}
		return err
	})
	require.Contains(t, w.git(w.dir+"/state-dev.git", "log", "--format=%s"), "dev: remove payments/shop")
	w.stop()
}
