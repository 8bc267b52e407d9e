package web

import (
	"net/http"
	"sync"
)

// So many streams of events are open at once, in all and to one client. Each takes less than 64 KiB, so all of them take 160 MiB at
// most. Clients on this machine are bounded in all only: they may be a proxy for many people.
const (
	mostStreams       = 2560
	mostClientStreams = 32
)

// streams count the streams that are open. It is safe for concurrent use.
type streams struct {
	noun             string // that people know them by
	most, mostClient int

	mu      sync.Mutex
	all     int
	clients map[string]int
}

func newStreams() *streams {
	return &streams{noun: "streams of events", most: mostStreams, mostClient: mostClientStreams, clients: map[string]int{}}
}

// enter counts a stream until leave is called.
func (s *streams) enter(r *http.Request) (leave func(), err error) {
	client, local := clientOf(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.all >= s.most:
		return nil, refuse(http.StatusTooManyRequests, "%d %s are open, and that is as many as there may be", s.most, s.noun).mendedBy("ask again once some of them have ended")
	case !local && s.clients[client] >= s.mostClient:
		return nil, refuse(http.StatusTooManyRequests, "%d %s are open to you: close some", s.mostClient, s.noun).mendedBy("close some of yours")
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
