package web

import (
	"context"
	"crypto/hmac"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"time"

	"transom.dev/reconciler/web/access"
)

// A Leader is the replica that does the work and answers for all.
type Leader struct {
	Here bool   // it is this process
	Name string // empty: nobody leads, as far as is known
	URL  string // where it answers; empty: it does not say

	Unknown bool // this process does not reach the Lease by which it would know
}

const (
	leaderDial  = 3 * time.Second  // how long the leader may take to take a call
	leaderTime  = 30 * time.Second // and to begin its answer
	leaderAgain = "5"              // seconds after which a client that was not answered tries again
)

// relayedHeader marks a request that a standby has sent on. Nobody sends it on again.
const relayedHeader = "Transom-Relayed"

// clientHeader has the address that a standby was asked from, and what vouches for that.
const clientHeader = "Transom-Client"

// ownPaths are answered by each replica for itself.
var ownPaths = map[string]bool{"/healthz": true, "/readyz": true, "/metrics": true}

// relaying has the leader answer where that is another process. The request gets there with the credentials that it came with, which
// the leader checks.
func relaying(o Options, next http.Handler) http.Handler {
	if o.Leader == nil {
		return next
	}
	transport := relayTransport(o.LeaderTLS)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		leader := o.Leader()
		if leader.Here || ownPaths[r.URL.Path] {
			next.ServeHTTP(w, r)
			return
		}
		target, err := url.Parse(leader.URL)
		switch {
		case leader.Name == "" && leader.Unknown:
			refuseRelay(w, r, "it does not reach the Lease that says who leads: its log says why")
		case leader.Name == "":
			refuseRelay(w, r, "no replica leads at the moment: one takes over soon")
		case err != nil || leader.URL == "":
			refuseRelay(w, r, "the leader "+leader.Name+" does not say where it answers")
		case r.Header.Get(relayedHeader) != "":
			refuseRelay(w, r, "who leads is changing just now")
		default:
			relay(target, leader.Name, transport, o.Vouch).ServeHTTP(patient{w}, r)
		}
	})
}

// askedFor gives a request that a standby sent on the address of its client, by which clients that fail too often are known, or that
// have many streams. Only a replica can make the text that vouches for it.
func askedFor(vouch func(string) string, next http.Handler) http.Handler {
	if vouch == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		client, word, _ := strings.Cut(r.Header.Get(clientHeader), " ")
		if client != "" {
			if own := vouch(client); own != "" && hmac.Equal([]byte(word), []byte(own)) {
				r = r.Clone(r.Context())
				r.RemoteAddr = client
			}
		}
		next.ServeHTTP(w, r)
	})
}

// relay sends a request on to the leader, and its answer back as it comes.
func relay(target *url.URL, name string, transport http.RoundTripper, vouch func(string) string) http.Handler {
	proxy := &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(target)
			p.Out.Host = p.In.Host
			p.SetXForwarded()
			p.Out.Header.Set(relayedHeader, "1")
			p.Out.Header.Del(clientHeader)
			if vouch != nil {
				p.Out.Header.Set(clientHeader, p.In.RemoteAddr+" "+vouch(p.In.RemoteAddr))
			}
		},
		Transport: transport,
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			guarded(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				refuseRelay(w, r, "the leader "+name+" does not answer ("+access.WithoutAddress(err).Error()+"): another replica takes over if it stays away")
			})).ServeHTTP(w, r)
		},
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		clear(w.Header()) // the leader sets all of them
		proxy.ServeHTTP(w, r)
	})
}

func relayTransport(secured func() *tls.Config) http.RoundTripper {
	dialer := &net.Dialer{Timeout: leaderDial}
	t := &http.Transport{
		DialContext: dialer.DialContext, ResponseHeaderTimeout: leaderTime, TLSHandshakeTimeout: leaderDial,
		MaxIdleConns: 64, MaxIdleConnsPerHost: 64, IdleConnTimeout: time.Minute, DisableCompression: true,
	}
	if secured != nil {
		t.DialTLSContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			ctx, cancel := context.WithTimeout(ctx, 2*leaderDial)
			defer cancel()
			return (&tls.Dialer{NetDialer: dialer, Config: secured()}).DialContext(ctx, network, address)
		}
	}
	return t
}

// refuseRelay says why there is no answer now.
func refuseRelay(w http.ResponseWriter, r *http.Request, why string) {
	w.Header().Set("Retry-After", leaderAgain)
	tell(w, r, refuse(http.StatusServiceUnavailable, "this replica is a standby, and %s", why))
}

// patient gives each part of an answer its own time: a stream lasts longer than a server lets an answer take.
type patient struct{ http.ResponseWriter }

// Write is part of http.ResponseWriter.
func (p patient) Write(part []byte) (int, error) {
	_ = http.NewResponseController(p.ResponseWriter).SetWriteDeadline(time.Now().Add(sendTime)) // a server that has no deadlines needs none
	return p.ResponseWriter.Write(part)
}

// Unwrap is for http.ResponseController.
func (p patient) Unwrap() http.ResponseWriter { return p.ResponseWriter }
