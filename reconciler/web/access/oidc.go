package access

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// The bounds of talking to an issuer.
const (
	issuerTime   = 10 * time.Second
	issuerBytes  = 1 << 20
	discoverEach = time.Hour
	failedFor    = 5 * time.Second // how long an issuer that cannot be asked is not asked again
)

// A provider keeps the answer of an issuer about itself, until that is old or the settings name another one. The zero value knows none. It is
// safe for concurrent use. While it asks, others wait and get the same answer, also where that is an error.
type provider struct {
	mu     sync.Mutex
	of     *issuer
	found  *oidc.Provider
	client *http.Client
	err    error
	until  time.Time
}

// discover asks the issuer where it has people log in, and which keys it signs with. An issuer that does not answer costs who
// logs in just now, and nobody else.
func (p *provider) discover(ctx context.Context, o *issuer, now time.Time) (*oidc.Provider, *http.Client, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.of == o && now.Before(p.until) {
		return p.found, p.client, p.err
	}
	p.of, p.until = o, now.Add(failedFor)
	if p.client, p.err = o.client(); p.err != nil {
		return nil, nil, p.err
	}
	ctx = context.WithoutCancel(ctx) // the client has a timeout, and the answer is not for this browser alone
	if p.found, p.err = oidc.NewProvider(oidc.ClientContext(ctx, p.client), o.Issuer); p.err != nil {
		p.err = fmt.Errorf("ask the issuer %s: %w", o.Issuer, p.err)
		return nil, nil, p.err
	}
	p.until = now.Add(discoverEach)
	return p.found, p.client, nil
}

// client talks to the issuer: within bounds, and without following it to another host, where the client's secret would go too.
func (o *issuer) client() (*http.Client, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if o.ca != nil {
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(o.ca) {
			return nil, fmt.Errorf("%s has no certificate", o.CAFile)
		}
		transport.TLSClientConfig.RootCAs = pool
	}
	return &http.Client{
		Transport: bounded{transport}, Timeout: issuerTime,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

// bounded cuts answers that are too long.
type bounded struct{ http.RoundTripper }

// RoundTrip is part of http.RoundTripper.
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := b.RoundTripper.RoundTrip(r)
	if err == nil {
		answer.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(answer.Body, issuerBytes), answer.Body}
	}
	return answer, err
}

// source names the issuer and the client in sessions, so that one of another issuer is worth nothing.
func (o *issuer) source() string { return o.Issuer + " " + o.ClientID }

func (o *issuer) flow(p *oidc.Provider) *oauth2.Config {
	endpoint := p.Endpoint()
	if o.secret == "" {
		endpoint.AuthStyle = oauth2.AuthStyleInParams
	}
	return &oauth2.Config{
		ClientID: o.ClientID, ClientSecret: o.secret, Endpoint: endpoint, RedirectURL: o.URL + "/login/callback",
		Scopes: append([]string{oidc.ScopeOpenID, "profile", "email"}, o.Scopes...),
	}
}

// claims are the facts about a person that an issuer vouches for.
type claims struct {
	Subject       string `json:"sub"`
	Email         string `json:"email"`
	EmailVerified bool   `json:"email_verified"`
	Username      string `json:"preferred_username"`
}

func (c claims) name() string {
	switch {
	case c.Email != "" && c.EmailVerified:
		return c.Email
	case c.Username != "":
		return c.Username
	default:
		return c.Subject
	}
}

// verify checks an ID token (issuer, audience, expiry, signature, nonce) and reads the person and their groups from it. An issuer that
// leaves groups out of the token is asked for them.
func (g *Guard) verify(ctx context.Context, o *issuer, p *oidc.Provider, answer *oauth2.Token, nonce string) (claims, []string, error) {
	raw, ok := answer.Extra("id_token").(string)
	if !ok {
		return claims{}, nil, errors.New("there is none; the scope openid has to be allowed for this client")
	}
	token, err := p.Verifier(&oidc.Config{ClientID: o.ClientID, Now: g.now}).Verify(ctx, raw)
	var expired *oidc.TokenExpiredError
	if errors.As(err, &expired) && !expired.Expiry.IsZero() { // it was made a moment ago
		return claims{}, nil, fmt.Errorf("%w; here it is %s: have this machine and the issuer set their clocks by NTP", err, g.now().UTC().Format(time.DateTime+" MST"))
	}
	if err != nil {
		return claims{}, nil, err
	}
	if nonce == "" || token.Nonce != nonce {
		return claims{}, nil, errors.New("its nonce is not the one of this login")
	}
	var person claims
	all := map[string]any{}
	if err := errors.Join(token.Claims(&person), token.Claims(&all)); err != nil {
		return claims{}, nil, err
	}
	if _, there := all[o.GroupsClaim]; there || p.UserInfoEndpoint() == "" {
		return person, groupsIn(all[o.GroupsClaim]), nil
	}
	info, err := p.UserInfo(ctx, oauth2.StaticTokenSource(answer))
	switch {
	case err != nil:
		return claims{}, nil, fmt.Errorf("it has no claim %s, and the issuer does not say more: %w", o.GroupsClaim, err)
	case info.Subject != person.Subject:
		return claims{}, nil, errors.New("the issuer says more about somebody else only")
	}
	err = errors.Join(info.Claims(&person), info.Claims(&all))
	return person, groupsIn(all[o.GroupsClaim]), err
}

// groupsIn reads a claim that is a list of texts, or one text.
func groupsIn(claim any) (groups []string) {
	if one, ok := claim.(string); ok {
		return []string{one}
	}
	list, _ := claim.([]any)
	for _, item := range list {
		if group, ok := item.(string); ok {
			groups = append(groups, group)
		}
	}
	return groups
}

// granted are those of the groups that have a role: a session has to fit into a cookie.
func (o *issuer) granted(groups []string) (kept []string) {
	for _, group := range groups {
		if slices.ContainsFunc(o.Roles, func(r grant) bool { return r.Group == group }) {
			kept = append(kept, group)
		}
	}
	return kept
}
