package fleet_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/fleet"
	"transom.dev/fleet/apply"
)

// BenchmarkDeploy hands over commits of 10,000 placements that differ from the one before in one instance: 3,333 on each of
// three clusters, and 100 on each of a hundred, of teams of fifty; and 100,000 on three. The clusters do not answer, so that nothing but handing over is counted.
func BenchmarkDeploy(b *testing.B) {
	for _, c := range []struct{ clusters, instances int }{{3, 3333}, {100, 100}, {3, 33333}} {
		b.Run(fmt.Sprintf("%dx%d", c.clusters, c.instances), func(b *testing.B) {
			var names []string
			for i := range c.clusters {
				names = append(names, fmt.Sprintf("edge-%03d", i))
			}
			var contents []map[string][]byte
			var owners []apply.Owner
			for i, o := range many(c.instances) {
				o.Team = fmt.Sprintf("team-%d", i/50)
				owners = append(owners, o)
				contents = append(contents, place(o, "1", names...))
			}
			base := commit(contents...)
			commits := []indexed{index(base), index(base.with(place(owners[7], "2", names...)))}
			f := &fleet.Fleet{ReportCluster: func(fleet.ClusterResult) {}}
			fleet.DialWith(f, func(context.Context, string, func(apply.Owner), func()) (fleet.Member, error) { return nil, errAway })
			deploy := func(n int) {
				require.NoError(b, f.Deploy(fleet.Target{
					Environment: "dev", Commit: "c0ffee", Snapshot: commits[n%2], Clusters: pinned(names...),
				}))
			}
			deploy(0)
			deploy(1)
			n := 0
			for b.Loop() {
				deploy(n)
				n++
			}
		})
	}
}
