package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// ofBoth is an environment of both clusters.
func ofBoth(more string) string {
	return document("Environment", "dev", "state: {url: ../state-dev.git, branch: main}, clusters: {}"+more)
}

// TestSwitchingToStrictIsPlannedAndGoesByWaves: before the merge the plan says what was set by hand and goes, on each cluster; after it the
// first wave takes it back, and the second is not touched while that soaks.
func TestSwitchingToStrictIsPlannedAndGoesByWaves(t *testing.T) {
	t.Parallel()
	before, rest, _ := strings.Cut(settings, "-- environments/dev.yaml --\n")
	_, clusters, _ := strings.Cut(rest, "-- clusters/one.yaml --\n")
	shop := strings.Replace(request("shop", "green"), "prod: {}", "", 1)
	clusters, _, _ = strings.Cut(clusters, "-- requests/")
	w := newWorld(t, before+"-- environments/dev.yaml --\n"+ofBoth("")+"-- clusters/one.yaml --\n"+clusters+
		"-- requests/payments/shop.yaml --\n"+shop, bothClusters, "--api-only")
	w.start()
	w.live("shop", "green")
	data := func(cluster string) map[string]string {
		object, err := w.client(cluster).CoreV1().ConfigMaps("payments").Get(t.Context(), "shop-settings", metav1.GetOptions{})
		require.NoError(t, err)
		return object.Data
	}
	for _, cluster := range bothClusters {
		_, err := w.client(cluster).CoreV1().ConfigMaps("payments").Patch(t.Context(), "shop-settings", types.MergePatchType,
			[]byte(`{"data":{"more":"2"}}`), metav1.PatchOptions{FieldManager: "kubectl-edit"})
		require.NoError(t, err)
	}

	file := filepath.Join(w.clone(), "environments/dev.yaml")
	plan := func() string { return w.transom("plan", w.clone(), "--live", "--kubeconfigs", w.keys) }
	require.NotContains(t, plan(), "kubectl-edit", "drift: correct leaves it")
	require.NoError(t, os.WriteFile(file, []byte(ofBoth(`, drift: strict,
  rollout: {waves: [{name: canary, clusters: {matchLabels: {environment: dev}}, soak: 1h}, {name: rest}]}`)), 0o644))
	planned := plan()
	for _, cluster := range bothClusters {
		require.Contains(t, planned, "caution: drift: strict takes back what was set by hand on payments/shop in dev on "+cluster+
			":\n  ConfigMap payments/shop-settings: kubectl-edit set data.more at 20")
	}
	for _, cluster := range bothClusters {
		require.Equal(t, map[string]string{"color": "green", "more": "2"}, data(cluster), "a plan writes nothing")
	}

	w.push("strict", nil)
	w.eventually("the first wave takes it back", func() error {
		if got := data("one"); len(got) > 1 {
			return fmt.Errorf("one has %v", got)
		}
		return nil
	})
	require.Equal(t, map[string]string{"color": "green", "more": "2"}, data("two"), "the second wave waits")
	w.stop()
}
