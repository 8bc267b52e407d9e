package apply_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"transom.dev/fleet/apply"
)

// TestAnEventIsAboutTheInventory, where kubectl describe finds it, and no reason to look at the instance.
func TestAnEventIsAboutTheInventory(t *testing.T) {
	r := newRig(t, &apiOnly)
	in := r.instance("web", configMap("web-a", "1"))
	promoted := apply.News{Reason: "Promoted", Note: "took release 1 from dev " + strings.Repeat("…", 1000), Warning: true}
	require.ErrorIs(t, r.Record(t.Context(), in.Owner, promoted), apply.ErrNoInventory)
	r.healthy(in)
	r.quiet()
	require.NoError(t, r.Record(t.Context(), in.Owner, promoted))
	r.quiet()
	inventory, err := r.kube.CoreV1().ConfigMaps("transom-system").Get(t.Context(), "test."+r.team+".web", metav1.GetOptions{})
	require.NoError(t, err)
	events, err := r.kube.CoreV1().Events("transom-system").List(t.Context(), metav1.ListOptions{
		FieldSelector: "involvedObject.kind=ConfigMap,involvedObject.name=" + inventory.Name + ",involvedObject.uid=" + string(inventory.UID),
	})
	require.NoError(t, err)
	require.Len(t, events.Items, 1)
	found := events.Items[0]
	require.Equal(t, []string{"Warning", "Promoted"}, []string{found.Type, found.Reason})
	require.True(t, strings.HasPrefix(found.Message, "took release 1 from dev ") && len(found.Message) <= 1024, found.Message)
}
