package apply_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"transom.dev/fleet/apply"
)

// TestLiveObjectsOfAnInstanceAreItsOwn: they are read whole, but a Secret is not read, nor what is another's or is gone.
func TestLiveObjectsOfAnInstanceAreItsOwn(t *testing.T) {
	r := newRig(t, &apiOnly)
	in := r.instance("web", configMap("web", "1"))
	r.pass(in)
	_, err := r.kube.CoreV1().ConfigMaps(r.team).Patch(t.Context(), "web", "application/merge-patch+json", []byte(`{"data":{"byHand":"yes"}}`), metav1.PatchOptions{})
	require.NoError(t, err)
	named := func(kind, name string) apply.Named {
		return apply.Named{Object: apply.Object{Kind: kind, Namespace: r.team, Name: name}, Version: "v1"}
	}
	all, err := r.Live(t.Context(), in.Owner, []apply.Named{named("ConfigMap", "web"), named("ConfigMap", "gone"), named("Secret", "web"), named("ConfigMap", "kube-root-ca.crt")})
	require.NoError(t, err)
	require.Len(t, all, 1)
	require.Equal(t, "yes", all[0]["data"].(map[string]any)["byHand"])
	require.NotContains(t, all[0]["metadata"], "managedFields")
	require.NotContains(t, all[0]["metadata"], "resourceVersion")
}
