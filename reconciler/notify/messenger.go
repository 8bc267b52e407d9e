package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"sync/atomic"
	"time"

	"github.com/nicholas-fedor/shoutrrr/pkg/router"
	"github.com/nicholas-fedor/shoutrrr/pkg/types"
)

const (
	// argument is the one argument that makes a process of this binary a messenger.
	argument = "messenger-of-transom"
	// notTaken is how a messenger exits whose target did not take the text.
	notTaken = 3
	// mostMessengers is how many there are at once. Each takes some 12 MiB of its own.
	mostMessengers = 16
	// mostOfService is how many there are at once for one service, such as slack or smtp, so that one that hangs leaves turns to others.
	mostOfService = 4
	// mostMemory is how many bytes of data a messenger may have: the answer of a chat is read as a whole.
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
	if transport, ok := http.DefaultTransport.(*http.Transport); ok { // mattermost, ntfy and gotify have transports of their own
		transport.Proxy = notRedirected(transport.Proxy)
	}
	time.AfterFunc(sendTime, func() { os.Exit(1) }) // whoever started it may be gone
	var e errand
	if err := json.NewDecoder(in).Decode(&e); err != nil {
		return 1
	}
	if err := shout(e.Target, e.Text); err != nil {
		_, _ = io.WriteString(out, e.Target.redact(err))
		return notTaken
	}
	return 0
}

// notRedirected refuses requests that a redirect asks for: text and credentials are for the address that the operator wrote. A transport
// asks it for the proxy of each request.
func notRedirected(proxy func(*http.Request) (*url.URL, error)) func(*http.Request) (*url.URL, error) {
	return func(r *http.Request) (*url.URL, error) {
		if r.Response != nil {
			return nil, errors.New("it redirects, which is not followed: write the address that it leads to")
		}
		return proxy(r)
	}
}

// shout has shoutrrr send a text.
func shout(t Target, text string) error {
	service, err := new(router.ServiceRouter).Locate(t.URL)
	if err != nil {
		return err
	}
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
