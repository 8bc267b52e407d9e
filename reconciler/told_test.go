package reconciler_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/fleet"
	"transom.dev/fleet/apply"
	"transom.dev/reconciler/status"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// claimed has the platform have a claim in dev, whose endpoint is observed.
func claimed() map[string][]byte {
	files := consumers(0)
	files["offerings/claim/offering.yaml"] = []byte(document("Offering", "claim") + "spec: {title: Claim, description: A claim., owner: platform}\n")
	files["offerings/claim/1.0.0/version.yaml"] = []byte(document("Version", "claim") + `spec:
  kinds: [{group: example.com, kind: Claim, scope: Namespaced}]
  outputs:
  - {name: endpoint, type: string, example: db.example.com, from: {group: example.com, kind: Claim, path: status.endpoint}}
`)
	files["offerings/claim/1.0.0/kustomization.yaml"] = []byte("apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: [claim.yaml]\n")
	files["offerings/claim/1.0.0/claim.yaml"] = []byte("apiVersion: example.com/v1\nkind: Claim\nmetadata: {name: claim}\n")
	files["requests/payments/db.yaml"] = []byte(document("Request", "db") + "spec: {offering: claim, version: \"1\", environments: {dev: {}}}\n")
	return files
}

// A claimant is the cluster of a claim, as it tells the daemon of its status.
type claimant struct {
	*system
	mu   sync.Mutex
	told apply.Told
	last fleet.Result
}

// hurry has time pass sixty times as fast for the daemon.
func (s *system) hurry() {
	began := time.Now()
	s.Now = func() time.Time { return began.Add(60 * time.Since(began)) }
}

// says has the cluster tell another value from now on.
func (c *claimant) says(told apply.Told) {
	c.mu.Lock()
	c.told = told
	last := c.last
	c.mu.Unlock()
	if last.Request != "" {
		c.report(last)
	}
}

func (c *claimant) report(r fleet.Result) {
	if r.Request == "db" && !r.Absent {
		c.mu.Lock()
		c.last, r.Told = r, map[string]apply.Told{"endpoint": c.told}
		c.mu.Unlock()
	}
	c.Placed(r)
}

// until has the daemon look again and again until the record of the claim is as it is wanted.
func (c *claimant) until(want func(*state.Release) bool) (r *state.Release) {
	c.t.Helper()
	require.Eventually(c.t, func() bool {
		c.Trigger.Fire("test")
		target := c.fleet.of("dev")
		if target.Snapshot == nil {
			return false
		}
		content, err := target.Snapshot.ReadFile("releases/payments/db.yaml")
		if err != nil {
			return false
		}
		r, err = state.DecodeRelease(content)
		require.NoError(c.t, err)
		return want(r)
	}, time.Minute, 50*time.Millisecond)
	return r
}

func (c *claimant) placement() status.Placement {
	for _, in := range c.Board.Status().Instances {
		if in.Request == (platform.RequestKey{Team: "payments", Name: "db"}) && len(in.Placements) == 1 {
			return in.Placements[0]
		}
	}
	return status.Placement{}
}

// TestTheValueOfAClaimIsRecorded once it has stood, from the report of its cluster to the Release file; one that is missing changes
// nothing there, and status says so.
func TestTheValueOfAClaimIsRecorded(t *testing.T) {
	c := &claimant{system: newSystem(t)}
	c.hurry()
	c.fleet.says(c.report)
	c.replace(claimed())
	c.says(apply.Told{Fault: "status.endpoint is missing"})
	c.commit("a claim")
	c.run()
	c.until(func(r *state.Release) bool { return r.Promotion.Rollout == nil })
	require.Eventually(t, func() bool { return len(c.placement().Unrecorded()) == 1 }, time.Minute, 20*time.Millisecond)
	require.Equal(t, []string{"endpoint: has no value yet: status.endpoint is missing"}, c.placement().Unrecorded())

	c.says(apply.Told{Value: "a.example.com"})
	r := c.until(func(r *state.Release) bool { return r.Observed["dev"]["endpoint"].Value != nil })
	require.Equal(t, "a.example.com", r.Observed["dev"]["endpoint"].Value)
	digest := r.Digest

	c.says(apply.Told{Value: "b.example.com"})
	r = c.until(func(r *state.Release) bool { return r.Observed["dev"]["endpoint"].Value == "b.example.com" })
	require.Equal(t, digest, r.Digest)

	c.says(apply.Told{Fault: "status.endpoint is missing"})
	require.Eventually(t, func() bool { return len(c.placement().Unrecorded()) == 1 }, time.Minute, 20*time.Millisecond)
	require.Equal(t, []string{"endpoint: was b.example.com, and now status.endpoint is missing; the recorded value stays"}, c.placement().Unrecorded())
	require.Equal(t, map[string]any{"endpoint": "b.example.com"}, c.placement().Outputs)
}
