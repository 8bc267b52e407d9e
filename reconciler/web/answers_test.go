package web_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/status"
	"transom.dev/reconciler/web"
	"transom.dev/render/platform"
)

// asker asks a handler, without a network.
func asker(t *testing.T, h http.Handler) func(path string) *httptest.ResponseRecorder {
	t.Helper()
	return func(path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1"+path, http.NoBody))
		return w
	}
}

// TestAnAnswerIsMadeOnceUntilSomethingChanges: for all who ask the same, and a change is in the next one.
func TestAnAnswerIsMadeOnceUntilSomethingChanges(t *testing.T) {
	b := crowd(300)
	b.Loaded("https://git.example.com/platform.git", &platform.Platform{Commit: "c1"})
	ask := asker(t, web.Handler(web.Options{Board: b}))
	const path = "/api/v1/instances?limit=300&environment=dev"
	first := ask(path)
	require.Equal(t, http.StatusOK, first.Code)
	require.Less(t, testing.AllocsPerRun(10, func() { ask(path) }), 100.0, "300 instances are not encoded again")
	again := ask(path)
	require.Equal(t, first.Body.String(), again.Body.String())
	require.Equal(t, first.Header(), again.Header())

	other := ask("/api/v1/instances?limit=300&environment=prod")
	require.NotContains(t, other.Body.String(), `"environment":"dev"`)
	require.Contains(t, other.Body.String(), `"environment":"prod"`)
	short := ask("/api/v1/instances?environment=dev&limit=2")
	require.Contains(t, short.Header().Get("Link"), "after=")
	require.Equal(t, short.Header(), ask("/api/v1/instances?environment=dev&limit=2").Header(), "the next page is told every time")

	one := "/api/v1/instances/dev/team-1/request-1"
	require.NotContains(t, ask(one).Body.String(), "no answer")
	require.NotContains(t, ask(path).Body.String(), "no answer")
	b.ClusterSeen(status.Cluster{Name: "dev-1", Message: "no answer"})
	require.Contains(t, ask(one).Body.String(), "no answer")
	require.Contains(t, ask(path).Body.String(), "no answer")
	require.NotEqual(t, first.Header().Get("ETag"), ask(path).Header().Get("ETag"))
	for range 2 {
		require.Equal(t, http.StatusNotFound, ask("/api/v1/instances/dev/team-1/nobody").Code)
	}
}

// TestAnswersAreBoundedInMemory: whoever asks ever other questions takes no more memory than all of them may have.
func TestAnswersAreBoundedInMemory(t *testing.T) {
	h := web.Handler(web.Options{Board: crowd(1000)})
	ask := asker(t, h)
	ask("/api/v1/instances?limit=1000")
	before := inUse()
	for i := range 200 {
		require.Equal(t, http.StatusOK, ask(fmt.Sprint("/api/v1/instances?environment=dev&limit=", 500+i)).Code) // more than 100 kB each
	}
	require.Less(t, int64(inUse())-int64(before), int64(16<<20))
	runtime.KeepAlive(h)
}

// TestAnAnswerKeepsNothingOfItsRequest: its parameters may be a short part of a long address, and very many answers may be empty.
func TestAnAnswerKeepsNothingOfItsRequest(t *testing.T) {
	h := web.Handler(web.Options{Board: crowd(1)})
	ask := asker(t, h)
	ask("/api/v1/requests")
	long := "&limit=" + strings.Repeat("0", 32<<10) + "1"
	before := inUse()
	for i := range 1000 {
		require.Equal(t, http.StatusOK, ask(fmt.Sprint("/api/v1/requests?team=x", i, long)).Code)
	}
	require.Less(t, int64(inUse())-int64(before), int64(4<<20), "1,000 answers of 13 bytes")
	for i := range 40_000 {
		ask(fmt.Sprint("/api/v1/requests?team=y", i))
	}
	require.Less(t, int64(inUse())-int64(before), int64(10<<20))
	runtime.KeepAlive(h)
}

// A slowBoard tells its status once it may.
type slowBoard struct {
	*status.Board
	may chan struct{}
}

func (b slowBoard) Status() status.Status {
	<-b.may
	return b.Board.Status()
}

// A receiver remembers where the text is that it was sent.
type receiver struct {
	header http.Header
	text   *byte
	long   int
}

func (r *receiver) Header() http.Header { return r.header }
func (r *receiver) WriteHeader(int)     {}
func (r *receiver) Write(p []byte) (int, error) {
	r.text, r.long = &p[0], r.long+len(p)
	return len(p), nil
}

// TestThoseWhoAskTogetherGetOneAnswer, even if it is too long to be kept.
func TestThoseWhoAskTogetherGetOneAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := crowd(1)
		known := &platform.Platform{Commit: "c1"}
		for i := range 1000 {
			known.Problems = append(known.Problems, platform.Problem{File: fmt.Sprintf("requests/search/%d.yaml", i), Message: strings.Repeat("no offering ", 150)})
		}
		b.Loaded("https://git.example.com/platform.git", known)
		slow := slowBoard{b, make(chan struct{})}
		h := web.Handler(web.Options{Board: slow})
		all := make([]*receiver, 8)
		for i := range all {
			all[i] = &receiver{header: http.Header{}}
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1/api/v1/problems?limit=1000", http.NoBody)
			go h.ServeHTTP(all[i], r)
		}
		synctest.Wait()
		close(slow.may)
		synctest.Wait()
		for _, one := range all {
			require.Greater(t, one.long, 1<<20)
			require.Same(t, all[0].text, one.text)
		}
	})
}

// TestAnAnswerOfBeforeIsNotKeptForAfter, whoever asks while things change.
func TestAnAnswerOfBeforeIsNotKeptForAfter(t *testing.T) {
	b := crowd(50)
	ask := asker(t, web.Handler(web.Options{Board: b}))
	over := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-over:
				return
			default:
				ask("/api/v1/clusters")
			}
		}
	}()
	for i := range 200 {
		message := fmt.Sprint("change ", i, " at ", time.Now().UnixNano())
		b.ClusterSeen(status.Cluster{Name: "dev-1", Message: message})
		require.Contains(t, ask("/api/v1/clusters").Body.String(), message)
	}
	close(over)
	<-ended
}

// A busyBoard takes a while to say its status, and counts how often it does.
type busyBoard struct {
	*status.Board
	takes time.Duration
	asked int
}

func (b *busyBoard) Status() status.Status {
	b.asked++
	time.Sleep(b.takes)
	return b.Board.Status()
}

// TestAListIsMadeForAPartOfTheTime: while something changes all the time, whoever asks waits a moment, and gets what was known when they asked.
func TestAListIsMadeForAPartOfTheTime(t *testing.T) {
	for takes, most := range map[time.Duration]int{time.Millisecond: 100, 5 * time.Millisecond: 22, 50 * time.Millisecond: 15} {
		synctest.Test(t, func(t *testing.T) {
			b := &busyBoard{Board: crowd(3), takes: takes}
			b.Loaded("https://git.example.com/platform.git", &platform.Platform{Commit: "c1"})
			ask := asker(t, web.Handler(web.Options{Board: b}))
			ask("/api/v1/instances")
			b.asked = 0
			for began, i := time.Now(), 0; time.Since(began) < 2*time.Second; i++ {
				change := fmt.Sprintf("no answer %d.", i)
				b.ClusterSeen(status.Cluster{Name: "dev-1", Message: change})
				asked := time.Now()
				require.Contains(t, ask("/api/v1/instances").Body.String(), change)
				require.LessOrEqual(t, time.Since(asked), 100*time.Millisecond+takes)
			}
			require.LessOrEqual(t, b.asked, most)
			require.Greater(t, b.asked, most/2)
		})
	}
}

// A restlessBoard changes each time that somebody asks for its status.
type restlessBoard struct {
	*status.Board
	asked atomic.Int32
}

func (b *restlessBoard) Status() status.Status {
	n := b.asked.Add(1)
	time.Sleep(5 * time.Millisecond)
	s := b.Board.Status()
	b.ClusterSeen(status.Cluster{Name: "dev-1", Message: fmt.Sprint("no answer ", n)})
	return s
}

// TestThoseWhoWaitForAListShareIt: each with a list of their own would wait for those of all the others before it.
func TestThoseWhoWaitForAListShareIt(t *testing.T) {
	b := &restlessBoard{Board: crowd(3)}
	b.Loaded("https://git.example.com/platform.git", &platform.Platform{Commit: "c1"})
	ask := asker(t, web.Handler(web.Options{Board: b}))
	ask("/api/v1/instances")
	b.asked.Store(0)
	var all sync.WaitGroup
	for n := range 40 {
		all.Go(func() { ask(fmt.Sprint("/api/v1/instances?limit=", n+1)) })
	}
	all.Wait()
	require.Less(t, b.asked.Load(), int32(20))
}
