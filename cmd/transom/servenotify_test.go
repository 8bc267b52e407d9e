package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"transom.dev/reconciler"
	"transom.dev/reconciler/notify"
	"transom.dev/reconciler/web"
)

// hearing is a web hook of people who are told of events.
type hearing struct {
	*httptest.Server
	mu    sync.Mutex
	heard []string // "notification kind environment request: text"
}

func newHearing(t *testing.T) *hearing {
	h := &hearing{}
	h.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var m notify.Message
		body, _ := io.ReadAll(r.Body)
		_ = json.Unmarshal(body, &m)
		h.mu.Lock()
		defer h.mu.Unlock()
		for _, e := range m.Events {
			h.heard = append(h.heard, strings.Join(strings.Fields(m.Notification+" "+string(m.Kind)+" "+m.Environment+" "+e.Request), " ")+": "+e.Message+" "+m.URL)
		}
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *hearing) all() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.heard)
}

// TestPeopleAreToldOfARelease that waits for their approval, is promoted, fails and is taken back; and of a Problem, and that it is mended.
func TestPeopleAreToldOfARelease(t *testing.T) {
	h := newHearing(t)
	file := filepath.Join(t.TempDir(), "notify.yaml")
	targets := "targets:\n- {name: pager, webhook: '" + h.URL + "', secret: 0123456789abcdef}\n"
	require.NoError(t, os.WriteFile(file, []byte(targets), 0o600))
	o := notifyOptions{file: file}
	require.NoError(t, o.open())
	o.notifier.Gather = 10 * time.Millisecond
	s := newWiredStory(t, func(ctx context.Context, r *reconciler.Reconciler) {
		group, ctx := errgroup.WithContext(ctx)
		o.start(ctx, group, r, web.NewFigures(), "https://transom.example")
		t.Cleanup(func() { require.NoError(t, group.Wait()) })
	})
	hears := func(want string) {
		t.Helper()
		heard := func() bool {
			return slices.ContainsFunc(h.all(), func(line string) bool { return strings.HasPrefix(line, want) })
		}
		for limit := time.Now().Add(time.Minute); !heard(); <-time.After(10 * time.Millisecond) {
			require.True(t, time.Now().Before(limit), "%s is not among\n%s", want, strings.Join(h.all(), "\n"))
		}
	}
	s.write("notifications/demo.yaml", "target: pager, teams: [demo], environments: [prod]")
	s.write("notifications/platform.yaml", "target: pagre, events: [problem, recovered]")
	s.merge("say hello")
	s.approve()
	s.becomes("prod", "the first release never settled", settled)
	require.Contains(t, s.transom("status"), `no target "pagre"; did you mean "pager"?; nobody is told`)
	hears("demo promoted prod hello: took release ")

	s.write("notifications/platform.yaml", "target: pager, events: [problem, recovered]")
	s.write("requests/demo/hello.yaml", `offering: app, version: "1", parameters: {image: "hello:bad"}, environments: {dev: {}, staging: {}, prod: {}}`)
	s.merge("say it badly")
	s.approve()
	hears("demo approval prod hello: waits: approval: ")
	hears("demo failed prod hello: rejected: ")
	hears("demo rolled-back prod hello: took release ")
	s.write("requests/demo/other.yaml", `offering: nosuch, version: "1", environments: {dev: {}}`)
	s.merge("a mistake")
	hears("platform problem other: requests/demo/other.yaml:4:8: spec.offering: no offering")
	require.NoError(t, os.Remove(filepath.Join(s.clone(), "requests/demo/other.yaml")))
	s.merge("mended")
	hears("platform recovered other: mended: requests/demo/other.yaml:4:8: ")
	require.Contains(t, strings.Join(h.all(), "\n"), " https://transom.example/requests/demo/hello")
	for _, line := range h.all() {
		require.NotContains(t, line, " staging hello", "nobody asked for it")
	}
}

func TestTargetsAreReadAgain(t *testing.T) {
	file := filepath.Join(t.TempDir(), "notify.yaml")
	write := func(content string) { require.NoError(t, os.WriteFile(file, []byte(content), 0o600)) }
	write("targets:\n- {name: a, webhook: 'https://a.example.com/', secret: 0123456789abcdef}\n")
	o := notifyOptions{file: file}
	require.NoError(t, o.open())
	var log bytes.Buffer
	changes, told := 0, ""
	refresh := func() {
		told = o.refresh(slog.New(slog.NewTextHandler(&log, nil)), told, func() { changes++ })
	}
	refresh()
	require.Empty(t, log.String())
	write("targets: orchard")
	refresh()
	refresh()
	require.Equal(t, 1, strings.Count(log.String(), "\n"), "a mistake is said once: %s", log.String())
	require.NotContains(t, log.String(), "orchard")
	write("targets:\n- {name: b, webhook: 'https://b.example.com/', secret: 0123456789abcdef}\n")
	refresh()
	require.Equal(t, 1, changes)
	require.NoError(t, os.Chmod(file, 0o644))
	require.ErrorContains(t, (&notifyOptions{file: file}).open(), "everybody on this machine can read")
}
