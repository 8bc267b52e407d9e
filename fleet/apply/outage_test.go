package apply_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"transom.dev/fleet/apply"
	"transom.dev/render/state"
)

// Whoever has too many requests is spared for as long as it says, within bounds, and ever longer where it says nothing of use.
func TestABusyServerIsSpared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := apply.NewPacing(16)
		require.Equal(t, 3*time.Second, p.Busy("3"))
		require.Equal(t, 10*time.Second, p.Busy("3600"))
		require.Equal(t, 5*time.Second, p.Busy(time.Now().Add(5*time.Second).UTC().Format(http.TimeFormat)))
		for i, useless := range []string{"", "soon", "-7", "1e9", "99999999999999999999", time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat)} {
			require.Equal(t, []time.Duration{1, 2, 4, 8, 10, 10}[i]*time.Second, p.Busy(useless), useless)
		}
		p.Make(1, func(int) (time.Duration, int) { return time.Second, http.StatusOK })
		require.Equal(t, time.Second, p.Busy(""), "it was well in between")
	})
}

// The clock of an API server may be an hour off: nothing is concluded from comparing it with ours.
func TestTheClocksOfAClusterMayBeOff(t *testing.T) {
	now := time.Now()
	for name, off := range map[string]time.Duration{"right": 0, "an hour behind": -time.Hour, "an hour ahead": time.Hour} {
		t.Run(name, func(t *testing.T) {
			theirs := now.Add(off)
			require.True(t, apply.Young(theirs.Add(-time.Second), theirs, now))
			require.False(t, apply.Young(theirs.Add(-time.Minute), theirs.Add(-time.Minute), now.Add(-time.Minute)), "its controller had time")
			require.False(t, apply.Young(theirs.Add(-time.Hour), theirs, now), "it was there before")
		})
	}
	require.True(t, apply.Young(now.Add(-time.Second), time.Time{}, time.Time{}), "another agent made it")
	require.False(t, apply.Young(now.Add(-time.Minute), time.Time{}, time.Time{}))
	require.False(t, apply.Hangs(now.Add(-5*time.Second), now))
	require.False(t, apply.Hangs(now.Add(30*time.Second), now), "a pod that has half a minute to end in")
	require.True(t, apply.Hangs(now.Add(-15*time.Second), now))
	require.True(t, apply.Hangs(now.Add(time.Hour), now))
}

// mute is the body of a watch of which nothing comes after the objects that there are.
type mute struct {
	io.ReadCloser
	ctx  context.Context
	last bool // nothing more comes
}

func (m *mute) Read(p []byte) (int, error) {
	if m.last {
		<-m.ctx.Done()
		return 0, m.ctx.Err()
	}
	n, err := m.ReadCloser.Read(p)
	m.last = bytes.Contains(p[:n], []byte("k8s.io/initial-events-end"))
	return n, err
}

// A watch tells nothing of what happens: not even bookmarks come, so that it is asked for again, or only bookmarks do, and what it lost is
// found by the next list.
func TestAWatchThatTellsNothingIsNotBelievedForEver(t *testing.T) {
	for name, c := range map[string]struct {
		limits apply.Limits
		lists  time.Duration
		mutes  func(watches int64) bool
	}{
		"one that is silent":   {limits: apply.Limits{Timeout: time.Second}.Quiet(2 * time.Second), lists: time.Hour, mutes: func(n int64) bool { return n == 1 }},
		"all, but for a while": {lists: 2 * time.Second, mutes: func(int64) bool { return true }},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, &apiOnly)
			var watches atomic.Int64
			config := rest.CopyConfig(r.config)
			config.Wrap(func(next http.RoundTripper) http.RoundTripper {
				return roundTripper(func(request *http.Request) (*http.Response, error) {
					response, err := next.RoundTrip(request)
					if err == nil && reads(request) && watching(request) && c.mutes(watches.Add(1)) {
						response.Body = &mute{ReadCloser: response.Body, ctx: request.Context()}
					}
					return response, err
				})
			})
			cluster, err := apply.Connect(t.Context(), config, apply.Options{Limits: c.limits})
			require.NoError(t, err)
			t.Cleanup(cluster.Close)
			cluster.ListEvery(c.lists)
			r.hearsOfADeletion(cluster)
		})
	}
}

// hearsOfADeletion has a cluster apply an object that somebody deletes then, and waits until it is made again.
func (r *rig) hearsOfADeletion(cluster *apply.Cluster) {
	r.Helper()
	in := r.instance("web", configMap("web", "1"))
	visited := func() bool {
		result, err := cluster.Apply(r.Context(), in)
		return err == nil && result.Health == state.Healthy && r.exists("web")
	}
	require.Eventually(r, visited, patience, 20*time.Millisecond)
	require.NoError(r, r.kube.CoreV1().ConfigMaps(r.team).Delete(r.Context(), "web", metav1.DeleteOptions{}))
	require.Eventually(r, visited, patience, 20*time.Millisecond, "it is made again")
}

// An API server says of every watch that it is too late for it. The objects are listed instead, and there is a pause between two lists.
func TestAWatchThatIsGoneAgainAndAgainIsListedWithPauses(t *testing.T) {
	r := newRig(t, &apiOnly)
	lists := make(chan time.Time, 1000)
	config := rest.CopyConfig(r.config)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(request *http.Request) (*http.Response, error) {
			switch {
			case reads(request) && watching(request):
				return answer(http.StatusGone, "application/json",
					text(`{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Expired","message":"too old","code":410}`)), nil
			case reads(request):
				lists <- time.Now()
			}
			return next.RoundTrip(request)
		})
	})
	cluster, err := apply.Connect(t.Context(), config, apply.Options{})
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	r.hearsOfADeletion(cluster)
	first := <-lists
	for range 3 {
		<-lists
	}
	require.Greater(t, (<-lists).Sub(first), 2*time.Second, "five lists")
}

// Bookmarks come every minute: whoever has little patience with requests does not ask for each quiet watch anew between two of them.
func TestAQuietWatchStaysUntilItsBookmark(t *testing.T) {
	require.Equal(t, 3*time.Minute, apply.QuietFor(0))
	require.Equal(t, 2*time.Minute, apply.QuietFor(5*time.Second))
	require.Equal(t, 10*time.Minute, apply.QuietFor(100*time.Second))
}
