package access_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	authentication "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"transom.dev/reconciler/web/access"
)

// A cluster knows tokens, and counts how often it is asked.
type cluster struct {
	mu     sync.Mutex
	tokens map[string]authentication.TokenReviewStatus
	asked  int
	err    error
}

func (c *cluster) Create(_ context.Context, review *authentication.TokenReview, _ metav1.CreateOptions) (*authentication.TokenReview, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked++
	review.Status = c.tokens[review.Spec.Token]
	return review, c.err
}

func account(name string, audiences ...string) authentication.TokenReviewStatus {
	return authentication.TokenReviewStatus{
		Authenticated: true, Audiences: audiences,
		User: authentication.UserInfo{Username: "system:serviceaccount:" + name, Groups: []string{"system:serviceaccounts"}},
	}
}

const accounts = `
kubernetes:
  audience: transom
  roles:
  - {user: 'system:serviceaccount:payments:deployer', role: developer, team: payments}
  - {user: 'system:serviceaccount:search:deployer', role: developer, team: search}
  - {group: 'system:serviceaccounts', role: viewer}
`

func TestAClusterKnowsItsAccounts(t *testing.T) {
	c := &cluster{tokens: map[string]authentication.TokenReviewStatus{
		"a.b.deployer": account("payments:deployer", "transom"),
		"a.b.other":    account("other:default", "transom"),
		"a.b.api":      account("payments:deployer"), // for the API server itself, by one that knows no audiences
		"a.b.audience": account("payments:deployer", "vault"),
	}}
	d := newDoor(t, accounts, access.Options{Reviews: c})
	for range 3 {
		d.with("a.b.deployer").is("system:serviceaccount:payments:deployer developer [payments]")
		d.with("a.b.other").is("system:serviceaccount:other:default viewer []")
		d.with("a.b.api").isRefused(http.StatusUnauthorized, "not known")
		d.with("a.b.audience").isRefused(http.StatusUnauthorized, "not known")
		d.with("a.b.wrong").isRefused(http.StatusUnauthorized, "not known")
		d.with("transom_a.b.c").isRefused(http.StatusUnauthorized, "not known")
		d.with("no-token-of-a-cluster").isRefused(http.StatusUnauthorized, "not known")
	}
	require.Equal(t, 5, c.asked, "answers are remembered, and nobody is asked about what cannot be one of its tokens")

	delete(c.tokens, "a.b.deployer")
	d.with("a.b.deployer").is("system:serviceaccount:payments:deployer developer [payments]")
	d.now = d.now.Add(31 * time.Second)
	d.with("a.b.deployer").isRefused(http.StatusUnauthorized, "not known")
}

func TestAClusterThatDoesNotAnswerIsNobodysFault(t *testing.T) {
	c := &cluster{err: &url.Error{Op: "Post", URL: "https://10.96.0.1/apis", Err: &net.OpError{
		Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(10, 96, 0, 1), Port: 443}, Err: errors.New("connection refused"),
	}}}
	d := newDoor(t, accounts, access.Options{Reviews: c})
	d.with("a.b.c").isRefused(http.StatusServiceUnavailable, "cannot be asked whose this token is: connection refused") // and not where
	c.err, c.tokens = nil, map[string]authentication.TokenReviewStatus{"a.b.c": account("payments:deployer", "transom")}
	d.with("a.b.c").is("system:serviceaccount:payments:deployer developer [payments]")
}

func TestWhoFailsTooOftenAsksTheClusterNoMore(t *testing.T) {
	c := &cluster{}
	d := newDoor(t, accounts, access.Options{Reviews: c})
	for i := range 200 {
		code, _, _ := d.with("a.b."+strconv.Itoa(i)).ask(http.MethodGet, "/", "")
		require.Contains(t, []int{http.StatusUnauthorized, http.StatusTooManyRequests}, code)
	}
	require.Less(t, c.asked, 100)
}
