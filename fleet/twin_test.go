package fleet_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/fleet"
	"transom.dev/fleet/apply"
	"transom.dev/render/platform"
)

// One cluster is reached by two names: their placements would be written over each other, and pruned for each other.
func TestAClusterIsWrittenUnderOneNameOnly(t *testing.T) {
	simulate(t, []string{"a", "b"}, func(h *harness) {
		h.clusters["b"] = h.clusters["a"]
		web, db := apply.Owner{Environment: "dev", Team: "payments", Request: "web"}, apply.Owner{Environment: "dev", Team: "payments", Request: "db"}
		unpinned := fleet.Cluster{Name: "b", State: platform.ClusterActive}
		state := commit(place(web, "1", "a"), place(db, "1", "b"))
		h.deploy(state, append(pinned("a"), unpinned))
		require.Equal(t, map[string]string{"payments/web": revision(web, "1")}, h.clusters["a"].holds())
		require.Equal(t, "cluster b is the one that environment dev knows as a already, by its identity uid-a, so nothing is written under "+
			"the name b; correct its kubeconfig, or remove clusters/b.yaml", h.statusOf("b").Problem)
		require.Empty(t, h.statusOf("a").Problem)

		// State of before has both names pinned: the instance that is there under the second one stays.
		h.clusters["a"].set(func(c *fakeCluster) { c.held[db] = revision(db, "1") })
		unpinned.UID = "uid-a"
		h.deploy(state, append(pinned("a"), unpinned))
		h.deploy(commit(place(web, "2", "a"), place(db, "2", "b")), append(pinned("a"), unpinned))
		require.Equal(t, map[string]string{"payments/web": revision(web, "2"), "payments/db": revision(db, "1")}, h.clusters["a"].holds())
		require.NotEmpty(t, h.statusOf("b").Problem)

		h.deploy(commit(place(web, "2", "a")), pinned("a"))
		require.Equal(t, map[string]string{"payments/web": revision(web, "2")}, h.clusters["a"].holds())
	})
}
