package fleet_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"transom.dev/fleet/apply"
	"transom.dev/render/platform"
)

func TestACheckpointHoldsUpNobodyAndOnlyTheLastIsWritten(t *testing.T) {
	simulate(t, []string{"a", "b"}, func(h *harness) {
		a, web := h.clusters["a"], dev("web")
		h.deploy(commit(place(web, "1", "a", "b")), pinned("a", "b"))
		a.take()
		a.mu.Lock() // it is slow to answer
		soak := func(cluster string, soaked time.Duration) {
			h.fleet.Checkpoint("dev", cluster, key(web), apply.Checkpoint{Revision: revision(web, "1"), Soaked: soaked})
		}
		soak("a", time.Minute)
		for n := range 100 {
			soak("a", time.Duration(n)*time.Minute)
			soak("b", time.Duration(n)*time.Minute)
		}
		soak("nobody", time.Minute)
		a.mu.Unlock()
		synctest.Wait()
		require.Equal(h, 99*time.Minute, a.soaked[web].Soaked)
		require.Equal(h, 99*time.Minute, h.clusters["b"].soaked[web].Soaked)
		require.LessOrEqual(h, len(a.written), 2)
		require.Empty(h, a.take(), "no pass is made for it")
	})
}

func TestACheckpointIsDroppedWhereNothingMayBeWritten(t *testing.T) {
	web := dev("web")
	for name, prepare := range map[string]func(*harness){
		"unreachable": func(h *harness) { h.clusters["a"].lose() },
		"paused": func(h *harness) {
			paused := pinned("a")
			paused[0].State = platform.ClusterPaused
			h.deploy(commit(place(web, "1", "a")), paused)
		},
		"rebuilt": func(h *harness) {
			h.clusters["a"].set(func(c *fakeCluster) { c.uid = "uid-new" })
			h.fleet.Reconnect("a")
		},
		"another environment": func(h *harness) {
			h.fleet.Checkpoint("prod", "a", key(web), apply.Checkpoint{Revision: revision(web, "1"), Soaked: time.Minute})
		},
	} {
		t.Run(name, func(t *testing.T) {
			simulate(t, []string{"a"}, func(h *harness) {
				a := h.clusters["a"]
				h.deploy(commit(place(web, "1", "a")), pinned("a"))
				prepare(h)
				synctest.Wait()
				if name != "another environment" {
					h.fleet.Checkpoint("dev", "a", key(web), apply.Checkpoint{Revision: revision(web, "1"), Soaked: time.Minute})
				}
				synctest.Wait()
				a.set(func(c *fakeCluster) { c.away = nil })
				h.after(time.Hour)
				require.Empty(h, a.written)
			})
		})
	}
}

func TestWhatWaitsIsWrittenBeforeTheFleetEnds(t *testing.T) {
	simulate(t, []string{"a"}, func(h *harness) {
		a, web := h.clusters["a"], dev("web")
		h.deploy(commit(place(web, "1", "a")), pinned("a"))
		h.fleet.Checkpoint("dev", "a", key(web), apply.Checkpoint{Revision: revision(web, "1"), Soaked: time.Minute})
		h.stop()
		<-h.ended
		require.Equal(h, time.Minute, a.soaked[web].Soaked)
	})
}

func TestACheckpointIsWrittenDuringAPass(t *testing.T) {
	simulate(t, []string{"a"}, func(h *harness) {
		a, web, next := h.clusters["a"], dev("web"), make(chan struct{})
		h.deploy(commit(place(web, "1", "a")), pinned("a"))
		a.set(func(c *fakeCluster) {
			c.on = func(context.Context, apply.Instance) (apply.Result, error) {
				<-next
				return apply.Result{}, nil
			}
		})
		a.happen(web)
		h.after(time.Second)
		h.fleet.Checkpoint("dev", "a", key(web), apply.Checkpoint{Revision: revision(web, "1"), Soaked: time.Minute})
		synctest.Wait()
		require.Equal(h, time.Minute, a.soaked[web].Soaked)
		close(next)
	})
}

func (s fakeSite) remembers(o apply.Owner) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.soaked[o] == (apply.Checkpoint{}) {
		return ""
	}
	return s.soaked[o].Soaked.String()
}

func (s realSite) remembers(o apply.Owner) string {
	name := o.Environment + "." + o.Team + "." + o.Request
	found, err := s.configMaps("transom-system").Get(s.t.Context(), name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return ""
	}
	require.NoError(s.t, err)
	_, soaked, _ := strings.Cut(found.Annotations["transom.dev/soaked"], " ")
	return soaked
}

// quiet waits until no event brings another visit of an instance for a while, and counts them.
func (h *tour) quiet(o apply.Owner) (visits int) {
	for visits = -1; visits != len(h.seen(o)); <-time.After(100 * tick) {
		visits = len(h.seen(o))
	}
	return visits
}
