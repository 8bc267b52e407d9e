package e2e_test

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/status"
	"transom.dev/render/state"
)

// askingPeople is a prod that takes nothing without an Approval.
func askingPeople(team string) files {
	return oneShop(team).merged(environment("prod", "  promotesFrom: [staging]\n  gates: {soak: 2s, grace: 1s, approval: required}\n"+inWaves))
}

// overlay patches the build of every Widget in prod.
var overlay = environment("prod", "  components: [mark]\n  promotesFrom: [staging]\n"+
	"  gates: {soak: 2s, grace: 1s, approval: required}\n"+inWaves).merged(files{
	"environments/prod/mark/kustomization.yaml": `apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
patches:
- target: {kind: Widget}
  patch: |
    - {op: replace, path: /spec/build, value: marked}
`,
})

// approval opens prod for a new request, a new image, a new version and an environment change, each by its own form.
func approval(l *ladder) {
	t := l.t
	l.becomes("shop", first, "staging")
	l.admit("prod", "shop", "first")
	l.becomes("shop", first, prodClusters...)

	l.change("shop: good-2", ask(l.team, "shop", "good-2", everywhere))
	l.becomes("shop", second, "staging")
	l.waits("prod", "shop", "approval")
	l.follows(l.change("an Approval of the version", decide("Approval", "prod", "version-1-0-0", "offering: widget, version: 1.0.0")))
	l.waits("prod", "shop", "approval")
	require.Equal(t, []string{first}, l.saw("prod-1", "shop"), "the Approval of a version admits no other image")
	l.writes("promote", l.team+"/shop", "--environment", "prod")
	l.becomes("shop", second, prodClusters...)

	l.change("widget 1.1.0", version("widget", "1.1.0", "1.1.0", ""))
	l.becomes("shop", third, "staging")
	l.waits("prod", "shop", "approval")
	l.change("an Approval of the version", decide("Approval", "prod", "version-1-1-0", "offering: widget, version: 1.1.0"))
	l.becomes("shop", third, prodClusters...)
	admitted := l.record("prod", "shop").Promotion.Gates
	require.True(t, slices.ContainsFunc(admitted, func(g state.PassedGate) bool {
		return g.Gate == "approval" && g.Decision == "decisions/prod/version-1-1-0.yaml" && g.Author != ""
	}), "the record says who approved: %+v", admitted)

	l.change("mark prod", overlay)
	l.waits("prod", "shop", "approval", "plan")
	require.Equal(t, third, last(l.saw("prod-1", "shop")), "an environment change waits, too")
	l.change("approve the plan", decide("Approval", "prod", "mark", "plan: "+l.digest("prod", "the plan", func(e status.Environment) string { return e.Plan })))
	l.becomes("shop", "good-2@marked", prodClusters...)
	l.soaked("shop", "good-2@marked", "prod-1", 2*time.Second, "prod-2")
	l.follows(l.change("used Approvals may go", decide("Approval", "prod", "first", "").without(), decide("Approval", "prod", "mark", "").without()))
	l.once("shop", prodClusters, first, second, third, "good-2@marked")
}

// window keeps prod closed, and then opens it at a full minute of Berlin's clocks, when nobody does anything.
func window(l *ladder) {
	prod := func(window string) files {
		return environment("prod", "  promotesFrom: [staging]\n  gates: {soak: 2s, grace: 1s}\n  windows: ["+window+"]\n"+inWaves)
	}
	l.becomes("shop", first, everyCluster...)
	l.follows(l.change("a closed window", prod("{cron: '0 0 29 2 *', duration: 1m}")))
	l.change("shop: good-2", ask(l.team, "shop", "good-2", everywhere))
	l.becomes("shop", second, "staging")
	l.waits("prod", "shop", "window")
	berlin, err := time.LoadLocation("Europe/Berlin")
	require.NoError(l.t, err)
	opens := time.Now().Add(10 * time.Second).Truncate(time.Minute).Add(time.Minute).In(berlin)
	l.change("a window that opens soon", prod(fmt.Sprintf("{cron: '%d %d * * *', duration: 2h, timeZone: Europe/Berlin}", opens.Minute(), opens.Hour())))
	l.eventually("status says when it opens", func() error {
		in, err := l.instance("prod", "shop")
		for _, g := range in.Waiting {
			if g.Name == "window" && g.At.Equal(opens) {
				return nil
			}
		}
		if err == nil {
			err = fmt.Errorf("so far it says %+v", in)
		}
		return err
	})
	l.becomes("shop", second, prodClusters...)
	require.False(l.t, l.since("prod-1", "shop", second).at.Before(opens), "it entered when the window had opened")
	l.once("shop", prodClusters, first, second)
}

// heldShops are requests that wait for different people.
func heldShops(team string) files {
	return offering("gadget", "").merged(version("gadget", "1.0.0", "1.0.0", ""),
		ask(team, "asked", "good-1", everywhere), ask(team, "own", "good-1", everywhere),
		askFor("gadget", "1", team, "offered", "good-1", everywhere), ask(team, "free", "good-1", everywhere))
}

// hold stops releases at every level: request, the request's own file, offering, cluster; then team and environment with
// an end, after which they go on by themselves.
func hold(l *ladder) {
	requests := []string{"asked", "own", "offered", "free"}
	for _, request := range requests {
		l.becomes(request, first, everyCluster...)
	}
	holds := map[string]files{
		"asked":   decide("Hold", "prod", "asked", "request: "+l.team+"/asked, reason: audit"),
		"offered": decide("Hold", "prod", "offered", "offering: gadget, reason: audit"),
	}
	cluster := decide("Hold", "prod", "second", "cluster: prod-2, reason: audit")
	held := func(image string) []files { // all at once, each with a new image
		return []files{
			ask(l.team, "asked", image, everywhere), ask(l.team, "own", image, "{dev: {}, staging: {}, prod: {hold: true}}"),
			askFor("gadget", "1", l.team, "offered", image, everywhere), ask(l.team, "free", image, everywhere),
		}
	}
	l.change("holds, and new images", append(held("good-2"), holds["asked"], holds["offered"], cluster)...)
	for _, request := range requests {
		l.becomes(request, second, "staging")
	}
	for _, request := range []string{"asked", "own", "offered"} {
		l.waits("prod", request, "hold")
	}
	l.becomes("free", second, "prod-1")
	l.waits("prod", "free", "hold", "second.yaml")
	for _, request := range []string{"asked", "own", "offered"} {
		require.Equal(l.t, []string{first}, l.saw("prod-1", request))
	}
	l.change("no holds", holds["asked"].without(), holds["offered"].without(), ask(l.team, "own", "good-2", everywhere))
	for _, request := range requests {
		l.becomes(request, second, "prod-1")
		require.Equal(l.t, []string{first}, l.saw("prod-2", request))
	}
	l.change("no hold of a cluster", cluster.without())
	for _, request := range requests {
		l.becomes(request, second, "prod-2")
	}

	until := time.Now().Add(12 * time.Second).UTC().Truncate(time.Second)
	hold := func(subject string, until time.Time) string {
		return fmt.Sprintf("%s until: %q, reason: audit", subject, until.Format(time.RFC3339))
	}
	l.change("holds that end", ask(l.team, "free", "good-3", everywhere),
		decide("Hold", "prod", "everything", hold("", until.Add(-2*time.Second))), decide("Hold", "prod", "team", hold("team: "+l.team+",", until)))
	l.becomes("free", "good-3@1.0.0", prodClusters...)
	require.False(l.t, l.since("prod-1", "free", "good-3@1.0.0").at.Before(until), "it entered when the last hold had ended")
}

// pin keeps one request of prod at a version while another one moves on, and later takes it back to it.
func pin(l *ladder) {
	t := l.t
	l.begins("shop", "cart")
	const next = "good-1@1.1.0"
	pinned := decide("Pin", "prod", "shop", "request: "+l.team+"/shop, version: 1.0.0, reason: a bug in 1.1")
	l.follows(l.change("pin shop", pinned))
	l.change("widget 1.1.0", version("widget", "1.1.0", "1.1.0", ""))
	l.becomes("cart", next, everyCluster...)
	l.becomes("shop", next, "dev", "staging")
	l.owes("prod", "shop", "decisions/prod/shop.yaml")
	require.Equal(t, []string{first}, l.saw("prod-1", "shop"))
	l.change("no pin", pinned.without())
	l.becomes("shop", next, prodClusters...)
	l.records("1.1.0 is healthy in all waves", "prod", "shop", func(r *state.Release) bool { return r.Promotion.Rollout == nil })

	l.writes("rollback", l.team+"/shop", "--environment", "prod", "--reason", "take it back")
	l.becomes("shop", first, prodClusters...)
	l.once("shop", []string{"dev", "staging"}, first, next)
	l.once("shop", prodClusters, first, next, first)
	l.once("cart", everyCluster, first, next)
}

// owes waits until status shows a decision as a debt.
func (l *ladder) owes(environment, request, file string) {
	l.t.Helper()
	l.eventually("status shows "+file+" as a debt", func() error {
		in, err := l.instance(environment, request)
		if err == nil && !slices.ContainsFunc(in.Debts, func(debt string) bool { return strings.HasPrefix(debt, file) }) {
			err = fmt.Errorf("it owes %q", in.Debts)
		}
		return err
	})
}

// twoShops are two requests that follow the newest version.
func twoShops(team string) files {
	return ask(team, "shop", "good-1", everywhere).merged(ask(team, "cart", "good-1", everywhere))
}

// override takes a version to prod past an hour of soak, an approval, a window and a hold, and leaves a debt.
func override(l *ladder) {
	l.begins("shop")
	l.follows(l.change("a strict prod", environment("prod", "  promotesFrom: [staging]\n  gates: {soak: 1h, grace: 1s, approval: required}\n"+
		"  windows: [{cron: '0 0 29 2 *', duration: 1m}]\n"+inWaves), decide("Hold", "prod", "everything", "reason: audit")))
	l.change("widget 1.1.0", version("widget", "1.1.0", "1.1.0", ""))
	l.becomes("shop", "good-1@1.1.0", "staging")
	l.waits("prod", "shop", "soak")
	require.Equal(l.t, []string{first}, l.saw("prod-1", "shop"))
	skip := decide("Override", "prod", "patch", "offering: widget, version: 1.1.0, skip: [soak, approval, window, hold], reason: a security patch")
	l.change("a security patch", skip)
	l.becomes("shop", "good-1@1.1.0", prodClusters...)
	l.soaked("shop", "good-1@1.1.0", "prod-1", 2*time.Second, "prod-2")
	l.owes("prod", "shop", "decisions/prod/patch.yaml")
	l.follows(l.change("no override", skip.without()))
	l.once("shop", everyCluster, first, "good-1@1.1.0")
}

// prodOnly asks for something in prod alone, and then for a parameter that only prod has: nothing proved either.
func prodOnly(l *ladder) {
	l.waits("prod", "lone", "approval", "prove")
	l.admit("prod", "lone", "lone")
	l.becomes("lone", first, prodClusters...)
	l.becomes("shop", first, everyCluster...)
	l.change("shop: its own image in prod", ask(l.team, "shop", "good-1", "{dev: {}, staging: {}, prod: {parameters: {image: good-hot}}}"))
	l.waits("prod", "shop", "approval", "prove")
	l.admit("prod", "shop", "shop")
	l.becomes("shop", "good-hot@1.0.0", prodClusters...)
	l.once("lone", prodClusters, first)
	l.once("shop", []string{"dev", "staging"}, first)
	l.once("shop", prodClusters, first, "good-hot@1.0.0")
	require.Empty(l.t, l.saw("dev", "lone"))
}

// loneShop is one request everywhere and one in prod alone.
func loneShop(team string) files {
	return oneShop(team).merged(ask(team, "lone", "good-1", "{prod: {}}"))
}
