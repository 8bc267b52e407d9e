package e2e_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// asClients is the environment variable by which this binary runs itself as clients of a daemon.
const asClients = "TRANSOM_TEST_CLIENTS"

// clients are the parties that ask one server for something, in a process of their own. They stand for other machines, so that they do as
// little as they can: one goroutine has all connections, which the runtime does not know of, and looks at them now and then.
type clients struct {
	Host    string        // an address and a port
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

// streamsRead is how often what came on streams is read. Until then the kernel has it, as it would on another machine.
const streamsRead = 500 * time.Millisecond

// run asks until its input ends. It says when all of its streams are open, and in the end the outcome.
func (c clients) run(until io.Reader, say io.Writer) error {
	host, err := netip.ParseAddrPort(c.Host)
	if err != nil {
		return err
	}
	var streams, callers []*caller
	for range c.Streams {
		streams = append(streams, &caller{request: fmt.Appendf(nil, "GET /api/v1/events?only=status HTTP/1.1\r\nHost: %s\r\nAccept: text/event-stream\r\n\r\n", c.Host)})
	}
	for _, path := range c.Pages {
		callers = append(callers, &caller{page: true, request: fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\nAccept-Encoding: gzip\r\nIf-None-Match: ", path, c.Host)})
	}
	for _, call := range c.Calls {
		callers = append(callers, &caller{request: call})
	}
	var done outcome
	for _, p := range append(streams, callers...) {
		if err := p.connect(host); err != nil {
			return err
		}
	}
	for _, s := range streams {
		s.ask(&done)
	}
	ended := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, until)
		close(ended)
	}()
	_, _ = fmt.Fprintln(say, "ready")
	c.ask(ended, streams, callers, &done)
	return json.NewEncoder(say).Encode(done)
}

// ask has each caller ask in its turn, and reads what came.
func (c clients) ask(ended <-chan struct{}, streams, callers []*caller, done *outcome) {
	pause := streamsRead
	if len(callers) > 0 {
		pause = c.Every / time.Duration(len(callers))
	}
	tick := time.NewTicker(pause)
	defer tick.Stop()
	began, read, asked := time.Now(), time.Now(), 0
	for {
		select {
		case <-ended:
			return
		case <-tick.C:
		}
		for _, p := range callers {
			p.hear(done)
		}
		for ; len(callers) > 0 && asked < int(time.Since(began)/pause); asked++ {
			callers[asked%len(callers)].ask(done)
		}
		if time.Since(read) >= streamsRead {
			read = time.Now()
			for _, s := range streams {
				s.listen(done)
			}
		}
	}
}

// A caller is a connection on which one request is sent again and again. It asks again once it was answered.
type caller struct {
	fd      int
	request []byte
	page    bool   // the request is one for a page, and its last header has the tag of the page of before
	tag     string // of that page
	answer  []byte // what came of the one that it waits for
	waits   bool
	gone    bool
}

func (p *caller) connect(host netip.AddrPort) (err error) {
	if p.fd, err = syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0); err != nil {
		return err
	}
	if err := syscall.Connect(p.fd, &syscall.SockaddrInet4{Port: int(host.Port()), Addr: host.Addr().As4()}); err != nil {
		return err
	}
	return syscall.SetNonblock(p.fd, true)
}

// lose says that a caller can do nothing more.
func (p *caller) lose(done *outcome) {
	p.gone = true
	done.Wrong++
}

// ask sends the request, unless the one before was not answered yet.
func (p *caller) ask(done *outcome) {
	if p.waits || p.gone {
		return
	}
	text := p.request
	if p.page {
		text = fmt.Appendf(nil, "%s%s\r\n\r\n", text, p.tag)
	}
	if n, err := syscall.Write(p.fd, text); err != nil || n < len(text) {
		p.lose(done)
		return
	}
	p.waits, p.answer = true, p.answer[:0]
}

// read reads what came into a buffer; 0: nothing did.
func (p *caller) read(into []byte, done *outcome) int {
	n, err := syscall.Read(p.fd, into)
	switch {
	case errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EINTR):
		return 0
	case err != nil || n == 0:
		p.lose(done)
		return 0
	}
	return n
}

// hear takes what came of the answer that the caller waits for.
func (p *caller) hear(done *outcome) {
	if !p.waits || p.gone {
		return
	}
	var part [16 << 10]byte
	before := len(p.answer)
	for n := p.read(part[:], done); n > 0; n = p.read(part[:], done) {
		p.answer = append(p.answer, part[:n]...)
		if n < len(part) {
			break
		}
	}
	if len(p.answer) == before {
		return
	}
	answer, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(p.answer)), nil)
	if err != nil {
		return // the rest is to come
	}
	defer func() { _ = answer.Body.Close() }()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		return
	}
	p.waits, p.tag = false, answer.Header.Get("ETag")
	if done.Answers++; p.page && answer.StatusCode >= http.StatusBadRequest {
		done.Answers--
		done.Wrong++
	}
}

// listen reads what came on a stream.
func (p *caller) listen(done *outcome) {
	var part [16 << 10]byte
	for !p.gone {
		n := p.read(part[:], done)
		if done.Heard += int64(n); n < len(part) {
			return
		}
	}
}

// A load is what clients did while they ran, and the processor time that they took, apart from the server's.
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

// processor is the processor time in seconds that a process took since its start.
func processor(t testing.TB, pid int) float64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	require.NoError(t, err)
	fields := strings.Fields(string(text[strings.LastIndex(string(text), ")")+1:]))
	user, err := strconv.ParseFloat(fields[11], 64)
	require.NoError(t, err)
	system, err := strconv.ParseFloat(fields[12], 64)
	require.NoError(t, err)
	return (user + system) / 100 // ticks of the kernel's clock for people
}
