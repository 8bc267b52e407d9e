package access

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
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

// failures count the failed logins of each client, and those of all. It is safe for concurrent use.
type failures struct {
	clients *lru.Cache

	failed, limited, roleless atomic.Uint64
}

func newFailures() *failures { return &failures{clients: lru.New(mostClients)} }

// add counts a failed login, and says whether the client may go on.
func (f *failures) add(r *http.Request) bool { return f.counted(f.of(r).Allow(), &f.failed) }

// mayFail says whether a client may fail once more. Where it may not, that counts as a login that was refused.
func (f *failures) mayFail(r *http.Request) bool { return f.counted(f.of(r).Tokens() >= 1, nil) }

// counted counts a login: one that is limited was not even tried.
func (f *failures) counted(may bool, tried *atomic.Uint64) bool {
	switch {
	case !may:
		f.limited.Add(1)
	case tried != nil:
		tried.Add(1)
	}
	return may
}

// Refused is how many logins were refused since the start: they failed, their client had failed too often, or whoever it was has no role.
func (g *Guard) Refused() map[string]uint64 {
	f := g.failures
	return map[string]uint64{"failed": f.failed.Load(), "limited": f.limited.Load(), "role": f.roleless.Load()}
}

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
