package main

import (
	"context"
	"encoding/json"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/status"
	"transom.dev/reconciler/web"
	"transom.dev/render/platform"
)

func TestWaitEndsWhenTheCommitIsLiveAndHealthy(t *testing.T) {
	stdout, stderr, code := transom(t, web.Options{Board: eventful()},
		"status", "--wait", "--environment", "dev", "--commit", "9f2c1ab77de0")
	require.Zero(t, code, stderr)
	require.Regexp(t, `^✓ dev is live and healthy at commit 9f2c1ab: 2 placements, after \d+\.\d s\n$`, stdout)
	require.Equal(t, "dev: 2 of 2 placements healthy\n", stderr)
}

func TestWaitEndsWhereAPersonHasToMendIt(t *testing.T) {
	stdout, _, code := transom(t, web.Options{Board: eventful()},
		"status", "search/indexer", "--wait", "--environment", "prod", "-o", "json")
	require.Equal(t, 1, code)
	var v verdict
	require.NoError(t, json.Unmarshal([]byte(stdout), &v))
	require.Equal(t, "a person has to mend it", v.Reason)
	require.Contains(t, v.Failed[0].Message, "requests/search/indexer.yaml:6:3: spec.version: no published version")
}

func TestWaitEndsForARequestThatIsNotThere(t *testing.T) {
	stdout, _, code := transom(t, web.Options{Board: eventful()}, "status", "store/shpo", "--wait", "--environment", "dev")
	require.Equal(t, 1, code)
	require.Contains(t, stdout, "dev has no request store/shpo at commit 9f2c1ab")
}

func TestWaitEndsWhenTimeIsUp(t *testing.T) {
	b := status.NewBoard(time.Now)
	b.Reconciled(status.Environment{Name: "dev", Commit: "c1"}, []status.Instance{{
		Environment: "dev", Request: shop, Placements: []status.Placement{{Cluster: "dev", Stage: status.Committed, Health: "Unknown", Revision: "r"}},
	}})
	stdout, _, code := transom(t, web.Options{Board: b}, "status", "--wait", "-e", "dev", "--timeout", "1s")
	require.Equal(t, 1, code)
	require.Equal(t, "✗ dev is not healthy at commit c1: time is up; 0 of 1 placement healthy after 1 s\n  store/shop: dev: Committed, Unknown\n", stdout)

	stdout, stderr, _ := transom(t, web.Options{Board: b}, "status", "--wait", "-e", "dev", "--commit", "c2", "--timeout", "1s")
	require.Equal(t, "✗ dev is at commit c1, not yet at c2: time is up after 1 s\n", stdout)
	require.Equal(t, "dev is at commit c1, not yet at c2\n", stderr, "a line is repeated only when it changes")
}

// answers lets waiting see one progress after the other, a poll apart; the last one again and again.
func answers(list ...status.Progress) func(context.Context) (status.Progress, error) {
	return func(context.Context) (status.Progress, error) {
		p := list[0]
		if len(list) > 1 {
			list = list[1:]
		}
		return p, nil
	}
}

// wait runs waiting on a clock of its own and returns it with the time that it took.
func wait(t *testing.T, named string, ask func(context.Context) (status.Progress, error)) (w waiting, took time.Duration) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		w = waiting{started: time.Now(), named: named, tell: func(string) {}}
		require.NoError(t, w.until(ctx, ask))
		took = time.Since(w.started)
	})
	return w, took
}

func TestAFailureOnAClusterCountsOnceItStays(t *testing.T) {
	failing := status.Progress{Environment: "dev", Reconciled: true, Instances: 1, Failed: []status.Reason{{Request: &shop, Cluster: "dev", Message: "crashes"}}}
	fine := status.Progress{Environment: "dev", Reconciled: true, Instances: 1, Done: true}

	w, took := wait(t, "", answers(failing, failing, fine))
	require.True(t, w.done, "it was over soon")
	require.Less(t, took, failureLasts)

	w, took = wait(t, "", answers(failing))
	require.False(t, w.done)
	require.Equal(t, "a person has to mend it", w.reason)
	require.Greater(t, took, failureLasts)

	busy := status.Progress{Environment: "dev", Reconciled: true, Instances: 1, Waiting: failing.Failed}
	_, took = wait(t, "", answers(failing, busy, failing))
	require.Greater(t, took, failureLasts+pollEvery, "a break starts the count anew")
}

func TestAnythingBeforeTheCommitIsOldNews(t *testing.T) {
	old := status.Progress{Environment: "dev", Head: "c1", Instances: 1, Failed: []status.Reason{{Message: "the mistake that the commit mends"}}}
	w, _ := wait(t, "", answers(old, old, status.Progress{Environment: "dev", Head: "c2", Reconciled: true, Done: true}))
	require.True(t, w.done)
}

// TestWhoWaitsReadsWhyNothingHappens: an environment whose state cannot be fetched is never reconciled, whatever its requests wait for.
func TestWhoWaitsReadsWhyNothingHappens(t *testing.T) {
	request := platform.RequestKey{Team: "payments", Name: "shop"}
	p := status.Progress{Environment: "dev", Waiting: []status.Reason{{Message: "fetch the state of dev: there is no such repository"}}}
	require.Equal(t, "dev is not reconciled yet: fetch the state of dev: there is no such repository", summary(p))
	p = status.Progress{Environment: "dev", Head: "c1", Commit: "c2", Failed: []status.Reason{{Message: "the platform's history was rewritten"}}}
	require.Equal(t, "dev is at commit c1, not yet at c2: the platform's history was rewritten", summary(p))
	p.Failed[0].Request = &request
	require.Equal(t, "dev is at commit c1, not yet at c2", summary(p), "the commit may mend it")
}

func TestACommitOnAFrozenPlatformIsWaitedForAWhile(t *testing.T) {
	frozen := status.Progress{Environment: "dev", Head: "c1", Frozen: "the head is not signed"}
	w, took := wait(t, "", answers(frozen))
	require.False(t, w.done)
	require.Equal(t, "the head is not signed", w.reason)
	require.Greater(t, took, failureLasts)
	w, _ = wait(t, "", answers(frozen, frozen, status.Progress{Environment: "dev", Head: "c2", Reconciled: true, Done: true}))
	require.True(t, w.done, "a signed commit came on top")

	behind := slices.Repeat([]status.Progress{{Environment: "dev", Head: "c1"}}, 1+int(failureLasts/pollEvery))
	again := slices.Concat([]status.Progress{frozen}, behind, []status.Progress{frozen, {Environment: "dev", Head: "c2", Reconciled: true, Done: true}})
	w, _ = wait(t, "", answers(again...))
	require.True(t, w.done, "it was frozen twice, each time for a moment")
}

func TestARemovalIsDoneOnceTheRequestIsGone(t *testing.T) {
	leaving := status.Progress{Environment: "dev", Reconciled: true, Instances: 1, Total: 1, Waiting: []status.Reason{{Message: "being removed"}}}
	gone := status.Progress{Environment: "dev", Reconciled: true, Done: true}
	w, _ := wait(t, "store/shop", answers(leaving, leaving, gone))
	require.True(t, w.done)
	require.Empty(t, w.reason)
}

func TestADaemonThatRestartsIsWaitedFor(t *testing.T) {
	calls := 0
	w, _ := wait(t, "", func(context.Context) (status.Progress, error) {
		calls++
		switch {
		case calls == 1:
			return status.Progress{Environment: "dev"}, nil
		case calls < 10:
			return status.Progress{}, context.DeadlineExceeded
		default:
			return status.Progress{Environment: "dev", Reconciled: true, Done: true}, nil
		}
	})
	require.True(t, w.done)
}
