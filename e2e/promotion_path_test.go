package e2e_test

import (
	"fmt"
	"slices"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/render/state"
)

// In these stories a Widget is an image of the request with a build of the version.
const (
	first  = "good-1@1.0.0"
	second = "good-2@1.0.0"
	third  = "good-2@1.1.0"
	fourth = "good-2@1.2.0"
	fifth  = "good-3@1.2.0"
)

// oneShop is a request that is everywhere.
func oneShop(team string) files { return ask(team, "shop", "good-1", everywhere) }

// happyPath takes a new request, another image, a new version, one that is a chart, and another image of that up the whole ladder.
func happyPath(l *ladder) {
	l.becomes("shop", first, everyCluster...)
	l.change("shop: good-2", ask(l.team, "shop", "good-2", everywhere))
	l.becomes("shop", second, everyCluster...)
	l.change("widget 1.1.0", version("widget", "1.1.0", "1.1.0", ""))
	l.becomes("shop", third, everyCluster...)
	l.change("widget 1.2.0 is a chart", chart("widget", "1.2.0", "1.2.0"))
	l.becomes("shop", fourth, everyCluster...)
	l.change("shop: good-3", ask(l.team, "shop", "good-3", everywhere))
	l.becomes("shop", fifth, everyCluster...)
	l.climbed("shop", first, second, third, fourth, fifth)
}

// climbed requires that a request went up the ladder as these and nothing else, with every soak on the way, and that
// the record in prod says how.
func (l *ladder) climbed(request string, was ...string) {
	l.t.Helper()
	last := l.records("the rollout in prod is over", "prod", request, func(r *state.Release) bool { return r.Promotion.Rollout == nil })
	require.Equal(l.t, []string{"staging"}, last.Promotion.PromotedFrom)
	soaked := func(g state.PassedGate) bool { return g.Gate == "soak" && g.Figure != "" }
	require.True(l.t, slices.ContainsFunc(last.Promotion.Gates, soaked), "the record has the soak with its figure: %+v", last.Promotion.Gates)
	require.Empty(l.t, last.Promotion.Rejected)
	require.Equal(l.t, l.record("staging", request).Digest, last.Digest, "prod runs exactly what staging runs")
	l.once(request, everyCluster, was...)
	for _, what := range was {
		l.soaked(request, what, "dev", 2*time.Second, "staging")
		l.soaked(request, what, "staging", 2*time.Second, "prod-1")
		l.soaked(request, what, "prod-1", 2*time.Second, "prod-2")
	}
}

// withTwin tells a story to two daemons that know nothing of each other.
func withTwin(tell func(*ladder)) func(*ladder) {
	return func(l *ladder) {
		other := l.twin()
		tell(l)
		other.stop()
	}
}

// fasterThanSoaks pushes an image after the other, faster than any of them can soak: prod still gets one, and another,
// each after its soaks, and none older than the one before.
func fasterThanSoaks(l *ladder) {
	pushed := 1
	next := time.Now()
	l.eventually("prod advances although images never rest", func() error {
		if time.Now().After(next) {
			pushed++
			l.change(fmt.Sprintf("shop: image %d", pushed), ask(l.team, "shop", fmt.Sprintf("good-%d", pushed), everywhere))
			next = time.Now().Add(500 * time.Millisecond)
		}
		if was := l.saw("prod-2", "shop"); len(was) < 3 {
			return fmt.Errorf("of %d images prod saw %q; %s", pushed, was, l.why("prod", "shop"))
		}
		return nil
	})
	l.t.Logf("of %d images, dev saw %d, staging %d, prod %d", pushed, len(l.saw("dev", "shop")), len(l.saw("staging", "shop")), len(l.saw("prod-1", "shop")))
	l.becomes("shop", what(fmt.Sprintf("good-%d", pushed), "1.0.0"), everyCluster...)
	for _, was := range l.saw("prod-2", "shop") {
		l.soaked("shop", was, "dev", 2*time.Second, "staging")
		l.soaked("shop", was, "staging", 2*time.Second, "prod-1")
		l.soaked("shop", was, "prod-1", 2*time.Second, "prod-2")
	}
	for _, cluster := range everyCluster {
		is := func(image string) (n int) { _, _ = fmt.Sscanf(image, "good-%d@", &n); return n }
		was := l.saw(cluster, "shop")
		require.True(l.t, slices.IsSortedFunc(was, func(a, b string) int { return is(a) - is(b) }), "%s went back: %q", cluster, was)
	}
}

// slowRelease takes an image that is not healthy for long: the environment after it waits for as long, and goes on by
// itself.
func slowRelease(l *ladder) {
	const slow = "slow-1@1.0.0"
	l.becomes("shop", first, everyCluster...)
	l.change("shop: slow-1", ask(l.team, "shop", "slow-1", everywhere))
	l.becomes("shop", slow, "dev")
	l.waits("staging", "shop", "health", "Progressing")
	require.Equal(l.t, []string{first}, l.saw("staging", "shop"))
	l.widgets.judge(l.t.Context(), "slow-1", "Ready")
	l.becomes("shop", slow, everyCluster...)
	l.climbed("shop", first, slow)
}

// soakSurvivesRestarts restarts the daemon, each time without its data, before it ever sees a whole soak: the part that it saw
// before adds up, of a release and of a removal.
func soakSurvivesRestarts(l *ladder) {
	l.becomes("shop", first, everyCluster...)
	l.change("a long soak", environment("staging", "  promotesFrom: [dev]\n  gates: {soak: 8s, grace: 1s}\n"+together))
	l.change("shop: good-2", ask(l.team, "shop", "good-2", everywhere))
	l.becomes("shop", second, "dev")
	l.shortLives("shop", 8*time.Second)
	l.soaked("shop", second, "dev", 8*time.Second, "staging")
	l.becomes("shop", second, everyCluster...)

	l.change("no shop", ask(l.team, "shop", "good-2", everywhere).without())
	l.becomes("shop", gone, "dev")
	l.shortLives("shop", 8*time.Second)
	l.becomes("shop", gone, everyCluster...)
	soak := l.since("staging", "shop", gone).at.Sub(l.since("dev", "shop", gone).at)
	require.GreaterOrEqual(l.t, soak, 8*time.Second)
	l.forgets("shop")
	l.once("shop", everyCluster, first, second, gone)
}

// shortLives restarts the daemon without its data, in less than a soak each time, until staging follows dev.
func (l *ladder) shortLives(request string, soak time.Duration) {
	l.t.Helper()
	began, lives, seen := time.Now(), 0, len(l.saw("staging", request))
	for ; len(l.saw("staging", request)) == seen; lives++ {
		before := l.checkpoint("dev", request)
		l.eventually("the soak goes on", func() error {
			if now := l.checkpoint("dev", request); now < before+soak/4 && len(l.saw("staging", request)) == seen {
				return fmt.Errorf("the checkpoint is %s after %s; %s", now, before, l.why("staging", request))
			}
			return nil
		})
		require.Less(l.t, l.checkpoint("dev", request)-before, soak, "no life saw a whole soak")
		l.kill()
		l.forget()
		l.start()
	}
	l.t.Logf("%d lives in %s", lives, time.Since(began).Round(time.Second))
	require.Greater(l.t, lives, 1)
}

// dataDeleted deletes the daemon's data while a release is on its way and after it arrived.
func dataDeleted(l *ladder) {
	l.becomes("shop", first, everyCluster...)
	l.change("shop: good-2", ask(l.team, "shop", "good-2", everywhere))
	l.becomes("shop", second, "staging")
	l.stop()
	l.forget()
	l.start()
	l.becomes("shop", second, everyCluster...)
	l.climbed("shop", first, second)
	l.stop()
	heads := map[string]string{}
	for _, environment := range environmentOf {
		heads[environment] = l.git(l.state(environment), "rev-parse", "main")
	}
	l.forget()
	l.start()
	commit := l.git(l.clone(), "rev-parse", "HEAD")
	l.eventually("everything is healthy again", func() error { return l.healthy(commit, 3) })
	for environment, head := range heads {
		require.Equal(l.t, head, l.git(l.state(environment), "rev-parse", "main"), "nothing new was decided for %s", environment)
	}
	l.once("shop", everyCluster, first, second)
}
