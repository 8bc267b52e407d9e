package credential

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"k8s.io/client-go/rest"
)

const (
	// warnAhead is how long before its expiry a credential is warned of.
	warnAhead = 7 * 24 * time.Hour

	// renewLimit bounds one renewal, and renewEvery how often one is tried that fails.
	renewLimit = 15 * time.Second
	renewEvery = time.Hour
)

// A Credential is how one cluster is reached, with the facts that people are told about it. It is read-only but for Tend, which
// one goroutine calls.
type Credential struct {
	Config *rest.Config
	Source string // of the kubeconfig, such as its file
	User   string // whom the cluster takes the daemon for; empty: the credential does not say

	Issued, Expires time.Time // zero: the credential does not say

	caution string                      // a fault of the way it is kept, such as that everybody can read it
	renew   func(context.Context) error // nil: somebody else renews it
	kept    bool                        // somebody else renews it without being asked, as the kubelet does

	tried   time.Time // when a renewal was last tried
	failure error     // of the last renewal
}

// Tend renews a token of Transom's own in the second half of its life. Where that fails, the token stays, Warning says why, and
// it is tried again an hour later.
func (c *Credential) Tend(ctx context.Context, now time.Time) {
	halfLife := c.Issued.Add(c.Expires.Sub(c.Issued) / 2)
	if c.renew == nil || c.Expires.IsZero() || now.Before(halfLife) || now.Sub(c.tried) < renewEvery {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, renewLimit)
	defer cancel()
	c.tried, c.failure = now, c.renew(ctx)
}

// Warning says which fault of the credential a person must mend, before or after the cluster is lost by it; empty: none. Its text
// stays the same while the fault does.
func (c *Credential) Warning(now time.Time) string {
	ahead := warnAhead
	if c.renew != nil {
		ahead = min(ahead, c.Expires.Sub(c.Issued)/4) // a short life is renewed in time, too
	}
	if c.kept {
		ahead = 0
	}
	switch expires := c.expiry(); {
	case c.Expires.IsZero():
		return c.caution
	case !now.Before(c.Expires):
		return fmt.Sprintf("the credential in %s expired on %s; %s", c.Source, expires, c.remedy())
	case c.failure != nil:
		return fmt.Sprintf("the token in %s could not be renewed, which is tried every hour; it expires on %s: %v", c.Source, expires, c.failure)
	case now.Add(ahead).After(c.Expires):
		return fmt.Sprintf("the credential in %s expires on %s; %s", c.Source, expires, c.remedy())
	}
	return c.caution
}

func (c *Credential) expiry() string { return c.Expires.UTC().Format("2006-01-02 15:04 MST") }

// remedy says how a person makes the credential last.
func (c *Credential) remedy() string {
	if c.kept {
		return "restart the pod, which gets a new one then"
	}
	if c.renew != nil {
		return `"transom cluster add" with the same arguments makes a new one`
	}
	return `put a new one there; one that "transom cluster add" makes is renewed by itself`
}

// explainRefusals has an answer that the credential is not accepted say which it is, whether it expired, and what to do.
func (c *Credential) explainRefusals() {
	c.Config.Wrap(func(next http.RoundTripper) http.RoundTripper { return &refusalTransport{next, c} })
}

type refusalTransport struct {
	http.RoundTripper
	credential *Credential
}

// RoundTrip is part of http.RoundTripper.
func (t *refusalTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := t.RoundTripper.RoundTrip(r)
	if err != nil || answer.StatusCode != http.StatusUnauthorized {
		return answer, err
	}
	_, _ = io.CopyN(io.Discard, answer.Body, 4<<10) // so that the connection can be used again
	_ = answer.Body.Close()
	if expires := t.credential.Expires; t.credential.kept || expires.IsZero() || time.Now().Before(expires) {
		return nil, fmt.Errorf("the cluster does not accept the credential in %s (Unauthorized): it is of another cluster, or its account was deleted; %s",
			t.credential.Source, t.credential.remedy())
	}
	return nil, fmt.Errorf("the credential in %s expired on %s; %s", t.credential.Source, t.credential.expiry(), t.credential.remedy())
}
