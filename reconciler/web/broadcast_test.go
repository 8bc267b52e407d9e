package web_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/status"
	"transom.dev/reconciler/web"
)

// A client of a stream takes the news that something changed as it likes.
type client struct {
	header http.Header
	news   func(n int) // is called with their number, from 1 on
	heard  int
}

func (c *client) Header() http.Header { return c.header }
func (c *client) WriteHeader(int)     {}
func (c *client) Flush()              {}

func (c *client) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte("event: status")) {
		c.heard++
		c.news(c.heard)
	}
	return len(p), nil
}

// openFor opens a stream until ctx is done.
func openFor(ctx context.Context, h http.Handler, query string, news func(n int)) {
	go h.ServeHTTP(&client{header: http.Header{}, news: news}, streamRequest(ctx, query))
}

// TestFewStreamsWriteAtOnce: thousands that write at once would stand before the work of a pass.
func TestFewStreamsWriteAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, end := context.WithCancel(t.Context())
		b := board()
		h := web.Handler(web.Options{Board: b})
		var writing, most, told atomic.Int32
		for range 200 {
			openFor(ctx, h, "?only=status", func(n int) {
				if n == 1 {
					return // the status of now, which each asked for
				}
				most.Store(max(most.Load(), writing.Add(1)))
				runtime.Gosched()
				writing.Add(-1)
				told.Add(1)
			})
		}
		synctest.Wait()
		b.ClusterSeen(status.Cluster{Name: "east", Message: "no answer"})
		time.Sleep(time.Second)
		require.EqualValues(t, 200, told.Load(), "each is told once of a change")
		require.LessOrEqual(t, most.Load(), int32(2))
		end()
		synctest.Wait()
	})
}

// openHalf opens 200 streams, of which every other one has a client that reads no more than the beginning. The others call told for each change.
func openHalf(ctx context.Context, h http.Handler, told func()) {
	for i := range 200 {
		openFor(ctx, h, "?only=status", func(n int) {
			switch {
			case n == 1:
			case i%2 == 0:
				<-ctx.Done()
			default:
				told()
			}
		})
	}
	synctest.Wait()
}

// TestAClientThatDoesNotReadHoldsNoOther: not the streams, and not the Board.
func TestAClientThatDoesNotReadHoldsNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, end := context.WithCancel(t.Context())
		b := board()
		h := web.Handler(web.Options{Board: b})
		var changed atomic.Pointer[time.Time]
		var told, late atomic.Int32
		openHalf(ctx, h, func() {
			told.Add(1)
			if time.Since(*changed.Load()) > 50*time.Millisecond {
				late.Add(1)
			}
		})
		for i := range 3 {
			now := time.Now()
			changed.Store(&now)
			b.ClusterSeen(status.Cluster{Name: "east", Message: fmt.Sprint("no answer ", i)})
			require.Equal(t, now, time.Now(), "nobody waited")
			time.Sleep(time.Second)
			require.EqualValues(t, 100*(i+1), told.Load())
		}
		require.Zero(t, late.Load())
		end()
		synctest.Wait()
	})
}

// TestABurstIsToldOnce: changes that come while streams wait for more are in what they are told then.
func TestABurstIsToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, end := context.WithCancel(t.Context())
		b := board()
		var told atomic.Int32
		openFor(ctx, web.Handler(web.Options{Board: b}), "?only=status", func(int) { told.Add(1) })
		synctest.Wait()
		for i := range 10 {
			b.ClusterSeen(status.Cluster{Name: "east", Message: fmt.Sprint("no answer ", i)})
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Second)
		require.EqualValues(t, 2, told.Load(), "when it began, and after the burst")
		end()
		synctest.Wait()
	})
}

// TestClientsThatDoNotReadHoldNoOtherDuringPasses, even where each moment a pass has just begun.
func TestClientsThatDoNotReadHoldNoOtherDuringPasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, end := context.WithCancel(t.Context())
		b := board()
		never := make(chan struct{})
		h := web.Handler(web.Options{Board: b, Passes: func() (time.Duration, <-chan struct{}) { return 0, never }})
		var told atomic.Int32
		openHalf(ctx, h, func() { told.Add(1) })
		time.Sleep(time.Second)
		b.ClusterSeen(status.Cluster{Name: "east", Message: "no answer"})
		time.Sleep(time.Second)
		require.EqualValues(t, 100, told.Load())
		end()
		synctest.Wait()
	})
}
