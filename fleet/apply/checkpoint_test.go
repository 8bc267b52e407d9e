package apply_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"transom.dev/fleet/apply"
)

func TestACheckpointOutlivesOtherWritesOfTheInventory(t *testing.T) {
	r := newRig(t, &apiOnly)
	in := r.instance("web", configMap("web-a", "1"))
	in.Revision = "sha256:1"
	require.NoError(t, r.Checkpoint(t.Context(), in, apply.Checkpoint{Revision: "sha256:1", Soaked: time.Hour}))
	require.Zero(t, r.healthy(in).Checkpoint, "without an inventory there is nothing to remember it by")

	soaked := apply.Checkpoint{Revision: "sha256:1", Soaked: 90 * time.Second, Checks: `[{"check":"budget"}]`}
	require.NoError(t, r.Checkpoint(t.Context(), in, soaked))
	require.Equal(t, soaked, r.visit(in).Checkpoint)
	r.connect()
	require.Equal(t, soaked, r.healthy(in).Checkpoint)

	in.Manifests = r.label(in.Owner, r.team, documents(configMap("web-a", "1"), configMap("web-b", "1")))
	require.Equal(t, soaked, r.healthy(in).Checkpoint)
	require.Contains(t, r.inventory("web"), "web-b")
	r.connect()
	require.Equal(t, soaked, r.healthy(in).Checkpoint)
	soaked.Checks = ""
	require.NoError(t, r.Checkpoint(t.Context(), in, soaked))
	require.Equal(t, soaked, r.visit(in).Checkpoint, "answers that are over are gone")
	in.Revision = "sha256:2"
	require.Zero(t, r.visit(in).Checkpoint)
	require.Zero(t, r.healthy(absent(in)).Checkpoint)
}

// TestARemovalIsRemembered has an inventory outlive the objects that it listed for as long as the state records the removal.
func TestARemovalIsRemembered(t *testing.T) {
	r := newRig(t, &apiOnly)
	in := r.instance("web", documents(configMap("web-a", "1"), configMap("web-b", "1")))
	in.Revision = "sha256:1"
	recorded := absent(in)
	recorded.Revision, recorded.Recorded = "", true
	removed := apply.Checkpoint{Revision: apply.Removed, Soaked: time.Hour}

	r.healthy(recorded)
	require.NoError(t, r.Checkpoint(t.Context(), in, removed))
	require.Zero(t, r.healthy(recorded).Checkpoint, "nothing was ever there that could be remembered")

	for range 2 {
		r.healthy(in)
		require.NoError(t, r.Checkpoint(t.Context(), in, removed))
		require.Zero(t, r.visit(recorded).Checkpoint, "objects are there yet")
		require.Zero(t, r.healthy(recorded).Checkpoint, "that was of another removal")
		require.NoError(t, r.Checkpoint(t.Context(), in, removed))
		r.connect()
		require.Equal(t, removed, r.healthy(recorded).Checkpoint)
		r.quiet()
	}
	owners, err := r.Owners(t.Context(), in.Environment)
	require.NoError(t, err)
	require.Contains(t, owners, in.Owner, "so that what has no other record is found")

	r.healthy(absent(in))
	owners, err = r.Owners(t.Context(), in.Environment)
	require.NoError(t, err)
	require.NotContains(t, owners, in.Owner)
	_, err = r.kube.CoreV1().ConfigMaps("transom-system").Get(t.Context(), "test."+r.team+".web", metav1.GetOptions{})
	require.True(t, apierrors.IsNotFound(err), "%v", err)
}

func TestACheckpointIsNoReasonToLook(t *testing.T) {
	r := newRig(t, &apiOnly)
	in := r.instance("web", configMap("web-a", "1"))
	r.healthy(in)
	r.quiet()
	require.NoError(t, r.Checkpoint(t.Context(), in, apply.Checkpoint{Revision: "sha256:1", Soaked: time.Hour}))
	r.quiet()
	require.NoError(t, r.Checkpoint(t.Context(), in, apply.Checkpoint{Revision: "sha256:1", Soaked: 2 * time.Hour}))
	select {
	case o := <-r.events:
		require.Fail(t, "a pass is asked for", o.String())
	case <-time.After(time.Second):
	}
}

func TestACheckpointThatCannotBeReadSaysNothing(t *testing.T) {
	r := newRig(t, &apiOnly)
	in := r.instance("web", configMap("web-a", "1"))
	in.Revision = "sha256:1"
	r.healthy(in)
	for _, text := range []string{"", "sha256:1", "sha256:1 soon", "sha256:1 -5m", " 5m", "sha256:1 5m later"} {
		_, err := r.kube.CoreV1().ConfigMaps("transom-system").Patch(t.Context(), "test."+r.team+".web", types.MergePatchType,
			[]byte(`{"metadata":{"annotations":{"transom.dev/soaked":"`+text+`"}}}`), metav1.PatchOptions{})
		require.NoError(t, err)
		r.connect()
		require.Zero(t, r.healthy(in).Checkpoint, text)
	}
}
