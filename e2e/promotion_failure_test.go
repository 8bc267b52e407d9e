package e2e_test

import (
	"errors"
	"fmt"
	"slices"

	"github.com/stretchr/testify/require"

	"transom.dev/render/state"
)

// shopAndOthers has two requests that follow the newest version, one that does not, and one of another offering.
func shopAndOthers(team string) files {
	return offering("gadget", "").merged(version("gadget", "1.0.0", "1.0.0", ""),
		ask(team, "shop", "good-1", everywhere), ask(team, "cart", "good-1", everywhere),
		askFor("widget", "1.0.0", team, "calm", "good-1", everywhere), askFor("gadget", "1", team, "other", "good-1", everywhere))
}

var all = []string{"shop", "cart", "calm", "other"}

func (l *ladder) begins(requests ...string) {
	l.t.Helper()
	for _, request := range requests {
		l.becomes(request, first, everyCluster...)
		l.records("the rollout of "+request+" is over", "prod", request, func(r *state.Release) bool { return r.Promotion.Rollout == nil })
	}
}

// badInStaging publishes a version that is well in dev and fails in staging: it is rolled back there, reaches one of its
// two consumers and no further environment, and nobody else waits. The next version mends it.
func badInStaging(l *ladder) {
	l.begins(all...)
	l.change("widget 1.1.0", version("widget", "1.1.0", "bad-on-staging", ""))
	const bad = "good-1@bad-on-staging"
	touched := l.rolledBack("staging", bad, "shop", "cart")
	l.change("calm and other move on", askFor("widget", "1.0.0", l.team, "calm", "good-2", everywhere),
		askFor("gadget", "1", l.team, "other", "good-2", everywhere))
	l.becomes("calm", second, everyCluster...)
	l.becomes("other", second, everyCluster...)

	l.change("widget 1.2.0", version("widget", "1.2.0", "1.2.0", ""))
	l.becomes("shop", "good-1@1.2.0", everyCluster...)
	l.becomes("cart", "good-1@1.2.0", everyCluster...)
	for _, request := range []string{"shop", "cart"} {
		l.once(request, []string{"dev"}, first, bad, "good-1@1.2.0")
		l.once(request, prodClusters, first, "good-1@1.2.0")
		if request == touched {
			l.once(request, []string{"staging"}, first, bad, first, "good-1@1.2.0")
		} else {
			l.once(request, []string{"staging"}, first, "good-1@1.2.0")
		}
	}
}

// rolledBack waits until one of the requests went back from something bad in an environment, and says so, and returns it.
func (l *ladder) rolledBack(environment, bad string, requests ...string) (touched string) {
	l.t.Helper()
	l.eventually(bad+" fails in "+environment+" and is rolled back", func() error {
		for _, request := range requests {
			r := l.record(environment, request)
			if r != nil && len(r.Promotion.Rejected) > 0 && r.Promotion.Rollout == nil {
				touched = request
				return nil
			}
		}
		return errors.New(l.why(environment, requests[0]))
	})
	failure := l.record(environment, touched).Promotion.Rejected[0]
	require.Contains(l.t, failure.Object, touched+"-widget", "the record names the object that failed")
	require.NotEmpty(l.t, failure.Message)
	l.waits(environment, touched, "rejected", "failed on")
	return touched
}

// badInCanary publishes a version that is well until prod's first wave: it is rolled back there and never reaches the
// second one.
func badInCanary(l *ladder) {
	l.begins("shop")
	l.change("widget 1.1.0", version("widget", "1.1.0", "bad-on-prod-1", ""))
	const bad = "good-1@bad-on-prod-1"
	l.rolledBack("prod", bad, "shop")
	l.becomes("shop", first, prodClusters...)
	l.once("shop", []string{"dev", "staging"}, first, bad)
	l.once("shop", []string{"prod-1"}, first, bad, first)
	l.once("shop", []string{"prod-2"}, first)

	l.change("widget 1.2.0", version("widget", "1.2.0", "1.2.0", ""))
	l.becomes("shop", "good-1@1.2.0", everyCluster...)
	l.once("shop", []string{"prod-1"}, first, bad, first, "good-1@1.2.0")
	l.once("shop", []string{"prod-2"}, first, "good-1@1.2.0")
}

// irreversible publishes a version that does not go back by itself: where it fails it stays, nobody else gets it, and it
// waits for a person. The next version mends it.
func irreversible(l *ladder) {
	l.begins("shop")
	l.change("widget 1.1.0", version("widget", "1.1.0", "bad-on-prod-1", "  reversible: false\n"))
	const bad, good = "good-1@bad-on-prod-1", "good-1@1.2.0"
	stopped := l.records("the rollout stops", "prod", "shop", func(r *state.Release) bool {
		return r.Promotion.Rollout != nil && r.Promotion.Rollout.Stopped != ""
	})
	require.Contains(l.t, stopped.Promotion.Rollout.Stopped, "widget@1.1.0 is not reversible")
	l.follows(l.change("nothing to do with it", ask(l.team, "other", "good-1", everywhere)))
	l.becomes("other", "good-1@bad-on-prod-1", "dev", "staging")
	l.once("shop", []string{"prod-1"}, first, bad)
	l.once("shop", []string{"prod-2"}, first)
	l.change("widget 1.2.0", version("widget", "1.2.0", "1.2.0", ""))
	l.becomes("shop", good, everyCluster...)
	l.once("shop", []string{"prod-1"}, first, bad, good)
	l.once("shop", []string{"prod-2"}, first, good)
	l.becomes("other", good, everyCluster...)
}

// consumers are twenty requests of one offering.
func consumers(team string) files {
	return environment("staging", "  promotesFrom: [dev]\n  gates: {soak: 2s, grace: 1s}\n"+
		"  rollout: {instances: {first: 1, maxConcurrent: 50%, maxFailures: 2}}\n").merged(asks(team, numbered("c", 20), "good-1"))
}

// twentyConsumers publishes a version that fails in staging for everybody: it touches at most two of twenty there, and
// none in prod. The next version reaches them all.
func twentyConsumers(l *ladder) {
	requests := numbered("c", 20)
	for _, request := range requests {
		l.becomes(request, first, everyCluster...)
	}
	l.change("widget 1.1.0", version("widget", "1.1.0", "bad-on-staging", ""))
	const bad = "good-1@bad-on-staging"
	for _, request := range requests {
		l.becomes(request, bad, "dev")
	}
	l.waits("staging", requests[19], "rollout", "widget@1.1.0 failed")
	l.change("widget 1.2.0", version("widget", "1.2.0", "1.2.0", ""))
	for _, request := range requests {
		l.becomes(request, "good-1@1.2.0", everyCluster...)
	}
	touched := 0
	for _, request := range requests {
		if slices.Contains(l.saw("staging", request), bad) || slices.Contains(l.committed("staging", request), bad) {
			touched++
		}
		l.once(request, prodClusters, first, "good-1@1.2.0")
	}
	l.t.Logf("the bad version touched %d of %d in staging", touched, len(requests))
	require.GreaterOrEqual(l.t, touched, 1)
	require.LessOrEqual(l.t, touched, 2, "max(first, maxFailures)")
}

// readmission approves a release that failed, and then, when it has failed again, once more: each Approval lets it in once.
func readmission(l *ladder) {
	const bad = "bad-on-prod-1-twice@1.0.0"
	l.begins("shop")
	l.change("shop: bad on the canary", ask(l.team, "shop", "bad-on-prod-1-twice", everywhere))
	l.rolledBack("prod", bad, "shop")
	failure := l.record("prod", "shop").Promotion.Rejected[0]
	l.writes("promote", l.team+"/shop", "--environment", "prod")
	l.eventually("it enters once more, and fails", func() error {
		if was := l.saw("prod-1", "shop"); !slices.Equal(was, []string{first, bad, first, bad, first}) {
			return fmt.Errorf("prod-1 saw %q; %s", was, l.why("prod", "shop"))
		}
		return nil
	})
	l.rolledBack("prod", bad, "shop")
	l.follows(l.change("nothing to do with it", ask(l.team, "cart", "good-1", "{dev: {}}")))
	l.waits("prod", "shop", "rejected")
	l.once("shop", []string{"prod-1"}, first, bad, first, bad, first)

	l.widgets.judge(l.t.Context(), "bad-on-prod-1-twice", "Ready")
	l.change("another Approval", decide("Approval", "prod", "another", fmt.Sprintf("request: %s/shop, release: %q", l.team, failure.Release)))
	l.becomes("shop", bad, everyCluster...)
	l.once("shop", []string{"prod-1"}, first, bad, first, bad, first, bad)
	l.once("shop", []string{"dev", "staging", "prod-2"}, first, bad)
}
