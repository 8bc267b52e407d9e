package web_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/status"
	"transom.dev/reconciler/web"
)

// passing has a pass under way that began with the call and takes so long.
func passing(takes time.Duration) func() (time.Duration, <-chan struct{}) {
	began, over := time.Now(), make(chan struct{})
	time.AfterFunc(takes, func() { close(over) })
	return func() (time.Duration, <-chan struct{}) {
		if age := time.Since(began); age < takes {
			return age, over
		}
		return 0, nil
	}
}

// TestAnswersGiveWayToPasses: for a moment, and not those that somebody's health depends on.
func TestAnswersGiveWayToPasses(t *testing.T) {
	for _, one := range []struct {
		path        string
		takes, wait time.Duration
	}{
		{"POST /login", time.Minute, 0},
		{"POST /logout", time.Minute, 0},
		{"/login/callback", time.Minute, 0},
		{"/", 30 * time.Millisecond, 30 * time.Millisecond},
		{"/api/v1/status", 30 * time.Millisecond, 30 * time.Millisecond},
		{"/fleet", time.Minute, 50 * time.Millisecond},
		{"/healthz", 30 * time.Millisecond, 0},
		{"/readyz", 30 * time.Millisecond, 0},
		{"/hooks/git", 30 * time.Millisecond, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			h := web.Handler(web.Options{Board: board(), Passes: passing(one.takes)})
			began := time.Now()
			ask := func() {
				path, posted := strings.CutPrefix(one.path, "POST ")
				method := map[bool]string{true: http.MethodPost, false: http.MethodGet}[posted]
				r := httptest.NewRequestWithContext(t.Context(), method, "http://127.0.0.1"+path, http.NoBody)
				h.ServeHTTP(httptest.NewRecorder(), r)
			}
			ask()
			require.Equal(t, one.wait, time.Since(began), one.path)
			ask()
			require.Equal(t, one.wait, time.Since(began), "%s: an old pass is not waited for", one.path)
		})
	}
}

// TestStreamsGiveWayToPasses: they are told in time all the same.
func TestStreamsGiveWayToPasses(t *testing.T) {
	for takes, wait := range map[time.Duration]time.Duration{
		time.Millisecond: 20 * time.Millisecond, 60 * time.Millisecond: 60 * time.Millisecond, time.Minute: 125 * time.Millisecond,
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, end := context.WithCancel(t.Context())
			b := board()
			var passes func() (time.Duration, <-chan struct{})
			h := web.Handler(web.Options{Board: b, Passes: func() (time.Duration, <-chan struct{}) {
				if passes == nil {
					return 0, nil
				}
				return passes()
			}})
			told := make(chan time.Time, 2)
			openFor(ctx, h, "?only=status", func(int) { told <- time.Now() })
			<-told
			time.Sleep(time.Second)
			passes = passing(takes)
			changed := time.Now()
			b.ClusterSeen(status.Cluster{Name: "east", Message: "no answer"})
			require.Equal(t, wait, (<-told).Sub(changed), "a pass of %s", takes)
			end()
			synctest.Wait()
		})
	}
}
