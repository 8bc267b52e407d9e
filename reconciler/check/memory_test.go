package check_test

import (
	"context"
	"maps"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/check"
	"transom.dev/reconciler/promotion"
	"transom.dev/render/inquiry"
)

// A notebook is a memory that outlives the asker of a test.
type notebook struct {
	mu      sync.Mutex
	entries map[check.Topic]promotion.Checked
	writes  int
}

func (n *notebook) Recall(of check.Topic) promotion.Checked {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.entries[of]
}

func (n *notebook) Remember(of check.Topic, is promotion.Checked) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.writes++
	if is == (promotion.Checked{}) {
		delete(n.entries, of)
		return false
	}
	n.entries[of] = is
	return true
}

func (n *notebook) all() map[check.Topic]promotion.Checked {
	n.mu.Lock()
	defer n.mu.Unlock()
	return maps.Clone(n.entries)
}

func (n *notebook) written() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.writes
}

func (n *notebook) put(of check.Topic, is promotion.Checked) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.entries[of] = is
}

// remember gives an asker a memory before it asks anybody.
func remember(t *testing.T, p *party, n *notebook) *check.Asker {
	t.Helper()
	a, _ := runAsker(t, p.ask)
	a.Memory = n
	return a
}

// TestAnAnswerOutlivesTheProcess with the time for which it was the same, and since when. Nothing enters before the party was asked
// again, and an answer that nobody waits for any more is forgotten. It keeps R108.
func TestAnAnswerOutlivesTheProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, n := &party{}, &notebook{entries: map[check.Topic]promotion.Checked{}}
		p.say(promotion.Passes, "whole")
		a := remember(t, p, n)
		c := checkOf(t, "budget", "https://slo.example.com/")
		s := subject(c, "shop", "r1")
		read(a, "prod", s)
		wait(21 * time.Second)
		before := read(a, "prod", s)[0]
		require.Equal(t, 20*time.Second, before.Passed)
		require.LessOrEqual(t, n.written(), 3)

		wait(time.Hour) // in which the first one is not there
		n.put(check.Topic{Environment: "prod", Check: "budget", Subject: s.Key(), Question: urlOf("https://slo.example.com/")}, before)
		b := remember(t, p, n)
		at := read(b, "prod", s)[0]
		require.Empty(t, at.Verdict, "the party may say something else by now")
		require.False(t, at.Suffices(c))
		wait(time.Second)
		is := read(b, "prod", s)[0]
		require.Equal(t, before.Since, is.Since)
		require.Equal(t, 20*time.Second, is.Passed, "nobody watched meanwhile")
		wait(10 * time.Second)
		sufficient := read(b, "prod", s)[0]
		require.True(t, sufficient.Suffices(c))

		require.Zero(t, read(b, "prod", subject(c, "shop", "r2"))[0], "of another release it says nothing")
		require.Empty(t, n.all(), "nobody waits for it any more")
		require.Zero(t, read(b, "prod", s)[0])
	})
}

// TestAnAnswerOfAnotherVerdictBeginsAnew however long the one from before the process lasted.
func TestAnAnswerOfAnotherVerdictBeginsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := checkOf(t, "answers", "https://slo.example.com/")
		s := subject(c, "shop", "r1")
		s.Cluster, s.Revision = "prod-1", "sha256:1"
		of := check.Topic{Environment: "prod", Check: "answers", Subject: s.Key(), Question: urlOf("https://slo.example.com/")}
		n := &notebook{entries: map[check.Topic]promotion.Checked{of: {Verdict: promotion.Fails, Since: time.Now(), Failed: 29 * time.Second, Silent: time.Hour}}}
		c.Patience = time.Minute
		p := &party{}
		p.say(promotion.Passes, "answers 200")
		a := remember(t, p, n)
		require.False(t, read(a, "prod", s)[0].Suffices(c), "a silence of before is none of now")
		wait(time.Second)
		is := read(a, "prod", s)[0]
		require.Equal(t, promotion.Passes, is.Verdict)
		require.Zero(t, is.Passed)
		require.Zero(t, is.Failed)
		require.Equal(t, promotion.Passes, n.all()[of].Verdict)
	})
}

// TestTheEndOfAskingIsNoAnswer and takes nothing from what is remembered.
func TestTheEndOfAskingIsNoAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &notebook{entries: map[check.Topic]promotion.Checked{}}
		p := &party{}
		p.say(promotion.Passes, "whole")
		c := checkOf(t, "budget", "https://slo.example.com/")
		s := subject(c, "shop", "r1")
		ctx, end := context.WithCancel(t.Context())
		asked := 0
		a := &check.Asker{Now: time.Now, Memory: n, Ask: func(ctx context.Context, c *inquiry.Check, q inquiry.Text) check.Answer {
			if asked++; asked == 1 {
				return p.ask(ctx, c, q)
			}
			<-ctx.Done()
			return check.Answer{Message: "context canceled"}
		}}
		ended := make(chan error, 1)
		go func() { ended <- a.Run(ctx) }()
		read(a, "prod", s)
		wait(11 * time.Second)
		end()
		require.NoError(t, <-ended)
		require.Equal(t, 2, asked)
		require.Len(t, n.all(), 1)
		for _, is := range n.all() {
			require.Equal(t, promotion.Passes, is.Verdict)
		}
	})
}

func urlOf(address string) inquiry.Text { return inquiry.Text{URL: address} }
