package notify

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"transom.dev/render/event"
)

// A refusal is an answer that a target gave.
type refusal struct {
	said  string
	again bool          // another attempt may do better
	after time.Duration // that it asks to wait
}

func (r *refusal) Error() string { return r.said }

// A sender makes attempts. It is safe for concurrent use.
type sender struct {
	turns    chan struct{} // has a token for each messenger
	services *sync.Map     // the same for each service, by its name
}

func newSender() sender { return sender{make(chan struct{}, mostMessengers), &sync.Map{}} }

// Test sends one message to a target, as the daemon would, without trying again.
func Test(ctx context.Context, t Target) error {
	m := &Message{Notification: "test", Kind: event.Recovered, Events: []Event{{At: time.Now().UTC(), Message: "a test of this target by its operator: nothing happened"}}}
	m.seal()
	q := queue{send: newSender().send}
	return q.attempt(ctx, t, m)
}

// send makes one attempt. Its errors have no secret of the target.
func (s sender) send(ctx context.Context, t Target, m *Message) error {
	if t.Webhook != "" {
		return post(ctx, t, m)
	}
	name, _, _ := strings.Cut(t.URL, ":")
	service, _ := s.services.LoadOrStore(name, make(chan struct{}, mostOfService))
	return within(ctx, service.(chan struct{}), func() error {
		return within(ctx, s.turns, func() error { return errand{t, m.Text()}.send(ctx) })
	})
}

// within does something once it has a turn.
func within(ctx context.Context, turns chan struct{}, do func() error) error {
	select {
	case turns <- struct{}{}:
		defer func() { <-turns }()
		return do()
	case <-ctx.Done():
		return errors.New("too many other targets do not answer")
	}
}

// hooks is the client of web hooks. A redirect is not followed: the message is for the address that the operator wrote.
var hooks = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

// post sends a message to a web hook.
func post(ctx context.Context, t Target, m *Message) error {
	body, err := json.Marshal(m)
	if err != nil {
		return &refusal{said: err.Error()}
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, t.Webhook, bytes.NewReader(body))
	if err != nil {
		return &refusal{said: t.redact(err)}
	}
	at := strconv.FormatInt(time.Now().Unix(), 10)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "transom")
	request.Header.Set("X-Transom-Id", m.ID)
	request.Header.Set("X-Transom-Timestamp", at)
	request.Header.Set("X-Transom-Signature", Signature(t.Secret, at, body))
	answer, err := hooks.Do(request)
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return errors.New(t.redact(err))
	}
	defer func() { _ = answer.Body.Close() }()
	_, _ = io.CopyN(io.Discard, answer.Body, 64<<10) // so that the connection is kept
	return judge(answer)
}

// Signature is the header X-Transom-Signature of a body at a time, which is the header X-Transom-Timestamp.
func Signature(secret, at string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(at + "."))
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// judge is the refusal that an answer is; nil: it is none.
func judge(answer *http.Response) error {
	code := answer.StatusCode
	if code >= 200 && code < 300 {
		return nil
	}
	r := &refusal{said: "answered " + strconv.Itoa(code) + " " + http.StatusText(code)}
	r.again = code == http.StatusTooManyRequests || code == http.StatusRequestTimeout || code >= 500
	if after := answer.Header.Get("Retry-After"); after != "" {
		if seconds, err := strconv.Atoi(after); err == nil {
			r.after = time.Duration(max(seconds, 0)) * time.Second
		} else if at, err := http.ParseTime(after); err == nil {
			r.after = max(time.Until(at), 0)
		}
	}
	return r
}
