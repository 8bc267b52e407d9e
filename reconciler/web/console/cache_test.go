package console_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/status"
	"transom.dev/reconciler/web/console"
	"transom.dev/render/platform"
)

// A gatedBoard gives its status to those who have a ticket.
type gatedBoard struct {
	*status.Board
	tickets chan struct{}
}

func (b gatedBoard) Status() status.Status {
	<-b.tickets
	return b.Board.Status()
}

// TestPageOfManyIsServedWhileTheNextIsMade: nobody waits for the model of a large fleet, and whoever got an older page is told to ask again.
func TestPageOfManyIsServedWhileTheNextIsMade(t *testing.T) {
	all := make([]status.Instance, 1200)
	for i := range all {
		all[i] = status.Instance{Environment: "dev", Request: platform.RequestKey{Team: "store", Name: fmt.Sprint("shop-", i)}, Version: "1.0.0", Release: "sha256:a"}
	}
	b := gatedBoard{status.NewBoard(time.Now), make(chan struct{}, 1)}
	b.Reconciled(status.Environment{Name: "dev"}, all)
	mux := http.NewServeMux()
	for route, h := range console.New(console.Options{Board: b, Person: anyone}).Routes() {
		mux.Handle(route, h)
	}
	ask := func() (body string, behind bool) {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/fleet", http.NoBody))
		require.Equal(t, http.StatusOK, w.Code)
		return w.Body.String(), w.Header().Get("Transom-Behind") != ""
	}
	b.tickets <- struct{}{}
	first, behind := ask()
	require.False(t, behind)
	require.NotContains(t, first, "late-comer")

	b.Reconciled(status.Environment{Name: "dev"}, append(all, status.Instance{
		Environment: "dev", Request: platform.RequestKey{Team: "a", Name: "late-comer"}, Version: "1.0.0", Release: "sha256:a",
	}))
	older, behind := ask() // the status is not to be had yet
	require.True(t, behind)
	require.Equal(t, first, older)

	close(b.tickets) // one change may be heard of twice, and make two models
	require.Eventually(t, func() bool {
		newer, behind := ask()
		if !behind {
			require.Contains(t, newer, "late-comer")
		}
		return !behind
	}, time.Minute, 10*time.Millisecond)
}
