package forge

import (
	"bytes"
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// answerTime bounds one request, its answer included.
	answerTime = 30 * time.Second
	// mostAnswer is how long an answer may be. A hundred pull requests with the longest descriptions come to half of it.
	mostAnswer = 16 << 20
	// mostKept bounds the answers that are kept to ask whether they are still true, in bytes.
	mostKept = 32 << 20
	// longestPause bounds how long a forge may ask to be spared. Both reset their limits within an hour.
	longestPause = time.Hour
	// limitedPause is how long a forge is spared that is asked too often and does not say for how long.
	limitedPause = time.Minute
	// longestMessage is how much of a forge's own message an error repeats.
	longestMessage = 300
	// Forges ask to be written to once a second at most; a few at once do no harm.
	writeRate  rate.Limit = 1
	writeBurst int        = 10
)

// newClient returns a client that keeps every bound: of time, of bytes, of how often, and of where the token goes.
func newClient(c Config) (*http.Client, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.CA != "" {
		pool, err := x509.SystemCertPool()
		if err != nil {
			return nil, fmt.Errorf("read the system's certificates: %w", err)
		}
		if !pool.AppendCertsFromPEM([]byte(c.CA)) {
			return nil, errors.New("caFile: has no certificate in PEM form")
		}
		config.RootCAs = pool
	}
	base := &http.Transport{
		Proxy: http.ProxyFromEnvironment, DialContext: (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
		TLSClientConfig: config, TLSHandshakeTimeout: 10 * time.Second, IdleConnTimeout: 2 * time.Minute, ForceAttemptHTTP2: true,
		MaxResponseHeaderBytes: 256 << 10, MaxIdleConnsPerHost: 4,
	}
	t := &courteous{
		base: base, token: string(c.Token), now: time.Now, writes: rate.NewLimiter(writeRate, writeBurst), kept: map[string]*answer{},
	}
	return &http.Client{Transport: t, Timeout: answerTime, CheckRedirect: checkRedirect}, nil
}

// checkRedirect follows a reader to another path of the same host. The libraries add the token to every request, so that
// one to another host would carry it there.
func checkRedirect(next *http.Request, before []*http.Request) error {
	first := before[0]
	switch {
	case next.URL.Host != first.URL.Host || next.URL.Scheme != first.URL.Scheme:
		return fmt.Errorf("redirected to %s, which gets no token: correct api, if the forge moved there", wordOf(next.URL.Host))
	case first.Method != http.MethodGet:
		return errors.New("redirected: correct repository, which was renamed or moved")
	case len(before) > 3:
		return errors.New("redirected again and again")
	}
	return nil
}

// A refusal is an answer that is an error.
type refusal struct {
	status  int
	message string // the forge's own
}

// remedies say how to mend the fault that a status stands for.
var remedies = map[int]string{
	http.StatusUnauthorized: "the token is refused: it expired or was revoked; write a new one into the file of --forge, which is read again",
	http.StatusForbidden:    "the token may not do this; \"transom help operator\" lists the rights that it needs",
	http.StatusNotFound:     "there is no such repository, or the token may not see it",
}

func (r *refusal) Error() string {
	text := fmt.Sprintf("%d %s", r.status, http.StatusText(r.status))
	if remedy := remedies[r.status]; remedy != "" {
		text = remedy + " (" + text + ")"
	}
	if r.message != "" {
		text += ": " + r.message
	}
	return text
}

// isRefusal says whether an error is an answer of one of these statuses.
func isRefusal(err error, statuses ...int) bool {
	var r *refusal
	if !errors.As(err, &r) {
		return false
	}
	for _, status := range statuses {
		if r.status == status {
			return true
		}
	}
	return false
}

// plainly is an error without the request that it came of, which names the API and not the fault.
func plainly(err error) error {
	var of *url.Error
	if errors.As(err, &of) {
		return of.Err
	}
	return err
}

// A pausedError says that the forge wants to be spared for a while.
type pausedError struct {
	until time.Time
	why   string
}

func (e *pausedError) Error() string { return e.why }

// An answer was given before, and may still be true.
type answer struct {
	etag   string
	header http.Header
	body   []byte
}

// courteous sends requests no sooner than the forge wants them, asks with ETags, and reads answers up to a bound. It is safe
// for concurrent use.
type courteous struct {
	base   http.RoundTripper
	token  string
	now    func() time.Time
	writes *rate.Limiter

	mu    sync.Mutex
	pause *pausedError       // nil: none was asked for
	kept  map[string]*answer // by address
	size  int                // of the bodies that are kept
}

// RoundTrip implements http.RoundTripper.
func (t *courteous) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := t.paused(); err != nil {
		return nil, err
	}
	known := t.known(req)
	if known != nil {
		req = req.Clone(req.Context())
		req.Header.Set("If-None-Match", known.etag)
	}
	if req.Method != http.MethodGet {
		if err := t.writes.Wait(req.Context()); err != nil {
			return nil, err
		}
	}
	res, err := t.base.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	body, err := readAnswer(res.Body)
	if err != nil {
		return nil, err
	}
	t.heed(res)
	switch {
	case res.StatusCode == http.StatusNotModified && known != nil:
		res.StatusCode, res.Header, body = http.StatusOK, known.header, known.body
	case res.StatusCode >= http.StatusBadRequest:
		if err := t.paused(); err != nil {
			return nil, err
		}
		return nil, &refusal{res.StatusCode, t.messageOf(body)}
	case req.Method == http.MethodGet && isNothing(body):
		return nil, errors.New("the answer is empty: is api the address of the forge's API?")
	case res.StatusCode == http.StatusOK:
		t.keep(req, res.Header, body)
	}
	res.Body, res.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return res, nil
}

func readAnswer(r io.ReadCloser) ([]byte, error) {
	defer func() { _ = r.Close() }()
	body, err := io.ReadAll(io.LimitReader(r, mostAnswer+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("the answer did not come whole: %w", err)
	case len(body) > mostAnswer:
		return nil, fmt.Errorf("the answer is longer than %d MiB", mostAnswer>>20)
	}
	return body, nil
}

// isNothing says whether an answer has no content, of which the libraries make a nil pointer without an error.
func isNothing(body []byte) bool {
	content := bytes.TrimSpace(body)
	return len(content) == 0 || string(content) == "null"
}

// paused is an error while the forge wants to be spared.
func (t *courteous) paused() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.pause != nil && t.now().Before(t.pause.until) {
		return t.pause
	}
	return nil
}

// heed begins a pause where an answer asks for one.
func (t *courteous) heed(res *http.Response) {
	h := res.Header
	spent := cmp.Or(h.Get("X-RateLimit-Remaining"), h.Get("RateLimit-Remaining")) == "0"
	limited := res.StatusCode == http.StatusTooManyRequests
	asked := h.Get("Retry-After") != "" && res.StatusCode >= http.StatusBadRequest
	if !spent && !limited && !asked {
		return
	}
	now := t.now()
	until := now.Add(limitedPause)
	if at, err := strconv.ParseInt(cmp.Or(h.Get("X-RateLimit-Reset"), h.Get("RateLimit-Reset")), 10, 64); err == nil {
		until = time.Unix(at, 0).Add(time.Second)
	}
	if after := h.Get("Retry-After"); asked {
		if seconds, err := strconv.ParseInt(after, 10, 64); err == nil {
			until = now.Add(time.Duration(min(seconds, int64(longestPause/time.Second))) * time.Second)
		} else if at, err := http.ParseTime(after); err == nil {
			until = at
		}
	}
	if latest := now.Add(longestPause); until.After(latest) {
		until = latest
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	why := "the forge is asked too often, and is left alone for a while: is its token used by others as well?"
	if !spent && !limited {
		why = fmt.Sprintf("the forge asks to be left alone for a while (%d %s)", res.StatusCode, http.StatusText(res.StatusCode))
	}
	t.pause = &pausedError{until, why}
}

// known is the answer that was given to the same question before; nil: none was, or none is kept.
func (t *courteous) known(req *http.Request) *answer {
	if req.Method != http.MethodGet {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.kept[req.URL.String()]
}

// keep keeps an answer that can be asked for again by its ETag. Where too much is kept, all of before is let go.
func (t *courteous) keep(req *http.Request, header http.Header, body []byte) {
	etag := header.Get("ETag")
	if req.Method != http.MethodGet || etag == "" {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	address := req.URL.String()
	if before := t.kept[address]; before != nil {
		t.size -= len(before.body)
	}
	if t.size+len(body) > mostKept {
		clear(t.kept)
		t.size = 0
	}
	t.kept[address] = &answer{etag, header, body}
	t.size += len(body)
}

// messageOf is the forge's own message of an error, without the token, which a forge may have echoed.
func (t *courteous) messageOf(body []byte) string {
	var said struct {
		Message any `json:"message"`
		Error   any `json:"error"`
	}
	if json.Unmarshal(body, &said) != nil {
		return ""
	}
	message := said.Message
	if message == nil {
		message = said.Error
	}
	if message == nil {
		return ""
	}
	return wordOf(strings.ReplaceAll(fmt.Sprint(message), t.token, "***"))
}
