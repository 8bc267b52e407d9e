package fleet_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/fleet/apply"
)

// TestWhatIsAwaitedIsLeftAlone though the state does not have it on the cluster: the cluster was let go and is back, and
// the instance that it ran may not come yet.
func TestWhatIsAwaitedIsLeftAlone(t *testing.T) {
	simulate(t, []string{"a"}, func(h *harness) {
		web, gone := dev("web"), dev("gone")
		h.deploy(commit(place(web, "1", "a"), place(gone, "1", "a")), pinned("a"))
		h.deploy(commit(), nil)
		target := h.target(commit(), pinned("a"))
		target.Awaited = func(cluster string, o apply.Owner) bool { return cluster == "a" && o == web }
		require.NoError(h, h.fleet.Deploy(target))
		h.after(time.Hour)
		require.Equal(h, map[string]string{"payments/web": revision(web, "1")}, h.clusters["a"].holds())

		h.deploy(commit(), pinned("a"))
		h.after(time.Hour)
		require.Empty(h, h.clusters["a"].holds(), "nothing asks for it any more")
	})
}
