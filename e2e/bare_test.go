package e2e_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"

	"github.com/stretchr/testify/require"
)

// asBare is the environment variable by which this binary runs itself as a bare server.
const asBare = "TRANSOM_TEST_BARE"

// A bareServer answers as a daemon did once, from memory, and tells its streams of events that something changed whenever the daemon tells
// it. It is all that clients cost on this machine whoever answers them: the least that a comparison with a daemon can find.
type bareServer struct {
	Daemon string // its address and port
	Pages  map[string]barePage

	mu   sync.Mutex
	news chan struct{} // is closed by the next ones
}

// A barePage is an answer of the daemon.
type barePage struct {
	Header http.Header
	Body   []byte
}

// runBare runs the bare server that the standard input describes, until that ends.
func runBare() error {
	b := &bareServer{news: make(chan struct{})}
	input := bufio.NewReader(os.Stdin)
	if err := json.NewDecoder(input).Decode(b); err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go func() {
		_, _ = io.Copy(io.Discard, input)
		os.Exit(0)
	}()
	go func() {
		fmt.Fprintln(os.Stderr, b.follow())
		os.Exit(1)
	}()
	fmt.Println(listener.Addr())
	return http.Serve(listener, b) //nolint:gosec // a server without bounds is the barest
}

// follow hears of the daemon's changes.
func (b *bareServer) follow() error {
	conn, err := new(net.Dialer).DialContext(context.Background(), "tcp", b.Daemon)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(conn, "GET /api/v1/events?only=status HTTP/1.1\r\nHost: %s\r\nAccept: text/event-stream\r\n\r\n", b.Daemon); err != nil {
		return err
	}
	for lines := bufio.NewReader(conn); ; {
		line, err := lines.ReadString('\n')
		if err != nil {
			return err
		}
		if strings.HasPrefix(line, "data:") {
			b.mu.Lock()
			close(b.news)
			b.news = make(chan struct{})
			b.mu.Unlock()
		}
	}
}

// ServeHTTP is part of http.Handler.
func (b *bareServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/api/v1/events" {
		b.stream(w, r)
		return
	}
	page, known := b.Pages[r.URL.RequestURI()]
	if !known {
		http.NotFound(w, r)
		return
	}
	for name, values := range page.Header {
		w.Header()[name] = values
	}
	if r.Header.Get("If-None-Match") == page.Header.Get("ETag") {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	_, _ = w.Write(page.Body)
}

func (b *bareServer) stream(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	for flush := http.NewResponseController(w); ; {
		b.mu.Lock()
		news := b.news
		b.mu.Unlock()
		if _, err := io.WriteString(w, "event: status\ndata: {}\n\n"); err != nil || flush.Flush() != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-news:
		}
	}
}

// startBare starts a bare server that has the daemon's answers to some questions, until the test ends.
func (w *world) startBare(paths []string) (host string, pid int) {
	w.t.Helper()
	b := bareServer{Daemon: strings.TrimPrefix(w.api, "http://"), Pages: map[string]barePage{}}
	for _, path := range paths {
		r, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, w.api+path, http.NoBody)
		require.NoError(w.t, err)
		r.Header.Set("Accept-Encoding", "gzip")
		answer, err := http.DefaultClient.Do(r)
		require.NoError(w.t, err)
		body, err := io.ReadAll(answer.Body)
		require.NoError(w.t, err)
		require.NoError(w.t, answer.Body.Close())
		require.Equal(w.t, http.StatusOK, answer.StatusCode, path)
		answer.Header.Del("Date")
		b.Pages[path] = barePage{answer.Header, body}
	}
	self, err := os.Executable()
	require.NoError(w.t, err)
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), asBare+"=1")
	cmd.Stderr = os.Stderr
	input, err := cmd.StdinPipe()
	require.NoError(w.t, err)
	output, err := cmd.StdoutPipe()
	require.NoError(w.t, err)
	require.NoError(w.t, cmd.Start())
	w.t.Cleanup(func() { _ = cmd.Process.Kill() })
	require.NoError(w.t, json.NewEncoder(input).Encode(&b))
	host, err = bufio.NewReader(output).ReadString('\n')
	require.NoError(w.t, err)
	return strings.TrimSpace(host), cmd.Process.Pid
}
