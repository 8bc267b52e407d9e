package reconciler_test

import (
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/fleet"
	"transom.dev/reconciler/status"
)

// A fleet whose Deploy hangs, or panics, as often as it is told to.
type faultyFleet struct {
	*deployments
	entered chan struct{}
	leave   chan struct{}
	panics  atomic.Int32
}

func (f *faultyFleet) Deploy(t fleet.Target) error {
	if f.panics.Add(-1) >= 0 {
		panic("nobody thought of that")
	}
	if f.leave != nil {
		f.entered <- struct{}{}
		<-f.leave
	}
	return f.deployments.Deploy(t)
}

// TestAPassThatComesToNoEndIsNotReady: who watches the daemon is told after a minute, and how long the pass has taken.
func TestAPassThatComesToNoEndIsNotReady(t *testing.T) {
	s := newSystem(t)
	var ahead atomic.Int64
	s.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	faulty := &faultyFleet{deployments: s.fleet, entered: make(chan struct{}), leave: make(chan struct{})}
	s.Reconciler.Fleet = faulty
	s.run()
	s.Trigger.Fire("test")
	<-faulty.entered
	ahead.Store(int64(50 * time.Second))
	require.EqualError(t, s.Ready(), `environment dev is not reconciled yet; "transom status" says why`)
	ahead.Store(int64(70 * time.Second))
	require.ErrorContains(t, s.Ready(), "environment dev is stuck: phase deploy has come to no end for 1m1")
	require.GreaterOrEqual(t, s.Ages()["dev"], 70*time.Second)
	_, over := s.Passes()
	require.NotNil(t, over)
	close(faulty.leave)
	go func() {
		for range faulty.entered {
			continue
		}
	}()
	require.Eventually(t, func() bool { return s.Ready() == nil }, time.Minute, 10*time.Millisecond)
	require.Eventually(t, func() bool { return s.Ages()["dev"] == 0 }, time.Minute, 10*time.Millisecond)
	<-over
}

// TestAFaultEndsAPassAndNotTheDaemon: it is told, and the pass is tried again.
func TestAFaultEndsAPassAndNotTheDaemon(t *testing.T) {
	s := newSystem(t)
	faulty := &faultyFleet{deployments: s.fleet}
	faulty.panics.Store(1)
	s.Reconciler.Fleet = faulty
	s.run()
	s.Trigger.Fire("test")
	var told string
	require.Eventually(t, func() bool {
		for _, e := range s.Board.History() { // the status of the environment may be well again by now
			if e.Environment == "dev" && e.Level == status.Error {
				told = e.Message
			}
		}
		return told != ""
	}, time.Minute, time.Millisecond)
	require.Contains(t, told, "came upon a fault of Transom, which is worth a report: nobody thought of that")
	s.deployed("dev", func(t fleet.Target) bool { return t.Commit != "" })
}

// TestAFaultEndsALoadAndNotTheDaemon: it is told, and the next load is a new one. A load that comes to no end is told, too.
func TestAFaultEndsALoadAndNotTheDaemon(t *testing.T) {
	s := newSystem(t)
	var ahead, panics atomic.Int64
	var hangs atomic.Bool
	entered, leave := make(chan struct{}), make(chan struct{})
	s.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	s.Repository = func(url string) string {
		if panics.Add(-1) >= 0 {
			panic("nobody thought of that")
		}
		if hangs.CompareAndSwap(true, false) {
			close(entered)
			<-leave
		}
		return url
	}
	panics.Store(1)
	s.run()
	s.Trigger.Fire("test")
	told := func() bool {
		return strings.Contains(s.Board.Status().Platform.Error, "it came upon a fault of Transom, which is worth a report: nobody thought of that")
	}
	require.Eventually(t, told, time.Minute, time.Millisecond)
	s.Trigger.Fire("test")
	s.deployed("dev", func(t fleet.Target) bool { return t.Commit != "" })
	require.Eventually(t, func() bool { return s.Ready() == nil }, time.Minute, 10*time.Millisecond)

	hangs.Store(true)
	s.write("notes.txt", "a new commit\n")
	s.commit("a new commit")
	s.Trigger.Fire("test")
	<-entered
	ahead.Store(int64(50 * time.Second))
	require.NoError(t, s.Ready())
	ahead.Store(int64(70 * time.Second))
	require.ErrorContains(t, s.Ready(), "the platform is stuck: phase load has come to no end for 1m1")
	close(leave)
	require.Eventually(t, func() bool { return s.Ready() == nil }, time.Minute, 10*time.Millisecond)
}

// A faultLog gets the stack of each fault that is logged, or an empty text.
type faultLog struct {
	slog.Handler
	stacks chan string
}

func (faultLog) Enabled(context.Context, slog.Level) bool { return true }

func (f faultLog) Handle(_ context.Context, r slog.Record) error {
	if r.Message != "fault" {
		return nil
	}
	stack := ""
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "stack" {
			stack = a.Value.String()
		}
		return true
	})
	f.stacks <- stack
	return nil
}

// TestTheStackOfALoadThatPanicsIsLoggedOnce for each commit and way in which it does, though each trigger has it tried again.
func TestTheStackOfALoadThatPanicsIsLoggedOnce(t *testing.T) {
	s := newSystem(t)
	log := faultLog{slog.DiscardHandler, make(chan string, 1000)}
	s.Logger = slog.New(log)
	var other atomic.Bool
	s.Repository = func(string) string {
		if other.Load() {
			panic("nor of that")
		}
		panic("nobody thought of that")
	}
	s.run()
	next := func() string {
		s.Trigger.Fire("test")
		return <-log.stacks
	}
	require.Contains(t, next(), "Loader")
	require.Empty(t, next())
	require.Empty(t, next())
	s.write("notes.txt", "a new commit\n")
	s.commit("a new commit")
	require.Eventually(t, func() bool { return strings.Contains(next(), "Loader") }, time.Minute, time.Millisecond) // one of before may come first
	require.Empty(t, next())
	other.Store(true)
	require.Eventually(t, func() bool { return strings.Contains(next(), "Loader") }, time.Minute, time.Millisecond) // so may this one
	require.Empty(t, next())
}
