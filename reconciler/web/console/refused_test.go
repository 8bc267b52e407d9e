package console_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/status"
	"transom.dev/reconciler/web/console"
	"transom.dev/render/platform"
)

// TestARequestThatIsWellSaysThatItsNextReleaseIsNot: what runs is healthy, and people came for what does not run.
func TestARequestThatIsWellSaysThatItsNextReleaseIsNot(t *testing.T) {
	failure := status.Failure{Release: "sha256:b", Version: "1.3.0", Cluster: "one", Object: "Deployment shop", Message: "two: ErrImagePull"}
	there := failure
	there.Cluster = "two"
	next := &status.Candidate{Release: "sha256:b", Version: "1.3.0"}
	for name, c := range map[string]struct {
		change func(in *status.Instance)
		want   []string
	}{
		"the next one was rejected": {func(in *status.Instance) {
			in.Candidate, in.Waiting = next, []status.Gate{{Name: "rejected", Reason: "failed on two: ErrImagePull"}}
		}, []string{`<strong>Rejected</strong>: 1.3.0 failed on two: ErrImagePull`, `<span class="mark rejected" aria-hidden="true">✕</span>dev</a>`}},
		"it is rolled back": {func(in *status.Instance) {
			in.Rollout, in.Rejected = &status.Rollout{Cause: "rollback"}, []status.Failure{failure, there}
		}, []string{`<strong>Rejected</strong>: 1.3.0 was rolled back: two: Deployment shop: ErrImagePull`}},
		"the next one waits": {func(in *status.Instance) {
			in.Candidate, in.Waiting = next, []status.Gate{{Name: "soak", Reason: "10m"}}
		}, nil},
	} {
		in := status.Instance{
			Environment: "dev", Request: shop, Offering: "web", Version: "1.2.0", Release: "sha256:a",
			Placements: []status.Placement{{Cluster: "one", Stage: status.Healthy, Health: "Healthy"}},
		}
		c.change(&in)
		b := status.NewBoard(time.Now)
		b.Reconciled(status.Environment{Name: "dev", Clusters: []status.Cluster{{Name: "one"}}}, []status.Instance{in})
		_, body := serve(console.Options{Board: b})(t, "/requests/store/shop")
		require.Contains(t, body, "<strong>Healthy</strong>", name)
		for _, want := range c.want {
			require.Contains(t, body, want, name)
		}
		if c.want == nil {
			require.NotContains(t, body, "<strong>Rejected</strong>", name)
		}
		require.NotContains(t, body, "<strong>rejected</strong>: ", "%s: the reason stands at the top", name)
		_, body = serve(console.Options{Board: b})(t, "/fleet")
		require.Equal(t, c.want != nil && in.Rollout == nil, strings.Contains(body, `<span class="narrow"><span class="mark rejected"`), name)
	}
}

// TestAReleaseThatWaitsHasTheNameOfItsChange: the version alone would be the one that runs.
func TestAReleaseThatWaitsHasTheNameOfItsChange(t *testing.T) {
	changes := []platform.Difference{{Field: "parameters.image", Before: "registry.example/till:1", After: "registry.example/till:2"}}
	for want, next := range map[string]*status.Candidate{
		"till:2": {Release: "sha256:b", Version: "1.2.0", Changes: changes}, "1.3.0": {Release: "sha256:b", Version: "1.3.0", Changes: changes},
		"1.2.0": {Release: "sha256:b", Version: "1.2.0"}, "removal": {Absent: true}, "change": nil,
	} {
		b := status.NewBoard(time.Now)
		b.Reconciled(status.Environment{Name: "dev", Clusters: []status.Cluster{{Name: "one"}}}, []status.Instance{{
			Environment: "dev", Request: shop, Offering: "web", Version: "1.2.0", Release: "sha256:a", Candidate: next,
			Waiting: []status.Gate{{Name: "approval", Reason: "nobody approved it"}}, Placements: []status.Placement{{Cluster: "one", Stage: status.Healthy, Health: "Healthy"}},
		}})
		get := serve(console.Options{Board: b})
		_, body := get(t, "/fleet")
		require.Contains(t, body, `<span class="version">`+want+`</span> <span class="waiting">approval</span>`)
		if next != nil {
			_, body = get(t, "/requests/store/shop")
			require.Contains(t, body, `class="arrow-version">`+want+`</text>`)
		}
	}
}
