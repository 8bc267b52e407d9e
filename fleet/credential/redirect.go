package credential

import (
	"errors"
	"fmt"
	"net/http"

	utilnet "k8s.io/apimachinery/pkg/util/net"
)

// longestHost bounds the name of a host in a message, which the other side chose.
const longestHost = 100

// NoRedirects is a wrapper for client configurations, by which a redirect is an error. client-go adds the credentials to each request
// anew, so that one that follows a redirect carries them, and the body, wherever the redirect points. The wrapper is below the
// one that adds them.
func NoRedirects(next http.RoundTripper) http.RoundTripper { return noRedirects{next} }

type noRedirects struct{ next http.RoundTripper }

var _ utilnet.RoundTripperWrapper = noRedirects{}

// RoundTrip is part of http.RoundTripper.
func (t noRedirects) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := t.next.RoundTrip(r)
	if err != nil || answer.StatusCode/100 != 3 || answer.StatusCode == http.StatusNotModified {
		return answer, err
	}
	_ = answer.Body.Close()
	where := "nowhere"
	switch to, err := answer.Location(); {
	case err == nil:
		where = fmt.Sprintf("to %.*q", longestHost, to.Host)
	case !errors.Is(err, http.ErrNoLocation):
		where = "to an address that is none"
	}
	return nil, fmt.Errorf("%q answered with a redirect %s (%d), which no API server does, and the credentials do not follow it: "+
		"give the address of the API server itself, not that of a proxy or a login page before it", r.URL.Host, where, answer.StatusCode)
}

// WrappedRoundTripper lets client-go find the transport below.
func (t noRedirects) WrappedRoundTripper() http.RoundTripper { return t.next }
