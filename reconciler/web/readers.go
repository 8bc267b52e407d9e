package web

import (
	"net"
	"net/http"

	"golang.org/x/time/rate"
	"k8s.io/utils/lru"

	"transom.dev/reconciler/web/access"
)

const (
	// readerBurst is how many seconds' requests a client may make at once.
	readerBurst = 10
	// mostReaders is how many clients are remembered. One that was forgotten begins anew.
	mostReaders = 10_000
)

// unlimited are the routes that a client may ask for as often as it likes: health is for whoever watches the daemon, web hooks have
// a limit of their own, and the page to log in costs little and must not be missing because somebody else at the same address asks too often.
var unlimited = map[string]bool{
	"/healthz": true, "/readyz": true, hookPath: true, "/console.css": true, "/transom.svg": true, "GET /login": true,
}

// readers bound how many requests each client makes. They are safe for concurrent use.
type readers struct {
	most    int // requests a second; 0: as many as the client likes
	clients *lru.Cache
	limited func() // is told of each request beyond
}

func newReaders(most int, limited func()) *readers {
	return &readers{most, lru.New(mostReaders), limited}
}

// mayAsk counts a request for a route, and says whether its client may make it.
func (s *readers) mayAsk(r *http.Request, route string) bool {
	client, local := clientOf(r)
	if roles[route] == access.Anybody {
		client = "to log in from " + client // nobody is known by name here, and all of an office may come from one address
	}
	if s.most == 0 || local || unlimited[route] || s.of(client).Allow() {
		return true
	}
	if s.limited != nil {
		s.limited()
	}
	return false
}

// of is the limiter of a client. Two first requests at once may get one each, which costs a few requests.
func (s *readers) of(client string) *rate.Limiter {
	if known, ok := s.clients.Get(client); ok {
		return known.(*rate.Limiter)
	}
	fresh := rate.NewLimiter(rate.Limit(s.most), readerBurst*s.most)
	s.clients.Add(client, fresh)
	return fresh
}

// tellTooMany answers a request beyond the limit of its client.
func (s *readers) tellTooMany(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Retry-After", "1") // the limit is at least one request a second
	tell(w, r, refuse(http.StatusTooManyRequests, "more than %d requests a second come from you: ask less often", s.most).
		mendedBy("ask again after a second, and follow /api/v1/events instead of asking whether something changed"))
}

// clientOf is by whom requests and streams are counted: somebody who is known by name, else an address. A client that is only known to be
// on this machine is local: it may be a proxy for many people.
func clientOf(r *http.Request) (client string, local bool) {
	if who := access.Of(r.Context()); who.Name != "" {
		return "as " + who.Name, false
	}
	client = access.Client(r)
	ip := net.ParseIP(client)
	return client, ip != nil && ip.IsLoopback()
}
