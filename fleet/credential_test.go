package fleet_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/fleet"
	"transom.dev/fleet/apply"
	"transom.dev/fleet/credential"
	"transom.dev/render/platform"
)

// TestANewWayThatFailsLeavesTheConnectionOfBefore: a kubeconfig that does not work costs nothing but a warning, until the
// connection of before is lost.
func TestANewWayThatFailsLeavesTheConnectionOfBefore(t *testing.T) {
	simulate(t, []string{"a"}, func(h *harness) {
		var mu sync.Mutex
		var wrong error
		set := func(err error) {
			mu.Lock()
			defer mu.Unlock()
			wrong = err
		}
		a := h.clusters["a"]
		fleet.DialWith(h.fleet, func(_ context.Context, _ string, event func(apply.Owner), doubt func()) (fleet.Member, error) {
			mu.Lock()
			defer mu.Unlock()
			if wrong != nil {
				return nil, wrong
			}
			return a.connect(event, doubt)
		})
		h.deploy(commit(place(dev("web"), "1", "a")), pinned("a"))
		since := h.statusOf("a").Since
		set(errors.New("Unauthorized"))
		h.fleet.Reconnect("a")
		synctest.Wait()
		require.True(h, h.statusOf("a").Reachable)
		require.Equal(h, "the new way to reach it is not used, and the one of before stays: Unauthorized", h.statusOf("a").Warning)
		h.deploy(commit(place(dev("web"), "2", "a")), pinned("a"))
		require.Equal(h, revision(dev("web"), "2"), a.holds()["payments/web"], "the cluster is still written to")
		h.after(time.Hour)
		require.Equal(h, since, h.statusOf("a").Since)
		require.Len(h, a.sessions, 1)

		dials := a.dials
		set(nil)
		h.after(time.Minute)
		require.Empty(h, h.statusOf("a").Warning)
		require.Equal(h, dials+1, a.dials, "it is used as soon as it works, and once")
		require.Len(h, a.sessions, 1)

		set(fmt.Errorf("no kubeconfig for cluster a: %w", fs.ErrNotExist))
		h.fleet.Reconnect("a")
		h.after(2 * time.Second)
		require.False(h, h.statusOf("a").Reachable, "a kubeconfig that was taken away is not used any more")
		require.Empty(h, a.sessions)
	})
}

// TestWhatIsKnownOfACredentialIsReported, and its warnings as the time comes.
func TestWhatIsKnownOfACredentialIsReported(t *testing.T) {
	simulate(t, []string{"a"}, func(h *harness) {
		expires := time.Now().Add(8 * 24 * time.Hour)
		h.clusters["a"].credential = &credential.Credential{Source: "a.kubeconfig", User: "robot", Issued: time.Now(), Expires: expires}
		h.deploy(commit(), pinned("a"))
		require.Equal(h, fleet.ClusterResult{
			Cluster: "a", UID: "uid-a", Reachable: true, Since: h.statusOf("a").Since, User: "robot", Source: "a.kubeconfig", Expires: expires,
		}, h.statusOf("a"))
		h.after(25 * time.Hour)
		require.Contains(h, h.statusOf("a").Warning, "the credential in a.kubeconfig expires on ")
		h.after(7 * 24 * time.Hour)
		require.Contains(h, h.statusOf("a").Warning, "the credential in a.kubeconfig expired on ")
	})
}

// TestTheOwnClusterIsReachedWithoutAKubeconfig: whoever connects is told that a cluster is the one that the daemon runs in, also
// where its file comes to say so later.
func TestTheOwnClusterIsReachedWithoutAKubeconfig(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := make(chan bool, 100)
		f := &fleet.Fleet{
			Report: func(fleet.Result) {}, ReportCluster: func(fleet.ClusterResult) {},
			Connect: func(_ context.Context, cluster string, own bool) (*credential.Credential, error) {
				require.Equal(t, "a", cluster)
				asked <- own
				return nil, errors.New("not today")
			},
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_ = f.Run(ctx)
		}()
		last := func() (own bool) {
			synctest.Wait()
			for len(asked) > 0 {
				own = <-asked
			}
			return own
		}
		deploy := func(own bool) {
			member := fleet.Cluster{Name: "a", State: platform.ClusterActive, Own: own}
			require.NoError(t, f.Deploy(fleet.Target{Environment: "dev", Commit: "c", Snapshot: commit(), Clusters: []fleet.Cluster{member}}))
		}
		deploy(true)
		require.True(t, last())
		deploy(false)
		require.False(t, last())
		deploy(true)
		require.True(t, last())
		stop()
		<-ended
	})
}
