package main

import (
	"errors"
	"math/rand/v2"
	"net"
	"sync"
)

// ports hands out free TCP ports of the loopback address. They lie below the range from which Linux takes the local
// ports of outgoing connections, so that none of those sits on the port of a stopped API server when it comes back.
type ports struct {
	mu    sync.Mutex
	given map[int]bool
}

const (
	lowestPort  = 12000
	highestPort = 32000
)

// next is a port that nobody listens on and that was not handed out before.
func (p *ports) next() (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for range 1000 {
		port := lowestPort + rand.IntN(highestPort-lowestPort)
		if p.given[port] || !free(port) {
			continue
		}
		if p.given == nil {
			p.given = map[int]bool{}
		}
		p.given[port] = true
		return port, nil
	}
	return 0, errors.New("no free TCP port on 127.0.0.1")
}

func free(port int) bool {
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
	if err != nil {
		return false
	}
	return l.Close() == nil
}
