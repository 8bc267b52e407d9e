package fleet_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"transom.dev/fleet"
	"transom.dev/fleet/apply"
	"transom.dev/render/state"
)

// doubtful holds one request back.
type doubtful struct{ request string }

func (d *doubtful) Withheld(_ context.Context, _ string, o apply.Owner) (string, error) {
	if o.Request == d.request {
		return "nobody knows who wrote it", nil
	}
	return "", nil
}

func (d *doubtful) Rest(string, apply.Owner) {}

// TestHeldInstanceIsLookedAtAgainWithAnotherProof, at once, while others go on.
func TestHeldInstanceIsLookedAtAgainWithAnotherProof(t *testing.T) {
	simulate(t, []string{"a"}, func(h *harness) {
		a := h.clusters["a"]
		a.on = func(ctx context.Context, in apply.Instance) (apply.Result, error) {
			held, err := in.Proof.Withheld(ctx)
			if held == "" {
				return apply.Result{}, err
			}
			return apply.Result{Withheld: held, Health: state.Unknown}, nil
		}
		target := h.target(commit(place(dev("web"), "1", "a"), place(dev("api"), "1", "a")), pinned("a"))
		target.Proof = &doubtful{"web"}
		require.NoError(t, h.fleet.Deploy(target))
		synctest.Wait()
		require.Equal(t, map[string]string{"payments/api": revision(dev("api"), "1")}, a.holds())
		a.take()

		require.NoError(t, h.fleet.Deploy(target))
		synctest.Wait()
		require.Empty(t, a.take(), "the same proof says the same")

		target.Proof = &doubtful{}
		require.NoError(t, h.fleet.Deploy(target))
		synctest.Wait()
		require.Len(t, a.holds(), 2)
	})
}

// TestAnInstanceThatIsOvertakenByAnAssignmentIsVisitedAgain at once, and behind nobody: the state that it waits for came during
// its visit.
func TestAnInstanceThatIsOvertakenByAnAssignmentIsVisitedAgain(t *testing.T) {
	simulate(t, []string{"a"}, func(h *harness) {
		h.fleet.Concurrency = 1
		a := h.clusters["a"]
		target := func(pages, api string) fleet.Target {
			all := []map[string][]byte{place(dev("api"), api, "a")}
			for i := range 20 {
				all = append(all, place(dev(fmt.Sprintf("page-%d", i)), pages, "a"))
			}
			return h.target(commit(all...), pinned("a"))
		}
		require.NoError(t, h.fleet.Deploy(target("1", "1")))
		synctest.Wait()

		var visits []apply.Owner
		a.on = func(_ context.Context, in apply.Instance) (apply.Result, error) {
			visits = append(visits, in.Owner)
			if len(visits) > 1 {
				return apply.Result{Settled: true}, nil
			}
			require.NoError(t, h.fleet.Deploy(target("2", "3")))
			return apply.Result{Overtaken: true, Health: state.Unknown}, nil
		}
		require.NoError(t, h.fleet.Deploy(target("2", "2")))
		synctest.Wait()
		require.Len(t, visits, 22)
		require.Equal(t, visits[0], visits[1])
		require.Equal(t, revision(dev("api"), "3"), a.holds()["payments/api"])
		require.Equal(t, revision(dev("page-19"), "2"), a.holds()["payments/page-19"])
	})
}
