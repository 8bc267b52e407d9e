package check

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"transom.dev/reconciler/promotion"
	"transom.dev/render/inquiry"
)

// maxAnswer bounds the bytes of an answer.
const maxAnswer = 64 << 10

// An Answer is the reading of a party's response.
type Answer struct {
	Verdict promotion.Verdict // empty: it is none
	Message string
	Opens   string // who has to act before the party can answer; empty: nobody
	Gone    bool   // the question is about something that is no more, so that a verdict before this answer stays true
}

// A Client asks parties. It is safe for concurrent use.
type Client struct {
	hosts []string // HOST or HOST:PORT
	http  *http.Client
}

// NewClient returns a client that asks these hosts and no other. An entry is a name or an address, with a port or for all ports.
func NewClient(hosts []string) *Client {
	c := &Client{hosts: hosts}
	c.http = &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext: dial, DisableCompression: true, MaxResponseHeaderBytes: maxAnswer, MaxConnsPerHost: 4 * atOnce,
			IdleConnTimeout: time.Minute, MaxIdleConns: 100, TLSHandshakeTimeout: 10 * time.Second,
		},
	}
	return c
}

// CheckHosts returns the mistake of the first entry of a list that is no host, or nil.
func CheckHosts(hosts []string) error {
	for _, entry := range hosts {
		host, port, one := split(entry)
		number, err := strconv.ParseUint(port, 10, 16)
		noPort := one && (err != nil || number == 0)
		switch {
		case strings.EqualFold(host, "localhost"):
			return fmt.Errorf("%q is a name of this machine, and no name leads there: give the address, such as 127.0.0.1:9090, and write it in the check too", entry)
		case host == "" || noPort || strings.ContainsAny(entry, "/@*? "):
			return fmt.Errorf("%q is no host: give a name or an address, with a port or without, such as slo.example.com or 10.0.0.7:9090", entry)
		}
	}
	return nil
}

// split takes a host and its port apart; an address of IPv6 loses its brackets.
func split(entry string) (host, port string, ok bool) {
	if h, p, err := net.SplitHostPort(entry); err == nil {
		return h, p, true
	}
	return strings.TrimSuffix(strings.TrimPrefix(entry, "["), "]"), "", false
}

// allows reports whether an operator allowed the host of an address.
func (c *Client) allows(u *url.URL) bool {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return slices.ContainsFunc(c.hosts, func(entry string) bool {
		host, only, one := split(entry)
		named := strings.EqualFold(host, u.Hostname())
		if !one {
			return named
		}
		return named && only == port
	})
}

// Ask asks the party of a check one question, and reads its answer. It never fails: an answer that is none has the reason.
func (c *Client) Ask(ctx context.Context, of *inquiry.Check, q inquiry.Text) Answer {
	ctx, cancel := context.WithTimeout(ctx, of.Timeout)
	defer cancel()
	address := q.URL
	if of.Prometheus != nil {
		address += "/api/v1/query?" + url.Values{"query": {q.Query}}.Encode()
	}
	status, kind, body, err := c.get(ctx, address)
	var denied *notAllowed
	switch {
	case errors.As(err, &denied):
		return Answer{Message: denied.Error(), Opens: "an operator who allows " + denied.host + " with --check-hosts"}
	case errors.Is(err, context.DeadlineExceeded):
		return Answer{Message: fmt.Sprintf("nothing came within %s", of.Timeout)}
	case err != nil:
		return Answer{Message: brief(err.Error())}
	case of.Prometheus != nil:
		return readPrometheus(of.Prometheus.Is, status, kind, body)
	}
	return readService(status, kind, body)
}

// notAllowed is the error of a host that no operator allowed.
type notAllowed struct{ host string }

func (e *notAllowed) Error() string {
	return e.host + " is none of the hosts that this daemon may ask; an operator allows it with --check-hosts"
}

// get returns the answer to a GET, up to its bound.
func (c *Client) get(ctx context.Context, address string) (status, kind string, body []byte, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return "", "", nil, err
	}
	if !c.allows(request.URL) {
		return "", "", nil, &notAllowed{request.URL.Host}
	}
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", "transom")
	response, err := c.http.Do(request)
	if err != nil {
		return "", "", nil, reason(ctx, err)
	}
	defer response.Body.Close()
	if to := response.Header.Get("Location"); response.StatusCode >= 300 && response.StatusCode < 400 {
		return "", "", nil, fmt.Errorf("answered %s to %s; redirects are not followed", response.Status, to)
	}
	body, err = io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err != nil {
		return "", "", nil, reason(ctx, err)
	}
	if len(body) > maxAnswer {
		return "", "", nil, fmt.Errorf("answered more than %d bytes", maxAnswer)
	}
	return response.Status, response.Header.Get("Content-Type"), body, nil
}

// reason is the cause of a failed request, without the address that the check has anyway.
func reason(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if wrapped := new(url.Error); errors.As(err, &wrapped) {
		return wrapped.Err
	}
	return err
}

// dial connects to a host.
func dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, _ := split(address)
	d := net.Dialer{Timeout: 10 * time.Second, Control: guard(host)}
	return d.DialContext(ctx, network, address)
}

// guard refuses the addresses that only a literal entry of the hosts may name; localhost is a name, too. It looks at the address that is dialled, so that it
// does not matter where the name led a moment ago.
func guard(host string) func(network, at string, _ syscall.RawConn) error {
	if _, err := netip.ParseAddr(host); err == nil {
		return nil
	}
	return func(_, at string, _ syscall.RawConn) error {
		if to, err := netip.ParseAddrPort(at); err != nil || isInternal(to.Addr()) {
			return fmt.Errorf("%s leads to %s, an address of this machine or of a network's own services; where that is meant, "+
				"name the address itself in the check and in --check-hosts", host, at)
		}
		return nil
	}
}

// own are the addresses by which clouds give machines their metadata and credentials, beside the link-local ones.
var own = []netip.Addr{netip.MustParseAddr("fd00:ec2::254"), netip.MustParseAddr("100.100.100.200"), netip.MustParseAddr("168.63.129.16")}

// translated is the prefix of addresses of IPv4 in a network of IPv6 alone.
var translated = netip.MustParsePrefix("64:ff9b::/96")

// isInternal reports whether an address is of this machine, of the link, of a cloud's own services, or of many at once.
func isInternal(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	if translated.Contains(a) {
		b := a.As16()
		a = netip.AddrFrom4([4]byte(b[12:]))
	}
	return a.IsLoopback() || a.IsUnspecified() || a.IsMulticast() || a.IsLinkLocalUnicast() || slices.Contains(own, a)
}
