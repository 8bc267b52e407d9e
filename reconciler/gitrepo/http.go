package gitrepo

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing/transport"
	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"
)

// headerBytes is how long the header of an answer may be.
const headerBytes = 256 << 10

// errorPage is how much of a failed answer is read.
const errorPage = 4 << 10

// openHTTP starts a session over https. Connections are kept between sessions, so that asking whether anything is
// new takes one round trip. Redirects are followed for the first request only, and credentials never leave the host
// that they are for: go-git sees to both.
func (a *access) openHTTP(dog *watchdog, service string, e endpoint, limits Limits) (session, error) {
	base, err := a.transport()
	if err != nil {
		return nil, err
	}
	watched := &watchedTransport{base: base, dog: dog, limits: limits, pause: a.pause}
	client := githttp.NewClient(&http.Client{Transport: watched})
	ep, err := transport.NewEndpoint(e.String())
	if err != nil {
		return nil, err
	}
	var auth transport.AuthMethod
	if a.credential.Password != "" {
		auth = &githttp.BasicAuth{Username: a.credential.Username, Password: string(a.credential.Password)}
	}
	if service == transport.UploadPackServiceName {
		return client.NewUploadPackSession(ep, auth)
	}
	s, err := client.NewReceivePackSession(ep, auth)
	if err != nil {
		return nil, err
	}
	return &httpPush{s, watched}, nil
}

// An httpPush reads the server's answer to its end: a post-receive hook may still be at work, and hanging up on it would
// kill it.
type httpPush struct {
	transport.ReceivePackSession
	answers *watchedTransport
}

// Close implements session.
func (s *httpPush) Close() error {
	if body := s.answers.last; body != nil {
		_, _ = io.Copy(io.Discard, body)
		_ = body.Close()
	}
	return s.ReceivePackSession.Close()
}

// hangUp closes the connections that nobody uses.
func (a *access) hangUp() {
	if pool := a.pool.Load(); pool != nil {
		pool.CloseIdleConnections()
	}
}

// transport returns the one connection pool of a remote.
func (a *access) transport() (*http.Transport, error) {
	a.once.Do(func() {
		config := &tls.Config{MinVersion: tls.VersionTLS12}
		if a.credential.ca != nil {
			if config.RootCAs, a.poolErr = x509.SystemCertPool(); a.poolErr != nil {
				return
			}
			config.RootCAs.AppendCertsFromPEM(a.credential.ca)
		}
		a.pool.Store(&http.Transport{
			Proxy:               http.ProxyFromEnvironment,
			DialContext:         (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
			TLSClientConfig:     config,
			TLSHandshakeTimeout: 10 * time.Second,
			IdleConnTimeout:     2 * time.Minute,
			ForceAttemptHTTP2:   true,

			MaxResponseHeaderBytes: headerBytes,
		})
	})
	return a.pool.Load(), a.poolErr
}

// watchedTransport shows the watchdog the bytes that arrive, and keeps an answer without end from filling the memory. The
// bytes that it counts are unpacked already, where the answer came compressed.
type watchedTransport struct {
	base   http.RoundTripper
	dog    *watchdog
	limits Limits
	pause  *pause
	last   io.ReadCloser // the latest answer
}

// RoundTrip implements http.RoundTripper.
func (t *watchedTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		watched := *req
		watched.Body = closing{t.dog.reader(req.Body), req.Body}
		req = &watched
	}
	res, err := t.base.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	t.dog.moved()
	body := t.dog.reader(res.Body)
	switch {
	case res.StatusCode >= http.StatusMultipleChoices:
		t.pause.begin(res.Header.Get("Retry-After"), 2*t.dog.silence)
		body = io.LimitReader(body, errorPage)
	case req.Method == http.MethodPost && strings.HasSuffix(req.URL.Path, "/"+transport.UploadPackServiceName):
		body = &bounded{Reader: body, remaining: t.limits.packAnswerBytes(), excess: t.limits.tooMuchPack()}
	default:
		body = &bounded{Reader: body, remaining: t.limits.AnswerBytes, excess: t.limits.tooMuch()}
	}
	t.last = answer{closing{body, res.Body}}
	res.Body = t.last
	return res, nil
}

// answerEnd is how much of an answer is read after its content: the end of a chunked body.
const answerEnd = 512

// An answer is read to its end where that is near, as its connection is not kept for the next request otherwise.
type answer struct{ closing }

// Close implements io.Closer.
func (a answer) Close() error {
	_, _ = io.CopyN(io.Discard, a.Reader, answerEnd)
	return a.closing.Close()
}

// closing reads from one and closes the other.
type closing struct {
	io.Reader
	io.Closer
}

// dial opens a connection that ends with ctx, whoever reads from it.
func dial(ctx context.Context, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{Timeout: 10 * time.Second}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() { _ = conn.Close() })
	return conn, nil
}
