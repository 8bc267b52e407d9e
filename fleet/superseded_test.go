package fleet_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/fleet"
	"transom.dev/fleet/apply"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// failedOnce is a state in which an instance is back to one, after two failed on a cluster as a commit of before had it.
func failedOnce(t *testing.T, o apply.Owner, change func(*state.Release)) (now, then tree) {
	now, then = commit(place(o, "1", "a", "b")), commit(place(o, "2", "a", "b"))
	file := "releases/payments/" + o.Request + ".yaml"
	before, err := state.DecodeRelease(then.files[file])
	require.NoError(t, err)
	r, err := state.DecodeRelease(now.files[file])
	require.NoError(t, err)
	r.Key = platform.RequestKey{Team: o.Team, Name: o.Request}
	r.Promotion.Rejected = []state.Failure{{
		Cluster: "a", RenderKey: before.Clusters["a"].RenderKey, Release: before.Digest, Version: before.Version, State: "then",
	}}
	if change != nil {
		change(r)
	}
	now.files[file] = r.Encode()
	return now, then
}

func TestTheApplierMayReadWhatFailedOnItsCluster(t *testing.T) {
	web := dev("web")
	for name, c := range map[string]struct {
		change     func(*state.Release)
		reversible bool
		then       func(tree) tree
		want       map[string]bool // by cluster, whether the bytes of before are found
	}{
		"failed":         {nil, true, nil, map[string]bool{"a": true}},
		"not reversible": {nil, false, nil, nil},
		"no state noted": {func(r *state.Release) { r.Promotion.Rejected[0].State = "" }, true, nil, nil},
		"another key":    {func(r *state.Release) { r.Promotion.Rejected[0].RenderKey = "other" }, true, nil, nil},
		"taken back":     {takenBack("2"), true, nil, map[string]bool{"a": true, "b": true}},
		"reverted": {func(r *state.Release) {
			r.Promotion.Rejected, r.Promotion.TakenBack = nil, []state.TakenBack{{Release: digest([]byte("2")), State: "then"}}
		}, true, nil, map[string]bool{"a": true, "b": true}},
		"another release": {takenBack("3"), true, nil, nil},
		"other bytes": {nil, true, func(then tree) tree {
			return then.with(map[string][]byte{"clusters/a/payments/web.yaml": configMap(web, "forged")})
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			now, then := failedOnce(t, web, c.change)
			if c.then != nil {
				then = c.then(then)
			}
			simulate(t, []string{"a", "b"}, func(h *harness) {
				var mu sync.Mutex
				given := map[string]apply.Instance{}
				for cluster, fake := range h.clusters {
					fake.on = func(_ context.Context, in apply.Instance) (apply.Result, error) {
						mu.Lock()
						defer mu.Unlock()
						given[cluster] = in
						return apply.Result{}, nil
					}
				}
				target := h.target(now, pinned("a", "b"))
				target.Reversible = func(_, version string) bool { return c.reversible && version == "1.0.0" }
				target.Past = func(_ context.Context, commit string) (fleet.Snapshot, error) {
					if commit != "then" {
						return nil, errors.New("no such commit")
					}
					return then, nil
				}
				require.NoError(h, h.fleet.Deploy(target))
				h.after(0)
				mu.Lock()
				defer mu.Unlock()
				for _, cluster := range []string{"a", "b"} {
					in := given[cluster]
					require.Equal(h, c.reversible, in.Reversible)
					var found [][]byte
					if in.Superseded != nil {
						var err error
						found, err = in.Superseded(h.Context())
						require.NoError(h, err)
					}
					if c.want[cluster] {
						require.Equal(h, [][]byte{configMap(web, "2")}, found)
					} else {
						require.Empty(h, found)
					}
				}
			})
		})
	}
}

// takenBack has the record say that a release was left for the one that runs.
func takenBack(value string) func(*state.Release) {
	return func(r *state.Release) {
		r.Promotion.Rejected = nil
		r.Promotion.Left = &state.Left{Release: digest([]byte(value)), Commit: "c0ffee", State: "then"}
	}
}
