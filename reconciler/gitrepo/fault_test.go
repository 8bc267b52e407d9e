package gitrepo_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"transom.dev/reconciler/gitrepo"
)

// isPush says whether a request carries a commit.
func isPush(req *http.Request) bool {
	return req.Method == http.MethodPost && strings.HasSuffix(req.URL.Path, "/git-receive-pack")
}

// hangUp ends a connection without an answer.
func hangUp(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		_ = conn.Close()
	}
}

func TestCommitWhoseAnswerIsLostHasSucceeded(t *testing.T) {
	b := newBare(t)
	first := b.commit("first", map[string]string{"f": "1"})
	lost := 0
	o := overHTTPS(b, func(git http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if isPush(req) {
				git.ServeHTTP(httptest.NewRecorder(), req)
				lost++
				hangUp(w)
				return
			}
			git.ServeHTTP(w, req)
		})
	})
	r := o.remote()
	s := commit(t, r, fetch(t, r), map[string][]byte{"f": []byte("2")})
	require.Equal(t, 1, lost, "sent once")
	require.Equal(t, s.Commit, b.head())
	require.Equal(t, first, b.git("rev-parse", "main~1"))
	require.Equal(t, s.Commit, fetch(t, r).Commit)
}

func TestCommitThatDoesNotArriveIsAnError(t *testing.T) {
	b := newBare(t)
	first := b.commit("first", map[string]string{"f": "1"})
	o := overHTTPS(b, func(git http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if isPush(req) {
				hangUp(w)
				return
			}
			git.ServeHTTP(w, req)
		})
	})
	r := o.remote()
	_, err := r.Commit(context.Background(), fetch(t, r), transom("ours", map[string][]byte{"f": []byte("2")}))
	require.ErrorContains(t, err, "the commit has not arrived: "+o.url)
	require.NotErrorIs(t, err, gitrepo.ErrRaced)
	require.Equal(t, first, b.head())
}

func TestCommitWhoseAnswerIsLostThenOvertakenHasRaced(t *testing.T) {
	b := newBare(t)
	b.commit("first", map[string]string{"f": "1"})
	o := overHTTPS(b, func(git http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if isPush(req) {
				b.commit("theirs", map[string]string{"f": "theirs"})
				hangUp(w)
				return
			}
			git.ServeHTTP(w, req)
		})
	})
	r := o.remote()
	_, err := r.Commit(context.Background(), fetch(t, r), transom("ours", map[string][]byte{"f": []byte("2")}))
	require.ErrorIs(t, err, gitrepo.ErrRaced)
	require.Equal(t, "theirs", readFile(t, fetch(t, r), "f"))
}

func TestCommitThatNobodyCanTellOfIsFoundLater(t *testing.T) {
	b := newBare(t)
	b.commit("first", map[string]string{"f": "1"})
	down := false
	o := overHTTPS(b, func(git http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if isPush(req) {
				git.ServeHTTP(httptest.NewRecorder(), req)
				down = true
			}
			if down {
				hangUp(w)
				return
			}
			git.ServeHTTP(w, req)
		})
	})
	r := o.remote()
	_, err := r.Commit(context.Background(), fetch(t, r), transom("ours", map[string][]byte{"f": []byte("2")}))
	require.ErrorContains(t, err, "whether the commit arrived is not known: ")
	down = false
	require.Equal(t, "2", readFile(t, fetch(t, r), "f"))
}

func TestCommitIsSettledAlthoughItsContextEnds(t *testing.T) {
	b := newBare(t)
	b.commit("first", map[string]string{"f": "1"})
	ctx, cancel := context.WithCancel(context.Background())
	o := overHTTPS(b, func(git http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if isPush(req) {
				git.ServeHTTP(httptest.NewRecorder(), req)
				cancel()
				<-req.Context().Done()
				return
			}
			git.ServeHTTP(w, req)
		})
	})
	r := o.remote()
	s, err := r.Commit(ctx, fetch(t, r), transom("ours", map[string][]byte{"f": []byte("2")}))
	require.NoError(t, err)
	require.Equal(t, b.head(), s.Commit)
}

// deaf listens and never says a word.
func deaf(t *testing.T) (address string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var conns sync.WaitGroup
	done := make(chan struct{})
	conns.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			conns.Go(func() {
				<-done
				_ = conn.Close()
			})
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		close(done)
		conns.Wait()
	})
	return listener.Addr().String()
}

func TestServerThatHangsIsGivenUp(t *testing.T) {
	b := newBare(t)
	hanging := func(git http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if strings.HasSuffix(req.URL.Path, "/git-upload-pack") {
				w.WriteHeader(http.StatusOK)
				_ = http.NewResponseController(w).Flush()
				<-req.Context().Done()
				return
			}
			git.ServeHTTP(w, req)
		})
	}
	b.commit("first", map[string]string{"f": "1"})
	server := overSSH(b)
	server.address = deaf(t)
	toDeafSSH := server.origin(b)
	for name, o := range map[string]*origin{
		"https":           {bare: b, url: "https://" + deaf(t) + "/x.git"},
		"http":            {bare: b, url: "http://" + deaf(t) + "/x.git"},
		"ssh":             toDeafSSH,
		"https half-way":  overHTTPS(b, hanging),
		"unroutable":      {bare: b, url: "https://192.0.2.1/x.git"},
		"ssh, unroutable": {bare: b, url: "ssh://git@192.0.2.1/x.git", credentials: toDeafSSH.credentials},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := o.remote()
			r.Timeout = 200 * time.Millisecond
			began := time.Now()
			_, err := r.Fetch(context.Background())
			require.Error(t, err)
			require.Less(t, time.Since(began), 5*time.Second)

			r = &gitrepo.Remote{URL: r.URL, Branch: r.Branch, Dir: r.Dir, Credentials: o.credentials, Timeout: time.Hour}
			ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
			defer cancel()
			_, err = r.Fetch(ctx)
			require.Error(t, err)
			require.Less(t, time.Since(began), 5*time.Second)
		})
	}
}

func TestSilentServerIsNamed(t *testing.T) {
	b := newBare(t)
	o := &origin{bare: b, url: "https://" + deaf(t) + "/x.git"}
	r := o.remote()
	r.Timeout = 100 * time.Millisecond
	_, err := r.Fetch(context.Background())
	require.EqualError(t, err, o.url+": no answer for 100ms; is the server well, and reachable from here?")
}

func TestHookThatHangsIsGivenUp(t *testing.T) {
	b := newBare(t)
	first := b.commit("first", map[string]string{"f": "1"})
	pid := filepath.Join(b.dir, "hook.pid")
	b.hook("pre-receive", `echo $$ > "$GIT_DIR/hook.pid"; exec sleep 1000`)
	t.Cleanup(func() {
		content, err := os.ReadFile(pid)
		require.NoError(t, err)
		id, err := strconv.Atoi(strings.TrimSpace(string(content)))
		require.NoError(t, err)
		_ = syscall.Kill(id, syscall.SIGKILL)
	})
	r := b.remote()
	r.Timeout = 500 * time.Millisecond
	began := time.Now()
	_, err := r.Commit(context.Background(), fetch(t, r), transom("ours", map[string][]byte{"f": []byte("2")}))
	require.ErrorContains(t, err, "the commit has not arrived: ")
	require.Less(t, time.Since(began), 10*time.Second)
	require.Equal(t, first, b.head())

	b.hook("pre-receive", "exit 0")
	r.Timeout = 0
	s := commit(t, b.remote(), fetch(t, r), map[string][]byte{"f": []byte("3")})
	require.Equal(t, s.Commit, b.head(), "no lock was left behind")
}

func TestWaitingForAnotherCallEndsWithTheContext(t *testing.T) {
	b := newBare(t)
	entered := make(chan struct{})
	o := overHTTPS(b, func(http.Handler) http.Handler {
		return http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
			close(entered)
			<-req.Context().Done()
		})
	})
	r := o.remote()
	slow, endSlow := context.WithCancel(context.Background())
	var calls sync.WaitGroup
	calls.Go(func() { _, _ = r.Fetch(slow) })
	<-entered
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(errors.New("the daemon stops"))
	_, err := r.Fetch(ctx)
	require.EqualError(t, err, o.url+": waiting for another call: the daemon stops")
	endSlow()
	calls.Wait()
}
