package fleet_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/fleet"
	"transom.dev/fleet/apply"
	"transom.dev/render/platform"
	"transom.dev/render/sealed"
)

// RunCheck has the Job of a check pass, once whatever is to happen meanwhile has happened.
func (c *fakeCluster) RunCheck(_ context.Context, in apply.Instance, _ apply.CheckJob) (apply.CheckResult, error) {
	c.keys = in.Keys
	c.meanwhile()
	return apply.CheckResult{Passed: true}, nil
}

// SweepChecks finds nothing.
func (c *fakeCluster) SweepChecks(context.Context, apply.Instance) error { return nil }

// TestAJobSaysNothingOfARevisionThatWentMeanwhile: it ran beside something else, at least in part.
func TestAJobSaysNothingOfARevisionThatWentMeanwhile(t *testing.T) {
	web := dev("web")
	paused := pinned("a")
	paused[0].State = platform.ClusterPaused
	for name, c := range map[string]struct {
		meanwhile func(*harness)
		want      string
	}{
		"nothing happens":   {func(*harness) {}, ""},
		"another revision":  {func(h *harness) { h.deploy(commit(place(web, "2", "a")), pinned("a")) }, "a does not run this revision any more"},
		"it is removed":     {func(h *harness) { h.deploy(commit(), pinned("a")) }, "a does not run this revision any more"},
		"it is paused":      {func(h *harness) { h.deploy(commit(place(web, "1", "a")), paused) }, "cluster a is paused"},
		"the cluster is no": {func(h *harness) { h.deploy(commit(), nil) }, "cluster a"},
	} {
		t.Run(name, func(t *testing.T) {
			simulate(t, []string{"a"}, func(h *harness) {
				h.deploy(commit(place(web, "1", "a")), pinned("a"))
				h.clusters["a"].meanwhile = func() { c.meanwhile(h) }
				p := fleet.Placement{Environment: web.Environment, Cluster: "a", Team: web.Team, Request: web.Request}
				result, err := h.fleet.RunCheck(h.Context(), p, revision(web, "1"), apply.CheckJob{})
				if c.want == "" {
					require.NoError(h, err)
					require.True(h, result.Passed)
					return
				}
				require.ErrorContains(h, err, c.want)
				require.False(h, result.Passed)
				if name == "another revision" {
					require.ErrorIs(h, err, fleet.ErrMovedOn)
				}
			})
		})
	}
}

// TestAJobGetsTheKeysOfSealedSecrets: its image pull secrets are opened with them.
func TestAJobGetsTheKeysOfSealedSecrets(t *testing.T) {
	web := dev("web")
	simulate(t, []string{"a"}, func(h *harness) {
		unread := errors.New("the keys cannot be read")
		h.fleet.Keys = func() (*sealed.Keys, error) { return nil, unread }
		h.deploy(commit(place(web, "1", "a")), pinned("a"))
		a := h.clusters["a"]
		a.meanwhile = func() {}
		_, err := h.fleet.RunCheck(h.Context(), fleet.Placement{Environment: web.Environment, Cluster: "a", Team: web.Team, Request: web.Request}, revision(web, "1"), apply.CheckJob{})
		require.NoError(h, err)
		require.NotNil(h, a.keys)
		_, err = a.keys()
		require.ErrorIs(h, err, unread)
	})
}
