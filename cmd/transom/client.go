package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// defaultServer is where serve listens unless told otherwise.
const defaultServer = "http://127.0.0.1:7460"

// patience bounds one question to the daemon.
const patience = 30 * time.Second

// client asks a running daemon.
type client struct{ server string }

// flag adds --server, which TRANSOM_SERVER gives a default.
func (c *client) flag(cmd *cobra.Command) {
	server := os.Getenv("TRANSOM_SERVER")
	if server == "" {
		server = defaultServer
	}
	cmd.Flags().StringVar(&c.server, "server", server, "URL of the daemon (TRANSOM_SERVER)")
}

// refusal is an answer of the daemon that is no success.
type refusal struct {
	code    int
	message string
}

func (r refusal) Error() string { return r.message }

// absent says that there is no daemon, as opposed to one that cannot answer.
type absent struct{ error }

// get asks for a path and decodes the answer into v.
func (c *client) get(ctx context.Context, path string, query url.Values, v any) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	base, err := url.Parse(strings.TrimSuffix(c.server, "/"))
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return misuse("--server %s: it is a URL such as %s", c.server, defaultServer)
	}
	base = base.JoinPath(path)
	base.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base.String(), nil)
	if err != nil {
		return fmt.Errorf("ask %s: %w", c.server, err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return c.unanswered(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return refusedBy(resp)
	}
	if err := json.NewDecoder(resp.Body).Decode(v); err != nil {
		return fmt.Errorf("read the answer of %s: %w; is it a transom daemon?", base, err)
	}
	return nil
}

func (c *client) unanswered(err error) error {
	var connecting *net.OpError
	if errors.As(err, &connecting) && connecting.Op == "dial" {
		return absent{fmt.Errorf("no daemon at %s: start one with \"transom serve\", or set --server or TRANSOM_SERVER", c.server)}
	}
	return fmt.Errorf("ask the daemon: %w", err)
}

func refusedBy(resp *http.Response) error {
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10)) // what is missing of it is not worth another error
	var told struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(body, &told) != nil || told.Error == "" {
		told.Error = fmt.Sprintf("%s answered %s; is it a transom daemon?", resp.Request.URL, resp.Status)
	}
	return refusal{resp.StatusCode, told.Error}
}
