package e2e_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/web/api"
)

// crashes is a platform whose one request has a pod that ends a second after each start. An environment says whether its logs are shown.
func crashes(shows string) string {
	return "-- clusters/one.yaml --\n" + document("Cluster", "one", "state: active") +
		"-- environments/dev.yaml --\n" + document("Environment", "dev", "state: {url: ../state-dev.git, branch: main}, clusters: {}, logs: "+shows) +
		"-- offerings/web/offering.yaml --\n" + document("Offering", "web", "") +
		published("web", "1.0.0", "", `apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: app, image: "registry.example/web:crash"}]}
`) + "-- requests/store/shop.yaml --\n" + document("Request", "shop", `offering: web, version: "1", environments: {dev: {}}`)
}

// TestLogsAndEventsOfAPodThatFails are shown by the commands, from the cluster itself, for as long as the environment's file says so.
func TestLogsAndEventsOfAPodThatFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t, crashes("true"), []string{"one"})
	w.start()
	about := []string{"store/shop", "-e", "dev"}
	w.eventually("the log says why it failed", func() error {
		out, err := w.ask(append([]string{"logs"}, about...)...)
		if err == nil && !strings.Contains(out, "the tag of this image is crash, so it ends with code 1") {
			err = errors.New("it has not ended yet")
		}
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	})
	require.Contains(t, w.transom(append([]string{"logs", "--previous", "--tail", "1"}, about...)...), "ends with code 1")
	w.eventually("an Event tells of the pod", func() error {
		if out := w.transom(append([]string{"events"}, about...)...); !strings.Contains(out, "Warning  BackOff") {
			return fmt.Errorf("no Event of it: %s", out)
		}
		return nil
	})
	var all []api.Happening
	require.NoError(t, json.Unmarshal([]byte(w.transom(append([]string{"events", "-o", "json"}, about...)...)), &all))
	require.NotEmpty(t, all)

	w.push("logs are shown no more", map[string]string{
		"environments/dev.yaml": document("Environment", "dev", "state: {url: ../state-dev.git, branch: main}, clusters: {}"),
	})
	for _, command := range []string{"logs", "events"} {
		w.eventually(command+" are refused", func() error {
			out, err := w.ask(append([]string{command}, about...)...)
			if err == nil {
				return fmt.Errorf("they are shown: %s", out)
			}
			require.Contains(t, out, "merge spec.logs: true in environments/dev.yaml")
			return nil
		})
	}
	w.stop()
}
