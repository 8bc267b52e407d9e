package e2e_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/status"
	"transom.dev/render/state"
)

// paused takes a cluster of prod and then the whole of staging out of writing: the first delays nobody, the second
// proves nothing.
func paused(l *ladder) {
	t := l.t
	l.begins("shop")
	l.follows(l.change("pause prod-2", is("prod-2", "paused")))
	l.change("shop: good-2", ask(l.team, "shop", "good-2", everywhere))
	l.becomes("shop", second, "dev", "staging", "prod-1")
	l.records("prod is done", "prod", "shop", func(r *state.Release) bool { return r.Promotion.Rollout == nil })
	require.Equal(t, []string{first, second}, l.committed("prod-2", "shop"), "it is committed for the paused cluster")
	require.Equal(t, []string{first}, l.saw("prod-2", "shop"), "and not written there")
	l.change("go on with prod-2", is("prod-2", "active"))
	l.becomes("shop", second, "prod-2")

	l.follows(l.change("pause staging", is("staging", "paused")))
	l.change("shop: good-3", ask(l.team, "shop", "good-3", everywhere))
	l.becomes("shop", "good-3@1.0.0", "dev")
	l.eventually("it is committed for staging", func() error {
		if was := l.committed("staging", "shop"); last(was) != "good-3@1.0.0" {
			return fmt.Errorf("committed so far: %q", was)
		}
		return nil
	})
	l.waits("prod", "shop", "", "staging")
	require.Equal(t, []string{first, second}, l.saw("prod-1", "shop"), "an upstream without a counting cluster proves nothing")
	l.change("go on with staging", is("staging", "active"))
	l.becomes("shop", "good-3@1.0.0", everyCluster...)
	l.once("shop", everyCluster, first, second, "good-3@1.0.0")
}

// lost takes prod's canary away while a release is on its way: the environments before it go on, the second wave waits,
// and nothing is ever rolled back.
func lost(l *ladder) {
	t := l.t
	l.begins("shop")
	l.sandbox("stop", "prod-1")
	t.Cleanup(func() { // the fleet is not only ours
		_ = exec.Command(filepath.Join(l.bin, "sandbox"), "start", "prod-1", "--dir", l.fleet).Run()
	})
	l.change("shop: good-2", ask(l.team, "shop", "good-2", everywhere))
	l.becomes("shop", second, "dev", "staging")
	l.waits("prod", "shop", "", "prod-1")
	l.change("another one", ask(l.team, "cart", "good-1", "{dev: {}, staging: {}}"))
	l.becomes("cart", first, "dev", "staging")
	require.Equal(t, []string{first}, l.saw("prod-2", "shop"), "the second wave waits for the first")
	require.Empty(t, l.record("prod", "shop").Promotion.Rejected, "a cluster that does not answer fails nothing")
	l.sandbox("start", "prod-1")
	l.becomes("shop", second, everyCluster...)
	l.records("prod is done", "prod", "shop", func(r *state.Release) bool { return r.Promotion.Rollout == nil })
	require.Empty(t, l.record("prod", "shop").Promotion.Rejected)
	l.once("shop", everyCluster, first, second)
}

// removal takes a request away: dev loses it first and prod last, soaks in between, and no record of it stays.
func removal(l *ladder) {
	l.begins("shop", "cart")
	l.change("no shop", ask(l.team, "shop", "", "").without())
	l.becomes("shop", gone, everyCluster...)
	for _, step := range []struct{ before, after string }{{"dev", "staging"}, {"staging", "prod-1"}, {"staging", "prod-2"}} {
		before, after := l.since(step.before, "shop", gone), l.since(step.after, "shop", gone)
		require.GreaterOrEqual(l.t, after.at.Sub(before.at), 2*time.Second, "from when it left %s until it left %s", step.before, step.after)
	}
	l.forgets("shop")
	l.once("shop", everyCluster, first, gone)
	l.once("cart", everyCluster, first)
}

// crowd is a dozen requests.
func crowd(team string) files { return asks(team, numbered("d", 12), "good-1") }

// massDeletion removes ten of twelve requests by one merge: the deletions wait in every environment until an Approval of
// their digest is merged there, and the rest of that merge does not wait.
func massDeletion(l *ladder) {
	names := numbered("d", 12)
	l.begins(names...)
	removed, kept := names[:10], names[10:]
	merge := ask(l.team, kept[0], "good-2", everywhere)
	for _, name := range removed {
		merge = merge.merged(ask(l.team, name, "", "").without())
	}
	l.change("a mistake?", merge)
	l.becomes(kept[0], second, everyCluster...)
	for i, environment := range []string{"dev", "staging", "prod"} {
		digest := l.digest(environment, "the deletions", func(e status.Environment) string { return e.Deletions })
		for _, cluster := range everyCluster[i:] {
			for _, name := range names {
				require.NotContains(l.t, l.saw(cluster, name), gone)
			}
		}
		l.change("no mistake in "+environment, decide("Approval", environment, "many", "deletions: "+digest))
		for _, cluster := range everyCluster {
			if environmentOf[cluster] != environment {
				continue
			}
			for _, name := range removed {
				l.becomes(name, gone, cluster)
			}
		}
	}
	for _, name := range removed {
		l.once(name, everyCluster, first, gone)
	}
	l.once(kept[0], everyCluster, first, second)
	l.once(kept[1], everyCluster, first)
}

func last[E any](list []E) (e E) {
	if len(list) > 0 {
		e = list[len(list)-1]
	}
	return e
}
