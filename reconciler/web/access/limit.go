package access

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/time/rate"
	"k8s.io/utils/lru"
)

// A client may fail burst times at once, and then once in every pause. So many clients are remembered.
const (
	failureBurst = 30
	failurePause = 2 * time.Second
	mostClients  = 10_000
)

// failures count the failed logins of each client. It is safe for concurrent use.
type failures struct{ clients *lru.Cache }

func newFailures() *failures { return &failures{lru.New(mostClients)} }

// add counts a failed login, and says whether the client may go on.
func (f *failures) add(r *http.Request) bool { return f.of(r).Allow() }

// left says whether a client may fail once more.
func (f *failures) left(r *http.Request) bool { return f.of(r).Tokens() >= 1 }

// of is the limiter of a client. Two first requests at once may get one each, which costs a few attempts.
func (f *failures) of(r *http.Request) *rate.Limiter {
	client := Client(r)
	if known, ok := f.clients.Get(client); ok {
		return known.(*rate.Limiter)
	}
	fresh := rate.NewLimiter(rate.Every(failurePause), failureBurst)
	f.clients.Add(client, fresh)
	return fresh
}

// Client is the address that a request comes from, without its port; of IPv6, the network of 64 bits, as a site has one.
func Client(r *http.Request) string {
	address := peer(r)
	if address.Is6() && !address.IsLoopback() {
		if network, err := address.Prefix(64); err == nil {
			return network.String()
		}
	}
	return address.String()
}

// peer is the address at the other end of the connection; behind a proxy, the client's as the proxy says it.
func peer(r *http.Request) netip.Addr {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	address, _ := netip.ParseAddr(host)
	return address.Unmap().WithZone("")
}

// loopback says whether a name or an address is this machine's on any machine.
func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.IsLoopback()
}
