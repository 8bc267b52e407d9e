package notify

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nicholas-fedor/shoutrrr/pkg/router"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/push/ntfy"
	"github.com/nicholas-fedor/shoutrrr/pkg/types"
)

const (
	// argument is the one argument that makes a process of this binary a messenger.
	argument = "messenger-of-transom"
	// notTaken is how a messenger exits whose target did not take the text.
	notTaken = 3
	// takenInPart is how it exits where one part of the text was taken and another refused for good.
	takenInPart = 4
	// mostMessengers is how many there are at once. Each takes some 12 MiB of its own.
	mostMessengers = 16
	// mostOfService is how many there are at once for one service, such as slack or smtp, so that one that hangs leaves turns to others.
	mostOfService = 4
	// mostMemory is how many bytes of data a messenger may have beside those that it begins with: the answer of a chat is read as a whole.
	mostMemory = 256 << 20
	// processorTime is how many seconds of it a messenger may use.
	processorTime = 10
)

// messengers says that this binary has messengers.
var messengers atomic.Bool

// Main makes this process a messenger, and does not return, if it was started as one. Otherwise this process has messengers from now on. A main
// function, or a TestMain, calls it before anything else.
//
// Messengers are there because shoutrrr cannot be interrupted, waits for mail servers without end, and reads answers of chats without
// a bound: a process can be ended.
func Main() {
	if len(os.Args) == 2 && os.Args[1] == argument {
		os.Exit(messenger(os.Stdin, os.Stdout))
	}
	messengers.Store(true)
}

// An errand is one attempt that a messenger makes.
type errand struct {
	Target Target `json:"target"`
	Text   string `json:"text"`
}

// messenger does an errand, and writes why its target did not take the text.
func messenger(in io.Reader, out io.Writer) (code int) {
	confine()
	time.AfterFunc(sendTime, func() { os.Exit(1) }) // whoever started it may be gone
	var e errand
	if err := json.NewDecoder(in).Decode(&e); err != nil {
		return 1
	}
	if err := shout(e.Target, e.Text); err != nil {
		_, _ = io.WriteString(out, e.Target.redact(err))
		if errors.As(err, new(*refusal)) {
			return takenInPart
		}
		return notTaken
	}
	return 0
}

// exchanges are those of a messenger over HTTP. None of them is asked for by a redirect: text and credentials are for the address that
// the operator wrote.
type exchanges struct {
	http.RoundTripper

	mu     sync.Mutex
	faults []fault // of the requests that were not taken, also when they were sent again
	taken  bool    // one that sends something was
}

// A fault is why a request was not taken.
type fault struct {
	of    [sha256.Size]byte // the digest of its method, address and body
	err   error
	final bool // the same request has the same answer later
}

// RoundTrip is part of http.RoundTripper.
func (e *exchanges) RoundTrip(r *http.Request) (*http.Response, error) {
	sum := sha256.New()
	_, _ = fmt.Fprintf(sum, "%s %s\n", r.Method, r.URL)
	if r.Body != nil {
		content, read := io.ReadAll(r.Body)
		if err := errors.Join(read, r.Body.Close()); err != nil {
			return nil, err
		}
		_, _ = sum.Write(content)
		r = r.Clone(r.Context())
		r.Body = io.NopCloser(bytes.NewReader(content))
	}
	answer, err := e.take(r)
	of := fault{of: [sha256.Size]byte(sum.Sum(nil)), err: err}
	if err == nil && answer.StatusCode >= http.StatusBadRequest {
		of.err, of.final = fmt.Errorf("answered %s", answer.Status), isFinal(answer.StatusCode)
	}
	e.record(of, r.Body != nil)
	return answer, err
}

// take sends a request unless a redirect asks for it.
func (e *exchanges) take(r *http.Request) (*http.Response, error) {
	if r.Response != nil {
		return nil, errors.New("it redirects, which is not followed: write the address that it leads to")
	}
	return e.RoundTripper.RoundTrip(r)
}

// isFinal says whether a status is no matter of time.
func isFinal(status int) bool {
	return status < http.StatusInternalServerError && status != http.StatusRequestTimeout && status != http.StatusTooEarly && status != http.StatusTooManyRequests
}

// record remembers why a request was not taken; without an error it was, and why an earlier attempt was not is forgotten.
func (e *exchanges) record(one fault, sends bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.faults = slices.DeleteFunc(e.faults, func(f fault) bool { return f.of == one.of })
	if one.err != nil {
		e.faults = append(e.faults, one)
		return
	}
	e.taken = e.taken || sends
}

// isTakenInPart says that some requests were taken and all others refused for good: who took theirs would have it again and again for the sake
// of the others.
func (e *exchanges) isTakenInPart() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.taken && len(e.faults) > 0 && !slices.ContainsFunc(e.faults, func(f fault) bool { return !f.final })
}

// fault is why the first request was not taken of those that were not; nil: all were.
func (e *exchanges) fault() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.faults) == 0 {
		return nil
	}
	return e.faults[0].err
}

// shout has shoutrrr send a text. A service that says that it did, or panics, where one of its requests was not taken in the end is not
// believed: telegram loses such errors and goes on with its next chat, and zulip expects an answer.
func shout(t Target, text string) (err error) {
	e := &exchanges{RoundTripper: http.DefaultTransport}
	http.DefaultTransport = e
	service, err := new(router.ServiceRouter).Locate(t.URL)
	if err != nil {
		return err
	}
	switch s := service.(type) { // most services have the default transport, these one of their own
	case interface{ GetHTTPClient() *http.Client }: // gotify and mattermost
		e.RoundTripper, s.GetHTTPClient().Transport = s.GetHTTPClient().Transport, e
	case *ntfy.Service:
		e.RoundTripper = &http.Transport{
			TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: s.Config.DisableTLSVerification}, IdleConnTimeout: time.Minute,
		}
		s.SetHTTPClient(&http.Client{Transport: e})
	}
	if own, ok := e.RoundTripper.(*http.Transport); ok {
		own.Proxy = http.ProxyFromEnvironment
	}
	defer func() {
		panicked := recover()
		if panicked != nil {
			err = fmt.Errorf("shoutrrr ended with %v", panicked)
		}
		if fault := e.fault(); fault != nil && (err == nil || panicked != nil) {
			err = fault
		}
		if err != nil && e.isTakenInPart() {
			err = &refusal{said: err.Error()}
		}
	}()
	return service.Send(text, &types.Params{})
}

// send has a messenger send a text to a target. It ends with ctx.
func (e errand) send(ctx context.Context) error {
	if !messengers.Load() {
		return &refusal{said: "this binary has no messengers"}
	}
	in, err := json.Marshal(e)
	if err != nil {
		return &refusal{said: err.Error()}
	}
	said := &head{}
	cmd := exec.CommandContext(ctx, executable, argument)
	cmd.Stdin, cmd.Stdout, cmd.Env = bytes.NewReader(in), said, environment()
	cmd.WaitDelay = time.Second
	err = cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.As(err, &exit) && exit.ExitCode() == notTaken:
		return errors.New(shortened(plain(said.String()), mostReason))
	case exit != nil && exit.ExitCode() == takenInPart:
		return &refusal{said: shortened(plain(said.String()), mostReason) + "; other parts of it were taken, so that it is not sent again"}
	case exit != nil:
		return fmt.Errorf("the process that sends it ended (%w): the target may answer more than fits", err)
	default:
		return fmt.Errorf("no process could be started to send it: %w", err)
	}
}

// environment is that of messengers: the way to the network, and nothing of the daemon's own.
func environment() (kept []string) {
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR"} {
		if value, set := os.LookupEnv(name); set {
			kept = append(kept, name+"="+value)
		}
	}
	return kept
}

// A head keeps the beginning of the bytes that are written to it.
type head struct{ bytes.Buffer }

// Write is part of io.Writer.
func (h *head) Write(p []byte) (int, error) {
	_, _ = h.Buffer.Write(p[:min(len(p), max(0, 4*mostReason-h.Len()))])
	return len(p), nil
}
