// Package client asks a running daemon over HTTP.
//
// In come the daemon's URL and the subject of the question; out comes the answer in the words of status and web, or an error that
// tells apart that there is no daemon, Absent, from one that refuses, Refused. It changes nothing: the most that it asks for is to look.
// A token is sent to that URL alone, and beyond this machine over TLS only.
package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"transom.dev/reconciler/status"
	"transom.dev/reconciler/web"
)

// Where serve listens unless told otherwise.
const (
	DefaultListen = "127.0.0.1:7460"
	DefaultServer = "http://" + DefaultListen
)

// patience bounds one request to the daemon.
const patience = 30 * time.Second

// A Client asks the daemon at a URL.
type Client struct {
	Server string

	Token     string // by which the daemon knows who asks
	TokenFile string // has the token, and is read for each question; it takes precedence
	CA        string // file with the authorities that are trusted beside the system's
}

// A Selection is the subject of a question. A field that is omitted narrows nothing.
type Selection struct {
	Team, Request, Environment, Cluster string

	Commit  string // of the platform: how far it has come
	Objects string // of status: unhealthy or none of them; empty: all
	With    string // of a comparison: the other side, such as live
}

func (s Selection) query() string {
	q := url.Values{}
	for name, value := range map[string]string{
		"team": s.Team, "request": s.Request, "environment": s.Environment, "cluster": s.Cluster, "commit": s.Commit,
		"objects": s.Objects, "with": s.With,
	} {
		if value != "" {
			q.Set(name, value)
		}
	}
	return q.Encode()
}

// Absent says that there is no daemon, as opposed to one that cannot answer.
type Absent struct{ error }

// Refused is an answer of the daemon that is no success.
type Refused struct {
	Code    int // of HTTP
	message string
}

// Error is the daemon's message.
func (r Refused) Error() string { return r.message }

// Status asks where instances stand.
func (c Client) Status(ctx context.Context, about Selection) (s status.Status, err error) {
	return s, c.get(ctx, "/api/v1/status", about, &s)
}

// Progress asks how far a commit has come in an environment.
func (c Client) Progress(ctx context.Context, about Selection) (p status.Progress, err error) {
	return p, c.get(ctx, "/api/v1/progress", about, &p)
}

// Explain asks where an instance comes from.
func (c Client) Explain(ctx context.Context, about Selection) (t web.Trace, err error) {
	return t, c.get(ctx, "/api/v1/explain", about, &t)
}

// Events asks for the events, the oldest first, as far back as the daemon remembers.
func (c Client) Events(ctx context.Context) (list []status.Event, err error) {
	return list, c.get(ctx, "/api/v1/events", Selection{}, &list)
}

// Reconcile has the daemon look at every repository, and returns the results.
func (c Client) Reconcile(ctx context.Context) (looked []web.Looked, err error) {
	return looked, c.ask(ctx, http.MethodPost, "/api/v1/reconcile", Selection{}, &looked)
}

// get asks for a path and decodes the answer into v.
func (c Client) get(ctx context.Context, path string, about Selection, v any) error {
	return c.ask(ctx, http.MethodGet, path, about, v)
}

func (c Client) ask(ctx context.Context, method, path string, about Selection, v any) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	resp, err := c.send(ctx, method, path, about.query())
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if err := json.NewDecoder(resp.Body).Decode(v); err != nil {
		return fmt.Errorf("read the answer of %s: %w; is it a transom daemon?", resp.Request.URL, err)
	}
	return nil
}

// send makes a request. An answer that is no success is an error; any other is closed by the caller.
func (c Client) send(ctx context.Context, method, path, query string) (*http.Response, error) {
	base, err := url.Parse(strings.TrimSuffix(c.Server, "/"))
	if err != nil || base.Host == "" || !slices.Contains([]string{"http", "https"}, base.Scheme) {
		return nil, fmt.Errorf("--server %s: it is a URL such as %s", c.Server, DefaultServer)
	}
	base = base.JoinPath(path)
	base.RawQuery = query
	req, err := http.NewRequestWithContext(ctx, method, base.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", c.Server, err)
	}
	if err := c.identify(req); err != nil {
		return nil, err
	}
	asking, err := c.http()
	if err != nil {
		return nil, err
	}
	resp, err := asking.Do(req)
	if err != nil {
		return nil, c.unanswered(err)
	}
	if resp.StatusCode != http.StatusOK {
		defer func() { _ = resp.Body.Close() }()
		return nil, c.refused(resp)
	}
	return resp, nil
}

// unanswered tells the error of an address where no daemon listens from others.
func (c Client) unanswered(err error) error {
	var connecting *net.OpError
	if errors.As(err, &connecting) && connecting.Op == "dial" {
		return Absent{fmt.Errorf("no daemon at %s: start one with \"transom serve\", or set --server or TRANSOM_SERVER", c.Server)}
	}
	return fmt.Errorf("ask the daemon: %w", err)
}

// refused reads the error message of an answer that is no success.
func (c Client) refused(resp *http.Response) error {
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10)) // a message that was cut is not worth another error
	var told struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(body, &told) != nil || told.Error == "" {
		told.Error = fmt.Sprintf("%s answered %s; is it a transom daemon?", resp.Request.URL, resp.Status)
	}
	if resp.StatusCode == http.StatusUnauthorized && c.Token == "" && c.TokenFile == "" {
		told.Error = fmt.Sprintf("the daemon at %s has to know who asks: set TRANSOM_TOKEN or --token-file; an operator makes a token with \"transom token\"", c.Server)
	}
	return Refused{resp.StatusCode, told.Error}
}
