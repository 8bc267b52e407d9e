package web

import (
	"net"
	"net/http"
	"sync"

	"transom.dev/reconciler/web/access"
)

// So many streams of events are open at once, in all and to one client. Clients on this machine are bounded in all only: they may be
// a proxy for many people.
const (
	mostStreams       = 512
	mostClientStreams = 32
)

// streams count the streams that are open. It is safe for concurrent use.
type streams struct {
	mu      sync.Mutex
	all     int
	clients map[string]int
}

func newStreams() *streams { return &streams{clients: map[string]int{}} }

// enter counts a stream until leave is called.
func (s *streams) enter(r *http.Request) (leave func(), err error) {
	client := access.Client(r)
	if who := access.Of(r.Context()); who.Name != "" {
		client = "as " + who.Name
	}
	ip := net.ParseIP(client)
	local := ip != nil && ip.IsLoopback()
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.all >= mostStreams:
		return nil, refuse(http.StatusTooManyRequests, "%d streams of events are open, and that is as many as there may be", mostStreams)
	case !local && s.clients[client] >= mostClientStreams:
		return nil, refuse(http.StatusTooManyRequests, "%d streams of events are open to you: close some", mostClientStreams)
	}
	s.all++
	s.clients[client]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.all--
		if s.clients[client]--; s.clients[client] == 0 {
			delete(s.clients, client)
		}
	}, nil
}
