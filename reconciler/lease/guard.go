package lease

import "net/http"

// Guard has a transport refuse requests that write, unless this process leads.
func (l *Lease) Guard(next http.RoundTripper) http.RoundTripper {
	if l == nil {
		return next
	}
	return guard{l, next}
}

type guard struct {
	lease *Lease
	next  http.RoundTripper
}

// RoundTrip is part of http.RoundTripper.
func (g guard) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		if err := g.lease.MayWrite(); err != nil {
			if r.Body != nil {
				_ = r.Body.Close()
			}
			return nil, err
		}
	}
	return g.next.RoundTrip(r)
}
