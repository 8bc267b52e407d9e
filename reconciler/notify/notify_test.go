package notify_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/notify"
	"transom.dev/reconciler/status"
	"transom.dev/render/event"
	"transom.dev/render/platform"
)

const secret = "0123456789abcdef"

var shop = &platform.RequestKey{Team: "store", Name: "shop"}

// taken are the messages that an address took.
type taken struct {
	mu       sync.Mutex
	messages []notify.Message
}

func (k *taken) add(m notify.Message) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.messages = append(k.messages, m)
}

// lines are "notification kind environment: text, text" of all messages so far.
func (k *taken) lines() (lines []string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, m := range k.messages {
		var texts []string
		for _, e := range m.Events {
			texts = append(texts, e.Message)
		}
		lines = append(lines, fmt.Sprintf("%s %s %s: %s", m.Notification, m.Kind, m.Environment, strings.Join(texts, ", ")))
	}
	return lines
}

// running is a Notifier that runs in a bubble of time, and whose messages are taken instead of sent.
func running(t *testing.T, n *notify.Notifier, notifications ...*platform.Notification) *taken {
	t.Helper()
	all := map[string]*platform.Notification{}
	for _, of := range notifications {
		all[of.Name] = of
	}
	k := &taken{}
	n.Notifications = func() map[string]*platform.Notification { return all }
	if n.Send == nil {
		n.Send = func(_ context.Context, _ notify.Target, m *notify.Message) error {
			k.add(*m)
			return nil
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- n.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-ended)
	})
	return k
}

func targets(names ...string) notify.Targets {
	all := notify.Targets{}
	for _, name := range names {
		all[name] = notify.Target{Name: name, Webhook: "https://hooks.acme.example/", Secret: secret}
	}
	return all
}

func TestWhoIsToldOfWhat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := notify.New(targets("chat"))
		k := running(t, n,
			&platform.Notification{Name: "all", Target: "chat"},
			&platform.Notification{Name: "failures", Target: "chat", Events: []event.Kind{event.Failed}},
			&platform.Notification{Name: "search", Target: "chat", Teams: []string{"search"}},
			&platform.Notification{Name: "prod", Target: "chat", Environments: []string{"prod"}},
			&platform.Notification{Name: "broken", Target: "chat", Broken: true},
			&platform.Notification{Name: "nobody", Target: "unknown"},
		)
		tell := func(e status.Event, want ...string) {
			t.Helper()
			before := len(k.lines())
			n.Take(e)
			time.Sleep(10 * time.Second)
			synctest.Wait()
			require.ElementsMatch(t, want, k.lines()[before:])
		}
		tell(status.Event{Kind: event.Failed, Environment: "prod", Request: shop, Message: "m"},
			"all failed prod: m", "failures failed prod: m", "prod failed prod: m")
		tell(status.Event{Kind: event.Promoted, Environment: "dev", Request: &platform.RequestKey{Team: "search", Name: "api"}, Message: "m"},
			"all promoted dev: m", "search promoted dev: m")
		tell(status.Event{Kind: event.ClusterLost, Cluster: "east", In: []string{"dev", "prod"}, Message: "m"},
			"all cluster-lost : m", "prod cluster-lost : m")
		tell(status.Event{Kind: event.Problem, Message: "m"}, "all problem : m")
		tell(status.Event{Environment: "prod", Message: "no kind: nobody is told"})
		tell(status.Event{Kind: event.Failed, Environment: "prod", Request: shop, Message: "as the daemon found it", Found: true})
	})
}

func TestAnEventIsToldOnceUntilItChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := notify.New(targets("chat"))
		k := running(t, n, &platform.Notification{Name: "n", Target: "chat", Events: []event.Kind{event.Failed}})
		say := func(kind event.Kind, text string) {
			n.Take(status.Event{Kind: kind, Environment: "prod", Request: shop, Message: text})
			time.Sleep(15 * time.Minute)
		}
		for range 5 {
			say(event.Failed, "crashes")
		}
		require.Len(t, k.lines(), 1)
		say(event.Recovered, "Healthy") // which nobody asked to hear of, and which ends the failure
		say(event.Failed, "crashes")
		require.Len(t, k.lines(), 2)
	})
}

func TestWhatFlapsIsToldWithGrowingPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := notify.New(targets("chat"))
		k := running(t, n, &platform.Notification{Name: "n", Target: "chat"})
		began := time.Now()
		for time.Since(began) < 6*time.Hour {
			n.Take(status.Event{Kind: event.ClusterLost, Cluster: "east", Message: "away"})
			time.Sleep(5 * time.Second)
			n.Take(status.Event{Kind: event.ClusterBack, Cluster: "east", Message: "reachable"})
			time.Sleep(5 * time.Second)
		}
		said := len(k.lines())
		require.Greater(t, said, 5)
		require.Less(t, said, 20, "4,320 changes")
		time.Sleep(2 * time.Hour)
		lines := k.lines()
		require.Equal(t, "n cluster-back : reachable", lines[len(lines)-1], "the last word is how it stands")
	})
}

func TestManyEventsAreOneMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := notify.New(targets("chat"))
		var texts []string
		n.Send = func(_ context.Context, _ notify.Target, m *notify.Message) error {
			require.Len(t, m.Events, 100)
			texts = append(texts, m.Text())
			return nil
		}
		running(t, n, &platform.Notification{Name: "n", Target: "chat"})
		for i := range 1000 {
			n.Take(status.Event{Kind: event.Promoted, Environment: "prod", Request: &platform.RequestKey{Team: "store", Name: fmt.Sprintf("r%03d", i)}, Message: "took release"})
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Len(t, texts, 1)
		require.Contains(t, texts[0], "Promoted in prod:\nstore/r000: took release\n")
		require.Contains(t, texts[0], "\nand 990 more")
		require.Equal(t, 11, strings.Count(texts[0], "\n"))
	})
}

func TestATargetThatDoesNotAnswerHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, k := notify.New(targets("dead", "chat")), &taken{}
		outcomes, faults := map[string]int{}, []string{}
		var mu sync.Mutex
		n.Counted = func(target string, outcome notify.Outcome) {
			mu.Lock()
			defer mu.Unlock()
			outcomes[target+" "+string(outcome)]++
		}
		n.Told = func(target string, err error) { faults = append(faults, fmt.Sprintf("%s %v", target, err)) }
		var alive atomic.Bool
		n.Send = func(ctx context.Context, to notify.Target, m *notify.Message) error {
			if to.Name == "dead" && !alive.Load() {
				<-ctx.Done()
				return context.Cause(ctx)
			}
			k.add(*m)
			return nil
		}
		running(t, n, &platform.Notification{Name: "a", Target: "dead"}, &platform.Notification{Name: "b", Target: "chat"})
		for i := range 300 { // each in a message of its own
			n.Take(status.Event{Kind: event.Failed, Environment: fmt.Sprintf("e%03d", i), Message: "m"})
			if i%100 == 0 {
				time.Sleep(5 * time.Second)
			}
		}
		time.Sleep(30 * time.Second)
		synctest.Wait()
		mu.Lock()
		require.Equal(t, map[string]int{"chat sent": 300, "dead dropped": 99}, outcomes)
		mu.Unlock()
		alive.Store(true)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		require.Equal(t, 201, outcomes["dead sent"])
		require.Equal(t, []string{"dead no answer within 20s", "dead <nil>"}, faults)
	})
}

func TestAMessageIsSignedAndTriedAgain(t *testing.T) {
	var mu sync.Mutex
	answers := []int{http.StatusTooManyRequests, http.StatusFound, http.StatusOK}
	var ids []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		if r.Header.Get("X-Transom-Signature") != notify.Signature(secret, r.Header.Get("X-Transom-Timestamp"), body) {
			answers = nil
		}
		var m notify.Message
		_ = json.Unmarshal(body, &m)
		ids = append(ids, m.ID+" "+r.Header.Get("X-Transom-Id"))
		w.Header().Set("Retry-After", "1")
		w.Header().Set("Location", "https://elsewhere.example.com/")
		w.WriteHeader(answers[min(len(ids), len(answers))-1])
	}))
	defer server.Close()
	n := notify.New(notify.Targets{"pager": {Name: "pager", Webhook: server.URL + "/hook", Secret: secret}})
	n.Gather = time.Millisecond
	outcomes := make(chan notify.Outcome, 10)
	n.Counted = func(_ string, outcome notify.Outcome) { outcomes <- outcome }
	all := map[string]*platform.Notification{"n": {Name: "n", Target: "pager"}}
	n.Notifications = func() map[string]*platform.Notification { return all }
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- n.Run(ctx) }()
	n.Take(status.Event{Kind: event.Failed, Environment: "prod", Request: shop, Message: "crashes"})
	require.Equal(t, notify.Failed, <-outcomes, "a redirect is not followed")
	n.Take(status.Event{Kind: event.Recovered, Environment: "prod", Request: shop, Message: "Healthy"})
	require.Equal(t, notify.Sent, <-outcomes)
	cancel()
	require.NoError(t, <-ended)
	require.Len(t, ids, 3)
	require.Equal(t, ids[0], ids[1], "a program knows what it has already")
	require.NotEqual(t, ids[1], ids[2])
	for _, id := range ids {
		in, header, _ := strings.Cut(id, " ")
		require.Equal(t, in, header)
		require.Len(t, in, 32)
	}
}

func TestChatsAreToldByShoutrrr(t *testing.T) {
	said := make(chan string, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		said <- string(body)
	}))
	defer server.Close()
	to := notify.Target{URL: "generic+" + server.URL + "/hook"}
	require.NoError(t, notify.Test(t.Context(), to))
	require.Equal(t, "Recovered: a test of this target by its operator: nothing happened", <-said)
}

// An attempt ends when its time is up, even where the chat hangs: the next message has an attempt of its own.
func TestAHangingAttemptIsEnded(t *testing.T) {
	said, goOn := make(chan string, 3), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		said <- string(body)
		select {
		case <-goOn:
		case <-r.Context().Done(): // the connection of a process that was ended
			said <- "gone"
		}
	}))
	defer server.Close()
	to, send := notify.Target{URL: "generic+" + server.URL + "/hook"}, notify.Sender()
	message := func(text string) *notify.Message {
		return &notify.Message{Kind: event.Failed, Environment: "prod", Events: []notify.Event{{Message: text}}}
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- send(ctx, to, message("one")) }()
	select {
	case text := <-said:
		require.Contains(t, text, "one")
	case err := <-ended:
		require.Fail(t, "nothing was sent", "%v", err)
	}
	cancel()
	require.ErrorIs(t, <-ended, context.Canceled)
	require.Equal(t, "gone", <-said)
	close(goOn)
	require.NoError(t, send(t.Context(), to, message("two")))
	require.Contains(t, <-said, "two")
}

// A chat whose answer never ends costs the process that reads it, and not the daemon.
func TestAnAnswerWithoutEndCostsItsAttempt(t *testing.T) {
	part := bytes.Repeat([]byte(" "), 1<<20)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for err := error(nil); err == nil; {
			_, err = w.Write(part)
		}
	}))
	defer server.Close()
	require.ErrorContains(t, notify.Test(t.Context(), notify.Target{URL: "generic+" + server.URL + "/hook"}), "the process that sends it ended")
}

func TestNoErrorHasASecret(t *testing.T) {
	for _, to := range []notify.Target{
		{URL: "generic+http://127.0.0.1:1/orchard/path?orchardkey=orchardvalue"},
		{Webhook: "http://user:orchardpassword@127.0.0.1:1/orchard", Secret: "orchardorchardorchard"},
		{URL: "telegram://orchard"},
		{URL: "nochat://orchardorchard"},
	} {
		err := notify.Test(t.Context(), to)
		require.Error(t, err)
		require.NotContains(t, err.Error(), "orchard")
	}
}

func TestALongErrorIsCutBetweenCharacters(t *testing.T) {
	for _, before := range []string{"", "x"} {
		err := notify.Test(t.Context(), notify.Target{Webhook: "http://h:" + before + strings.Repeat("é", 200), Secret: secret})
		require.ErrorContains(t, err, "é…")
		require.True(t, utf8.ValidString(err.Error()), "%q", err)
	}
}

func TestTextOfStrangersSteersNoChat(t *testing.T) {
	m := notify.Message{Kind: event.Failed, Environment: "prod", Events: []notify.Event{{
		Team: "store", Request: "shop", Message: "@everyone <!channel> [click](https://evil.example) `x`\n# **loud** \x1b[31m <@U123>",
	}}}
	text := m.Text()
	for _, steers := range []string{"@", "<", ">", "[", "]", "`", "://", "\n", "\x1b", "*", "#"} {
		require.NotContains(t, text, steers)
	}
	require.Contains(t, text, "Failed in prod: store/shop: ＠everyone ‹!channel›")
}

func TestAMessageLeadsToThePageAboutItsSubject(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := notify.New(targets("chat"))
		n.Console = "https://transom.example/"
		k := running(t, n, &platform.Notification{Name: "n", Target: "chat"})
		leads := func(want string, events ...status.Event) {
			t.Helper()
			for _, e := range events {
				n.Take(e)
			}
			time.Sleep(10 * time.Second)
			synctest.Wait()
			k.mu.Lock()
			defer k.mu.Unlock()
			last := k.messages[len(k.messages)-1]
			require.Equal(t, want, last.URL)
			require.True(t, strings.HasSuffix(last.Text(), "\n"+want), last.Text())
		}
		other := &platform.RequestKey{Team: "store", Name: "other"}
		leads("https://transom.example/requests/store/shop", status.Event{Kind: event.Failed, Environment: "prod", Cluster: "east", Request: shop, Message: "a"},
			status.Event{Kind: event.Failed, Environment: "prod", Cluster: "west", Request: shop, Message: "a"})
		leads("https://transom.example/environments/prod", status.Event{Kind: event.Promoted, Environment: "prod", Request: shop, Message: "b"},
			status.Event{Kind: event.Promoted, Environment: "prod", Request: other, Message: "b"})
		leads("https://transom.example/clusters/east", status.Event{Kind: event.ClusterLost, Cluster: "east", Message: "c"})
		leads("https://transom.example/", status.Event{Kind: event.Problem, Message: "d"})
	})
	require.NotContains(t, (&notify.Message{Kind: event.Failed, Events: []notify.Event{{Message: "m"}}}).Text(), "\n")
}

func TestTargetsAreRead(t *testing.T) {
	all, err := notify.ReadTargets([]byte("targets:\n- {name: chat, url: 'slack://hook:T00000000-B00000000-XXXXXXXXXXXXXXXXXXXXXXXX@webhook'}\n" +
		"- {name: pager, webhook: 'https://pager.acme.example/', secret: '" + secret + "'}\n"))
	require.NoError(t, err)
	require.Equal(t, []string{"chat", "pager"}, all.Names())
	for content, want := range map[string]string{
		"targets: [{name: a, url: 'orchard'}]":                                    "target a: url: is none that shoutrrr knows",
		"targets: [{name: a, webhook: 'orchard', secret: orchardorchardorchard}]": "target a: webhook: must be an address such as",
		"targets: [{name: a, webhook: 'https://x/', secret: orchard}]":            "target a: secret: must have 16 characters and more",
		"targets: [{name: a, url: 'slack://x', secret: orchardorchardorchard}]":   "target a: secret: only a webhook has one",
		"targets: [{name: a}]":                        "target a: give a url",
		"targets: [{name: 'a b', url: 'orchard://'}]": "targets[0].name: must be letters",
		"targets: [{name: a, webhook: 'https://x/', secret: 0123456789abcdef}, {name: a}]": "targets[1].name: there are two targets a",
		"targets: [{name: a, token: orchard}]":                                             "is not as it has to be",
		"targets: orchard":                                                                 "is not as it has to be",
	} {
		_, err := notify.ReadTargets([]byte(content))
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "orchard")
	}
}

func TestATargetThatTheOperatorDoesNotHaveIsAProblem(t *testing.T) {
	n := notify.New(targets("chat", "pager"))
	p := &platform.Platform{Notifications: map[string]*platform.Notification{
		"a": {Name: "a", File: "notifications/a.yaml", Target: "chatt"}, "b": {Name: "b", Target: "chat"}, "c": {Name: "c", Target: "x", Broken: true},
	}}
	problems := n.Problems(p)
	require.Len(t, problems, 1)
	require.Equal(t, `notifications/a.yaml: spec.target: the operator's file (serve --notify) has no target "chatt"; did you mean "chat"?; nobody is told. It has chat, pager`,
		problems[0].String())
	require.True(t, n.Use(targets("chat", "chatt")))
	require.Empty(t, n.Problems(p))
	require.False(t, n.Use(targets("chat", "chatt")))
}
