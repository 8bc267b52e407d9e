package e2e_test

import (
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/render/state"
)

// is a cluster of the ladder in a state, with a reason.
func is(name, state string) files {
	return cluster(name, ladderClusters[name], "state: "+state+", reason: repairs")
}

// draining empties prod's canary while a release that does not get well there is on its way: the second wave waits for it
// no more, and once that is well the canary is left. The canary has its placements again once it is active.
func draining(l *ladder) {
	const slow = "slow-on-prod-1-for-ever@1.0.0"
	l.begins("shop")
	l.change("shop: slow on the canary", ask(l.team, "shop", "slow-on-prod-1-for-ever", everywhere))
	l.becomes("shop", slow, "dev", "staging", "prod-1")
	l.waits("prod", "shop", "rollout", "canary", "prod-1")
	require.Equal(l.t, []string{first}, l.saw("prod-2", "shop"))

	l.change("drain prod-1", is("prod-1", "draining"))
	l.becomes("shop", slow, "prod-2")
	l.becomes("shop", gone, "prod-1")
	done := l.records("prod is done without it", "prod", "shop", func(r *state.Release) bool { return r.Promotion.Rollout == nil })
	require.NotContains(l.t, done.Clusters, "prod-1")
	l.change("shop: good-2", ask(l.team, "shop", "good-2", everywhere))
	l.becomes("shop", second, "dev", "staging", "prod-2")

	l.change("prod-1 is back", is("prod-1", "active"))
	l.becomes("shop", second, "prod-1")
	l.records("it counts again", "prod", "shop", counting("prod-1"))
	l.once("shop", []string{"dev", "staging", "prod-2"}, first, slow, second)
	l.once("shop", []string{"prod-1"}, first, slow, gone, second)
}

// counting says whether a record has a cluster that no longer is one that joined and was never healthy.
func counting(cluster string) func(*state.Release) bool {
	return func(r *state.Release) bool {
		placed, there := r.Clusters[cluster]
		return there && !placed.Joining
	}
}

// withoutCanary is a prod whose first wave has no cluster, and a request that is not well on the one to come.
func withoutCanary(team string) files {
	return cluster("prod-1", "", "").without().merged(ask(team, "shop", "slow-on-prod-1-at-first", everywhere))
}

// joining gives prod its canary: it gets the releases that run there at once, and is not waited for until it was healthy. From then
// on the second wave waits for it.
func joining(l *ladder) {
	const had, next = "slow-on-prod-1-at-first@1.0.0", "slow-on-prod-1-at-first@1.1.0"
	over := func(r *state.Release) bool { return r.Promotion.Rollout == nil }
	l.becomes("shop", had, "dev", "staging", "prod-2")
	l.records("the rollout without a canary is over", "prod", "shop", over)
	l.change("prod-1 joins", cluster("prod-1", ladderClusters["prod-1"], "state: active"))
	l.becomes("shop", had, "prod-1")
	require.Equal(l.t, []string{had}, l.saw("prod-2", "shop"))

	l.change("widget 1.1.0", version("widget", "1.1.0", "1.1.0", ""))
	l.becomes("shop", next, everyCluster...)
	joined := l.records("prod is done although prod-1 is not healthy", "prod", "shop", over)
	require.True(l.t, joined.Clusters["prod-1"].Joining)
	l.widgets.judge(l.t.Context(), "slow-on-prod-1-at-first", "Ready")
	l.records("prod-1 counts", "prod", "shop", counting("prod-1"))

	l.change("shop: good-2", ask(l.team, "shop", "good-2", everywhere))
	l.becomes("shop", third, everyCluster...)
	l.soaked("shop", third, "prod-1", 2*time.Second, "prod-2")
	l.once("shop", everyCluster, had, next, third)
}

// letGo deletes the file of staging's cluster and brings it back: nothing is deleted there, neither when it is let go nor when
// it is back and only the first of its instances has come.
func letGo(l *ladder) {
	requests := []string{"shop", "cart"}
	l.begins(requests...)
	for range 2 {
		l.change("no staging", cluster("staging", "", "").without())
		for _, request := range requests {
			l.records("staging has no cluster", "staging", request, func(r *state.Release) bool { return len(r.Clusters) == 0 })
		}
		l.change("staging is back", cluster("staging", ladderClusters["staging"], "state: active"))
		for _, request := range requests {
			l.records("staging has its cluster", "staging", request, func(r *state.Release) bool {
				return len(r.Clusters) == 1 && r.Promotion.Rollout == nil
			})
		}
	}
	for _, request := range requests {
		for _, cluster := range everyCluster {
			require.Equal(l.t, []string{first}, l.saw(cluster, request), "%s of %s", request, cluster)
		}
	}
	l.change("shop: good-2", ask(l.team, "shop", "good-2", everywhere))
	l.becomes("shop", second, everyCluster...)
}

// labelledShop is a request, and a label on prod's second cluster that versions can leave out.
func labelledShop(team string) files {
	return oneShop(team).merged(cluster("prod-2", ladderClusters["prod-2"]+", region: old", ""))
}

// narrowing publishes a version that is not for prod's last cluster and fails in the canary: the last cluster serves the release that it
// had all the time, and all is as before. The next version is well, and leaves that cluster once the canary has soaked.
func narrowing(l *ladder) {
	const elsewhere = "  placement: {clusters: {matchExpressions: [{key: region, operator: NotIn, values: [old]}]}}\n"
	const bad, good = "good-1@bad-on-prod-1", "good-1@1.2.0"
	l.begins("shop")
	before := l.record("prod", "shop").Clusters
	l.change("widget 1.1.0", version("widget", "1.1.0", "bad-on-prod-1", elsewhere))
	l.rolledBack("prod", bad, "shop")
	l.becomes("shop", first, prodClusters...)
	require.Equal(l.t, before, l.record("prod", "shop").Clusters)
	l.once("shop", []string{"prod-1"}, first, bad, first)
	l.once("shop", []string{"prod-2"}, first)

	l.change("widget 1.2.0", version("widget", "1.2.0", "1.2.0", elsewhere))
	l.becomes("shop", good, "dev", "staging", "prod-1")
	l.waits("prod", "shop", "leave", "leaves prod-2 last", "prod-1")
	l.becomes("shop", gone, "prod-2")
	require.GreaterOrEqual(l.t, l.since("prod-2", "shop", gone).at.Sub(l.since("prod-1", "shop", good).healthy), 2*time.Second)
	l.once("shop", []string{"prod-2"}, first, gone)
	done := l.record("prod", "shop")
	require.Nil(l.t, done.Promotion.Rollout)
	require.NotContains(l.t, done.Clusters, "prod-2")
}
