package fleet_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"transom.dev/fleet"
	"transom.dev/fleet/apply"
)

// doubtful holds one request back.
type doubtful struct{ request string }

func (d *doubtful) Held(_ context.Context, _ string, o apply.Owner) (string, error) {
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
			held, err := in.Proof.Held(ctx)
			if held == "" {
				return apply.Result{}, err
			}
			return apply.Result{Held: held, Health: apply.Unknown}, nil
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

// TestAnInstanceThatIsOvertakenByAnAssignmentIsVisitedAgain at once: the state that it waits for came during its visit.
func TestAnInstanceThatIsOvertakenByAnAssignmentIsVisitedAgain(t *testing.T) {
	simulate(t, []string{"a"}, func(h *harness) {
		a := h.clusters["a"]
		target := func(value string) fleet.Target {
			return h.target(commit(place(dev("web"), "1", "a"), place(dev("api"), value, "a")), pinned("a"))
		}
		overtaken := false
		a.on = func(_ context.Context, in apply.Instance) (apply.Result, error) {
			if in.Request != "web" || overtaken {
				return apply.Result{}, nil
			}
			overtaken = true
			require.NoError(t, h.fleet.Deploy(target("2")))
			return apply.Result{Doubted: true, Health: apply.Unknown}, nil
		}
		require.NoError(t, h.fleet.Deploy(target("1")))
		synctest.Wait()
		require.Equal(t, map[string]string{"payments/web": revision(dev("web"), "1"), "payments/api": revision(dev("api"), "2")}, a.holds())
	})
}
