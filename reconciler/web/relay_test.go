package web_test

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/status"
	"transom.dev/reconciler/web"
	"transom.dev/reconciler/web/access"
)

// replicas are a leader that answers by a handler, and its standby.
func replicas(t *testing.T, leader http.Handler) (standby *httptest.Server, lead *web.Leader) {
	t.Helper()
	first := httptest.NewServer(leader)
	t.Cleanup(first.Close)
	lead = &web.Leader{Name: "first", URL: first.URL}
	standby = httptest.NewServer(web.Handler(web.Options{
		Board: status.NewBoard(nil), Leader: func() web.Leader { return *lead }, Hosts: []string{"transom.example"},
	}))
	t.Cleanup(standby.Close)
	return standby, lead
}

func ask(t *testing.T, r *http.Request) (*http.Response, string) {
	t.Helper()
	answer, err := http.DefaultTransport.RoundTrip(r)
	require.NoError(t, err)
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	return answer, string(body)
}

func TestAStandbyPassesRequestsOnAsTheyCame(t *testing.T) {
	var got *http.Request
	var body string
	standby, _ := replicas(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		content, _ := io.ReadAll(r.Body)
		got, body = r, string(content)
		w.Header().Set("Set-Cookie", "session=1")
		w.Header().Set("X-Frame-Options", "DENY")
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, "the leader's word")
	}))
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, standby.URL+"/hooks/git?x=1", strings.NewReader("pushed"))
	require.NoError(t, err)
	r.Host = "transom.example"
	r.Header.Set("Authorization", "Bearer secret")
	r.Header.Set("Cookie", "session=0")
	r.Header.Set("X-Hub-Signature-256", "sha256=00")
	answer, text := ask(t, r)
	require.Equal(t, http.StatusUnauthorized, answer.StatusCode, "the leader decides who may")
	require.Equal(t, "the leader's word", text)
	require.Equal(t, []string{"DENY"}, answer.Header.Values("X-Frame-Options"))
	require.Equal(t, "session=1", answer.Header.Get("Set-Cookie"))
	require.Equal(t, []string{"POST", "/hooks/git?x=1", "transom.example", "pushed", "Bearer secret", "session=0", "sha256=00", "127.0.0.1"}, []string{
		got.Method, got.RequestURI, got.Host, body,
		got.Header.Get("Authorization"), got.Header.Get("Cookie"), got.Header.Get("X-Hub-Signature-256"), got.Header.Get("X-Forwarded-For"),
	})
}

// TestTheLeaderKnowsTheClientsOfAStandby, where the replicas can vouch for each other, and believes nobody else.
func TestTheLeaderKnowsTheClientsOfAStandby(t *testing.T) {
	file := filepath.Join(t.TempDir(), "access.yaml")
	require.NoError(t, os.WriteFile(file, []byte("tokens: []\n"), 0o600))
	vouch := func(secret string) func(string) string {
		return func(text string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(secret+text))) }
	}
	for name, c := range map[string]struct {
		leader, standby func(string) string
		forged          string
		apart           bool // the leader tells the clients of the standby apart
	}{
		"they vouch":              {vouch("ours"), vouch("ours"), "", true},
		"another key":             {vouch("ours"), vouch("theirs"), "", false},
		"nobody vouches":          {nil, nil, "", false},
		"a client forges":         {vouch("ours"), nil, "198.51.100.9:1 00", false},
		"a client forges nothing": {vouch("ours"), nil, " ", false},
	} {
		t.Run(name, func(t *testing.T) {
			guard, err := access.New(access.Options{File: file})
			require.NoError(t, err)
			leader := httptest.NewServer(web.Handler(web.Options{
				Board: status.NewBoard(nil), Access: guard, Vouch: c.leader, Leader: func() web.Leader { return web.Leader{Here: true} },
			}))
			t.Cleanup(leader.Close)
			standby := web.Handler(web.Options{
				Board: status.NewBoard(nil), Vouch: c.standby, Leader: func() web.Leader { return web.Leader{Name: "first", URL: leader.URL} },
			})
			fails := func(client string) int {
				r := httptest.NewRequest(http.MethodGet, "http://localhost/api/v1/status", http.NoBody)
				r.RemoteAddr = client
				r.Header.Set("Authorization", "Bearer wrong")
				r.Header.Set("Transom-Client", c.forged)
				w := httptest.NewRecorder()
				standby.ServeHTTP(w, r)
				return w.Code
			}
			failures := func(client string) (n int) { // until too many
				for n = 0; fails(client) == http.StatusUnauthorized; n++ {
				}
				return n
			}
			require.GreaterOrEqual(t, failures("198.51.100.1:1"), 30)
			require.Equal(t, c.apart, failures("198.51.100.2:1") >= 30)
		})
	}
}

func TestAStandbyPassesStreamsOnAsTheyCome(t *testing.T) {
	next := make(chan string)
	standby, _ := replicas(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for line := range next {
			_, _ = io.WriteString(w, line+"\n")
			_ = http.NewResponseController(w).Flush()
		}
	}))
	go func() { next <- "one" }()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, standby.URL+"/api/v1/events", nil)
	require.NoError(t, err)
	answer, err := http.DefaultTransport.RoundTrip(r)
	require.NoError(t, err)
	defer func() { _ = answer.Body.Close() }()
	lines := bufio.NewScanner(answer.Body)
	require.True(t, lines.Scan())
	require.Equal(t, "one", lines.Text())
	next <- "two"
	require.True(t, lines.Scan(), "it came before the stream ended")
	close(next)
}

func TestAStandbySaysThatNobodyAnswers(t *testing.T) {
	gone := httptest.NewServer(nil)
	gone.Close()
	standby, lead := replicas(t, nil)
	for _, c := range []struct {
		leader web.Leader
		header string
		want   string
	}{
		{web.Leader{}, "", "no replica leads at the moment"},
		{web.Leader{Unknown: true}, "", "it does not reach the Lease that says who leads: its log says why"},
		{web.Leader{Name: "first", URL: gone.URL}, "", "the leader first does not answer"},
		{web.Leader{Name: "other"}, "", "the leader other does not say where it answers"},
		{web.Leader{Name: "first", URL: standby.URL}, "", "who leads is changing just now"},
		{web.Leader{Name: "first", URL: gone.URL}, "1", "who leads is changing just now"},
	} {
		*lead = c.leader
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, standby.URL+"/api/v1/status", nil)
		require.NoError(t, err)
		if c.header != "" {
			r.Header.Set("Transom-Relayed", c.header)
		}
		answer, text := ask(t, r)
		require.Equal(t, http.StatusServiceUnavailable, answer.StatusCode, text)
		require.Contains(t, text, "this replica is a standby, and "+c.want)
		require.Equal(t, "5", answer.Header.Get("Retry-After"))
		require.Equal(t, []string{"nosniff"}, answer.Header.Values("X-Content-Type-Options"))
	}
}

func TestEachReplicaAnswersForItsOwnHealth(t *testing.T) {
	standby, lead := replicas(t, nil)
	get := func(path string) string {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, standby.URL+path, nil)
		require.NoError(t, err)
		answer, text := ask(t, r)
		require.Equal(t, http.StatusOK, answer.StatusCode)
		return text
	}
	require.Equal(t, "ok\n", get("/healthz"))
	require.Equal(t, "ok: standby\n", get("/readyz"))
	figures := get("/metrics")
	require.Contains(t, figures, "\ntransom_leader 0\n")
	require.NotContains(t, figures, "transom_ready")
	lead.Here = true
	require.Equal(t, "ok\n", get("/readyz"))
	figures = get("/metrics")
	require.Contains(t, figures, "\ntransom_leader 1\n")
	require.Contains(t, figures, "\ntransom_ready 1\n")
}
