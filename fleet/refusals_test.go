package fleet_test

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/fleet/apply"
	"transom.dev/render/state"
)

// policy refuses instances, each for a cause.
type policy struct {
	*fakeCluster
	causes map[string]string // by team; "" or none: nothing is refused. Guarded by the cluster's lock.
	ended  bool              // the visits that are refused end with an error
	blind  bool              // dry runs are not refused
}

var errWebhook = errors.New(`failed calling webhook "w"`)

func refusing(c *fakeCluster, causes map[string]string) *policy {
	p := &policy{fakeCluster: c, causes: causes}
	c.set(func(c *fakeCluster) {
		c.on = func(_ context.Context, in apply.Instance) (apply.Result, error) { return p.judge(in) }
		c.try = func(in apply.Instance, r *apply.Refusal) bool {
			p.mu.Lock()
			defer p.mu.Unlock()
			cause := p.causes[in.Team]
			return cause != "" && !p.blind && strings.HasPrefix(r.Cause, cause)
		}
	})
	return p
}

func (p *policy) judge(in apply.Instance) (apply.Result, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	cause := p.causes[in.Team]
	if cause == "" && in.Refused == nil {
		return apply.Result{Health: state.Healthy, Settled: true}, nil
	}
	if in.Refused != nil {
		return apply.Result{Health: state.Failed, Message: "refused: " + in.Refused.Cause, Refusal: in.Refused}, nil
	}
	refusal := &apply.Refusal{Cause: cause, Message: cause, Ended: p.ended}
	if p.ended {
		return apply.Result{Refusal: refusal}, errWebhook
	}
	return apply.Result{Health: state.Failed, Message: "refused: " + cause, Refusal: refusal}, nil
}

// asked returns how many requests were made since it was last called: visits that leave nothing out, and tries.
func (p *policy) asked() (n int) {
	p.set(func(c *fakeCluster) {
		for _, one := range c.visits {
			if !one.leaves {
				n++
			}
		}
		n += len(c.tries)
		c.visits, c.tries = nil, nil
	})
	return n
}

// crowd are instances of teams, with their files on cluster a.
func crowd(of map[string]int) (all []apply.Owner, files map[string][]byte) {
	files = map[string][]byte{}
	for team, n := range of {
		for _, o := range many(n) {
			o.Team = team
			all = append(all, o)
			maps.Copy(files, place(o, "1", "a"))
		}
	}
	return all, files
}

// healthy counts the instances whose last result is healthy.
func healthy(h *harness, last map[string]state.Health) (n int) {
	for _, r := range h.reported() {
		last[r.Team+"/"+r.Request] = r.Health
	}
	for _, health := range last {
		if health == state.Healthy {
			n++
		}
	}
	return n
}

// A hundred instances that one policy refuses ask for it together: one is tried at a time. Once it is over, all are visited.
func TestACauseCommonToManyIsAskedAboutOnce(t *testing.T) {
	for name, how := range map[string]struct {
		policy policy
		most   int // tries in ten minutes, without those that end it
		soon   time.Duration
	}{
		"a policy":              {policy{}, 50, 14 * time.Second},
		"a webhook that fails":  {policy{ended: true}, 50, 14 * time.Second},
		"dry runs are accepted": {policy{blind: true}, 2 * 20, 42 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			simulate(t, []string{"a"}, func(h *harness) {
				p := refusing(h.clusters["a"], map[string]string{"payments": "policy p", "search": "policy p"})
				p.ended, p.blind = how.policy.ended, how.policy.blind
				all, files := crowd(map[string]int{"payments": 50, "search": 50})
				h.deploy(commit(files), pinned("a"))
				h.after(2 * time.Minute)
				p.asked()
				h.after(10 * time.Minute) // with a sweep
				n := p.asked()
				require.LessOrEqual(h, n, how.most)
				require.Greater(h, n, 10)
				require.Contains(h, h.statusOf("a").Refusing, "100 instances wait, and one of them is tried again and again, because of policy p")
				last := map[string]state.Health{}
				require.Zero(h, healthy(h, last))

				p.set(func(*fakeCluster) { clear(p.causes) })
				h.after(how.soon)
				require.Equal(h, len(all), healthy(h, last), "all are visited at once")
				h.after(20 * time.Second)
				require.Empty(h, h.statusOf("a").Refusing)
				p.asked()
				h.after(time.Minute)
				first := p.asked()
				h.after(time.Minute)
				require.Zero(h, min(first, p.asked()), "a sweep asks for all once in a while, and nothing else asks")
			})
		})
	}
}

// Each cause is asked about by itself, the rate is that of the cluster, and the end of one has the others asked about at once.
func TestCausesShareTheTriesOfACluster(t *testing.T) {
	simulate(t, []string{"a"}, func(h *harness) {
		p := refusing(h.clusters["a"], map[string]string{"payments": "quota of payments", "search": "quota of search", "ads": "quota of ads"})
		_, files := crowd(map[string]int{"payments": 20, "search": 20, "ads": 20})
		h.deploy(commit(files), pinned("a"))
		h.after(2 * time.Minute)
		p.asked()
		h.after(10 * time.Minute)
		require.LessOrEqual(h, p.asked(), 60)
		last := map[string]state.Health{}
		require.Zero(h, healthy(h, last))
		p.set(func(*fakeCluster) { delete(p.causes, "search"); delete(p.causes, "ads") })
		h.after(40 * time.Second)
		require.Equal(h, 40, healthy(h, last))
		require.Contains(h, h.statusOf("a").Refusing, "20 instances wait, and one of them is tried again and again, because of quota of payments")
		require.NotContains(h, h.statusOf("a").Refusing, "search")
	})
}

// Whoever changes is tried by itself, and two that were refused for the same are tried each.
func TestAChangedInstanceDoesNotWaitForOthers(t *testing.T) {
	simulate(t, []string{"a"}, func(h *harness) {
		p := refusing(h.clusters["a"], map[string]string{"payments": "policy p"})
		all, files := crowd(map[string]int{"payments": 20})
		h.deploy(commit(files), pinned("a"))
		h.after(time.Minute)
		p.set(func(c *fakeCluster) { c.try = func(apply.Instance, *apply.Refusal) bool { return true } })
		h.clusters["a"].take()
		files2 := maps.Clone(files)
		maps.Copy(files2, place(all[7], "2", "a"))
		p.set(func(*fakeCluster) { clear(p.causes) })
		h.deploy(commit(files2), pinned("a"))
		h.after(time.Second)
		last := map[string]state.Health{}
		require.Equal(h, 1, healthy(h, last))
		require.Equal(h, state.Healthy, last["payments/"+all[7].Request])
		h.after(time.Minute)
		require.Equal(h, 1, healthy(h, last), "that it is not refused any more says nothing of the others")
	})
	simulate(t, []string{"a"}, func(h *harness) {
		p := refusing(h.clusters["a"], map[string]string{"payments": "policy p"})
		_, files := crowd(map[string]int{"payments": 2})
		h.deploy(commit(files), pinned("a"))
		h.after(time.Minute)
		require.Greater(h, p.asked(), 10)
		require.Empty(h, h.statusOf("a").Refusing)
	})
}

// Of many that shared a cause two are left: they are tried each again, as two are that never shared it.
func TestTooFewToShareACauseDoNotWait(t *testing.T) {
	simulate(t, []string{"a"}, func(h *harness) {
		p := refusing(h.clusters["a"], map[string]string{"payments": "policy p", "search": "policy p"})
		all, files := crowd(map[string]int{"payments": 2, "search": 4})
		h.deploy(commit(files), pinned("a"))
		h.after(time.Minute)
		require.Contains(h, h.statusOf("a").Refusing, "6 instances wait")
		p.set(func(*fakeCluster) { delete(p.causes, "search") })
		for _, o := range all {
			if o.Team == "search" {
				maps.Copy(files, place(o, "2", "a"))
			}
		}
		h.deploy(commit(files), pinned("a"))
		h.after(time.Second)
		p.asked()
		h.after(time.Minute)
		require.Greater(h, p.asked(), 8, "more often than the turns of a cause come")
		require.Empty(h, h.statusOf("a").Refusing)
	})
}

// The visit in which a try was refused goes on without the objects that were refused: it may have been for something else as well.
func TestAnInstanceWhoseTryIsRefusedIsKeptAsItShallBe(t *testing.T) {
	simulate(t, []string{"a"}, func(h *harness) {
		p := refusing(h.clusters["a"], map[string]string{"payments": "policy p"})
		_, files := crowd(map[string]int{"payments": 20})
		h.deploy(commit(files), pinned("a"))
		h.after(2 * time.Minute)
		p.asked()
		h.after(13 * time.Second)
		p.set(func(c *fakeCluster) {
			require.Len(h, c.tries, 1)
			require.Len(h, c.visits, 1)
			require.Equal(h, c.tries[0], c.visits[0].owner)
			require.True(h, c.visits[0].leaves)
		})
	})
}

// A visit that leaves out what was refused says nothing about dry runs, even where it lasts until it is the instance's turn.
func TestAVisitThatTriesNothingIsNoTry(t *testing.T) {
	simulate(t, []string{"a"}, func(h *harness) {
		p := refusing(h.clusters["a"], map[string]string{"payments": "policy p"})
		all, files := crowd(map[string]int{"payments": 8})
		h.deploy(commit(files), pinned("a"))
		h.after(2 * time.Minute)
		p.set(func(c *fakeCluster) {
			c.on = func(_ context.Context, in apply.Instance) (apply.Result, error) {
				if in.Refused != nil {
					<-time.After(20 * time.Second)
				}
				return p.judge(in)
			}
		})
		for _, o := range all {
			p.happen(o)
		}
		h.after(time.Minute)
		p.asked()
		h.after(2 * time.Minute)
		p.set(func(c *fakeCluster) { require.Greater(h, len(c.tries), 5) })
	})
}

// A cluster that hangs is told while instances wait for a cause, too.
func TestAHungClusterIsToldWhileInstancesWait(t *testing.T) {
	simulate(t, []string{"a"}, func(h *harness) {
		refusing(h.clusters["a"], map[string]string{"payments": "policy p"})
		_, files := crowd(map[string]int{"payments": 20})
		h.deploy(commit(files), pinned("a"))
		h.after(2 * time.Minute)
		answer := h.clusters["a"].hang()
		h.after(30 * time.Second)
		require.False(h, h.statusOf("a").Reachable)
		answer()
	})
}
