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
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// asClients is the environment variable by which this binary runs itself as clients of a daemon.
const asClients = "TRANSOM_TEST_CLIENTS"

// clients are the parties that ask one daemon for something, in a process of their own.
type clients struct {
	Host    string
	Streams int           // of events
	Pages   []string      // that people ask for, one each, as browsers do that have the page of before
	Calls   [][]byte      // whole requests, each of which is sent on a connection of its own
	Every   time.Duration // for each page and each call
}

// An outcome is how much clients did.
type outcome struct {
	Answers int64 // to pages and calls
	Wrong   int64 // of these, and streams that ended
	Heard   int64 // bytes on streams
}

// runClients runs the clients that a text describes, until the standard input ends.
func runClients(text string) error {
	var c clients
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return err
	}
	return c.run(os.Stdin, os.Stdout)
}

// run asks until its input ends. It says when all of its streams are open, and in the end the outcome.
func (c clients) run(until io.Reader, say io.Writer) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var all sync.WaitGroup
	var done outcome
	for range c.Streams {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", c.Host)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(conn, "GET /api/v1/events?only=status HTTP/1.1\r\nHost: %s\r\nAccept: text/event-stream\r\n\r\n", c.Host); err != nil {
			return err
		}
		context.AfterFunc(ctx, func() { _ = conn.Close() })
		all.Go(func() {
			n, _ := io.CopyBuffer(io.Discard, struct{ io.Reader }{conn}, make([]byte, 64))
			if atomic.AddInt64(&done.Heard, n); ctx.Err() == nil {
				atomic.AddInt64(&done.Wrong, 1)
			}
		})
	}
	for _, path := range c.Pages {
		all.Go(func() { c.click(ctx, path, &done) })
	}
	for _, call := range c.Calls {
		all.Go(func() { c.call(ctx, call, &done) })
	}
	_, _ = fmt.Fprintln(say, "ready")
	_, _ = io.Copy(io.Discard, until)
	cancel()
	all.Wait()
	return json.NewEncoder(say).Encode(done)
}

// click asks for a page again and again until ctx is done, one that is as it was for nothing but the news that it is.
func (c clients) click(ctx context.Context, path string, done *outcome) {
	tick := time.NewTicker(c.Every)
	defer tick.Stop()
	tag := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.Host+path, http.NoBody)
		if err != nil {
			return
		}
		r.Header.Set("If-None-Match", tag)
		answer, err := http.DefaultClient.Do(r)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil || answer.StatusCode >= http.StatusBadRequest:
			atomic.AddInt64(&done.Wrong, 1)
		default:
			atomic.AddInt64(&done.Answers, 1)
		}
		if err == nil {
			tag = answer.Header.Get("ETag")
			_, _ = io.Copy(io.Discard, answer.Body)
			_ = answer.Body.Close()
		}
	}
}

// call sends a request again and again on one connection, as Git servers do, until ctx is done.
func (c clients) call(ctx context.Context, request []byte, done *outcome) {
	tick := time.NewTicker(c.Every)
	defer tick.Stop()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", c.Host)
	if err != nil {
		atomic.AddInt64(&done.Wrong, 1)
		return
	}
	defer func() { _ = conn.Close() }()
	answers := bufio.NewReader(conn)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		_, err := conn.Write(request)
		answer, wrong := (*http.Response)(nil), err
		if err == nil {
			answer, wrong = http.ReadResponse(answers, nil)
		}
		if wrong != nil {
			atomic.AddInt64(&done.Wrong, 1)
			return
		}
		_, _ = answers.Discard(int(answer.ContentLength))
		atomic.AddInt64(&done.Answers, 1)
	}
}

// A load is what clients did while they ran, and the processor time that they took, apart from the daemon's.
type load struct {
	outcome
	seconds, processor float64
}

// start runs the clients until end is called, at the lowest priority: on a machine of few cores they have the time that the daemon leaves,
// so that it loses none to them. A load says whether that was enough for as much as they were to do.
func (c clients) start(t testing.TB) (end func() load) {
	t.Helper()
	job, err := json.Marshal(c)
	require.NoError(t, err)
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command("nice", "-n", "19", self)
	cmd.Env = append(os.Environ(), asClients+"="+string(job), "GOMAXPROCS=1")
	cmd.Stderr = os.Stderr
	input, err := cmd.StdinPipe()
	require.NoError(t, err)
	output, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	lines := bufio.NewReader(output)
	ready, err := lines.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "ready\n", ready)
	began := time.Now()
	return func() (l load) {
		l.seconds = time.Since(began).Seconds()
		require.NoError(t, input.Close())
		require.NoError(t, json.NewDecoder(lines).Decode(&l.outcome))
		require.NoError(t, cmd.Wait())
		l.processor = (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
		return l
	}
}

// processor is the processor time in seconds that the daemon took since its start.
func (w *world) processor() float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", w.daemon.Process.Pid))
	require.NoError(w.t, err)
	fields := strings.Fields(string(text[strings.LastIndex(string(text), ")")+1:]))
	user, err := strconv.ParseFloat(fields[11], 64)
	require.NoError(w.t, err)
	system, err := strconv.ParseFloat(fields[12], 64)
	require.NoError(w.t, err)
	return (user + system) / 100 // ticks of the kernel's clock for people
}
