package web_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/status"
	"transom.dev/reconciler/web"
)

// message is one Server-Sent Event.
type message struct{ id, event, data string }

// listen opens a stream and returns a function that waits for its next message.
func listen(t *testing.T, url, after string) (next func() message) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	require.NoError(t, err)
	req.Header.Set("Accept", "text/event-stream")
	req.Header.Set("Last-Event-ID", after)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	t.Cleanup(func() { _ = resp.Body.Close() })
	require.Equal(t, "text/event-stream", resp.Header.Get("Content-Type"))
	lines := bufio.NewScanner(resp.Body)
	return func() message {
		var m message
		for lines.Scan() {
			name, value, _ := strings.Cut(lines.Text(), ": ")
			switch name {
			case "id":
				m.id = value
			case "event":
				m.event = value
			case "data":
				m.data = value
			case "":
				return m
			}
		}
		require.NoError(t, lines.Err(), "the stream ended")
		return m
	}
}

// upTo collects events until the next status message.
func upTo(next func() message) (events []status.Event, last string) {
	for {
		m := next()
		if m.event != "event" {
			return events, last
		}
		var e status.Event
		if json.Unmarshal([]byte(m.data), &e) == nil {
			events = append(events, e)
		}
		last = m.id
	}
}

func messages(events []status.Event) []string {
	var all []string
	for _, e := range events {
		all = append(all, e.Message)
	}
	return all
}

func TestEventsAreTheHistory(t *testing.T) {
	b := board()
	s := serve(t, web.Options{Board: b})
	require.Equal(t, messages(b.History()), messages(getJSON[[]status.Event](t, s, "/api/v1/events")))

	narrowed := messages(getJSON[[]status.Event](t, s, "/api/v1/events?team=store&request=shop&environment=prod"))
	require.Contains(t, narrowed, "Healthy")
	require.Len(t, narrowed, len(b.History())-4, "without the other request's three and the other environment's")
}

func TestAStreamTellsWhatHappenedAndThenWhatHappens(t *testing.T) {
	b := board()
	s := serve(t, web.Options{Board: b})
	next := listen(t, s.URL+"/api/v1/events", "")
	events, _ := upTo(next)
	require.Equal(t, messages(b.History()), messages(events))

	b.Lost("prod", shop, "east", "no answer")
	b.Lost("prod", cache, "east", "no answer")
	events, last := upTo(next)
	for len(events) < 2 { // the burst may be told in two parts
		var more []status.Event
		more, last = upTo(next)
		events = append(events, more...)
	}
	require.Equal(t, []string{"Unknown: no answer", "Committed, Unknown: no answer"}, messages(events))

	b.Lost("prod", cache, "west", "no answer either")
	events, _ = upTo(listen(t, s.URL+"/api/v1/events", last))
	require.Equal(t, []string{"Committed, Unknown: no answer either"}, messages(events), "a client that comes back gets what it missed")
}

// TestAStreamOutlivesTheTimeoutsOfItsServer, which are for requests that end.
func TestAStreamOutlivesTheTimeoutsOfItsServer(t *testing.T) {
	for _, protocol := range []string{"HTTP/1.1", "HTTP/2.0"} {
		t.Run(protocol, func(t *testing.T) {
			b := board()
			s := httptest.NewUnstartedServer(web.Handler(web.Options{Board: b}))
			s.EnableHTTP2 = protocol == "HTTP/2.0"
			const limit = 200 * time.Millisecond
			s.Config.ReadTimeout, s.Config.WriteTimeout = limit, limit
			s.StartTLS()
			t.Cleanup(s.Close)
			t.Cleanup(s.CloseClientConnections)
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/api/v1/events", http.NoBody)
			require.NoError(t, err)
			req.Header.Set("Accept", "text/event-stream")
			resp, err := s.Client().Do(req)
			require.NoError(t, err)
			t.Cleanup(func() { _ = resp.Body.Close() })
			require.Equal(t, protocol, resp.Proto)
			lines := bufio.NewScanner(resp.Body)
			for began, i := time.Now(), 0; time.Since(began) < 5*limit; i++ {
				b.Lost("prod", shop, "east", fmt.Sprint("no answer ", i)) // told after a burst
				for told := false; !told; {
					require.True(t, lines.Scan(), "the stream ended: %v", lines.Err())
					told = strings.Contains(lines.Text(), fmt.Sprint("no answer ", i))
				}
			}
		})
	}
}

func TestAStreamResumesAmongEventsOfOneInstant(t *testing.T) {
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	b := status.NewBoard(func() time.Time { return at })
	b.ClusterSeen(status.Cluster{Name: "one", Reachable: true})
	b.ClusterSeen(status.Cluster{Name: "two", Reachable: true})
	s := serve(t, web.Options{Board: b})
	_, last := upTo(listen(t, s.URL+"/api/v1/events", ""))

	b.ClusterSeen(status.Cluster{Name: "three", Reachable: true})
	events, _ := upTo(listen(t, s.URL+"/api/v1/events", last))
	require.Len(t, events, 1)
	require.Equal(t, "three", events[0].Cluster)
}
