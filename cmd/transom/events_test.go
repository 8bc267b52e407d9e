package main

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/web/api"
)

// TestAnEventIsALine: a message is what a probe printed, and must not look like further Events.
func TestAnEventIsALine(t *testing.T) {
	var out strings.Builder
	printHappenings(&out, []api.Happening{
		{At: time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC), Type: "Warning", Reason: "Unhealthy", Object: "Pod store/shop", Message: "probe failed:\n2026-05-01\tNormal\n", Count: 2},
	})
	require.Equal(t, "2026-05-01 00:00:00  Warning  Unhealthy  Pod store/shop  probe failed: 2026-05-01 Normal (2 times)\n", out.String())
}

// TestEventsAreAskedOfTheDaemon about one placement, as lines or as JSON, and its refusal is told with the remedy.
func TestEventsAreAskedOfTheDaemon(t *testing.T) {
	answers := map[string]string{
		"/api/v1/instances/dev/store/shop/events?cluster=east": `[{"at":"2026-05-01T00:00:00Z","object":"Pod store/shop-1","type":"Warning","reason":"BackOff","message":"again"}]`,
		"/api/v1/instances/dev/store/calm/events":              `[]`,
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, known := answers[r.URL.String()]
		if !known {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusForbidden)
			answer = `{"error":"environment prod does not show logs; for that, merge spec.logs: true in environments/prod.yaml"}`
		}
		fmt.Fprint(w, answer)
	}))
	t.Cleanup(server.Close)
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"store/shop", "-e", "dev", "--cluster", "east"}, 0, "2026-05-01 00:00:00  Warning  BackOff  Pod store/shop-1  again\n"},
		{[]string{"store/shop", "-e", "dev", "--cluster", "east", "-o", "json"}, 0, `"reason": "BackOff"`},
		{[]string{"store/calm", "-e", "dev"}, 0, "no events: a cluster keeps them for an hour\n"},
		{[]string{"store/calm", "-e", "dev", "-o", "json"}, 0, "[]\n"},
		{[]string{"store/shop", "-e", "prod"}, 1, "merge spec.logs: true in environments/prod.yaml"},
		{[]string{"store/shop"}, 1, "store/shop needs --environment"},
	} {
		var out, told bytes.Buffer
		err := run(t.Context(), append([]string{"events", "--server", server.URL}, c.args...), nil, &out, &told)
		require.Equal(t, c.code, exitCode(err), told.String())
		require.Contains(t, out.String()+told.String(), c.want)
	}
}
