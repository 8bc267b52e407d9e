package apply

import (
	"crypto/sha256"
	"errors"
	"sync"
)

// Shared is shared by the Clusters of a fleet: manifests that were decoded last, and the lists of objects that inventories have, since many
// clusters have the same, and the turns in which they are connected to, their objects are listed and their visits compute. The zero value works; nil shares nothing.
type Shared struct {
	decoded memo[[]manifest]
	listed  memo[map[Object]bool]

	connects, reconnects, lists, relists turns
	desks                                desks

	traits pool[traits]
	health pool[statusHealth]
	whole  pool[traits] // of objects whose field sets cover their manifests

	healthy pool[string] // the facts by which workloads are healthy
}

// decode is decode, of a text that it may have decoded before.
func (s *Shared) decode(text []byte) ([]manifest, error) {
	if s == nil {
		return decode(text)
	}
	return s.decoded.read(text, decode)
}

// list is readObjects, of a text that it may have read before. Nobody changes a list. It is nil if there is nothing in it.
func (s *Shared) list(text string) (map[Object]bool, error) {
	switch {
	case text == "":
		return nil, nil
	case s == nil:
		return readObjects(text)
	}
	return s.listed.read([]byte(text), func([]byte) (map[Object]bool, error) { return readObjects(text) })
}

// memo remembers the values that were read from texts.
type memo[V any] struct {
	mu     sync.Mutex
	byText map[[sha256.Size]byte]*readOnce[V]
	bytes  int // of the texts
}

// readOnce is the value of one text. It never changes.
type readOnce[V any] struct {
	once  sync.Once
	value V
	err   error
}

// mostRememberedBytes bounds the texts of a memo: more than that and all are forgotten. Manifests that are decoded take about ten times as
// much memory.
const mostRememberedBytes = 4 << 20

// read reads a text with a function, unless that was done before.
func (m *memo[V]) read(text []byte, with func([]byte) (V, error)) (V, error) {
	if len(text) > mostRememberedBytes/2 {
		return with(text)
	}
	known := m.of(text)
	known.once.Do(func() {
		known.err = errors.New("it could not be read") // as long as with does not return, and if it panics
		known.value, known.err = with(text)
	})
	return known.value, known.err
}

func (m *memo[V]) of(text []byte) *readOnce[V] {
	digest := sha256.Sum256(text)
	m.mu.Lock()
	defer m.mu.Unlock()
	if known := m.byText[digest]; known != nil {
		return known
	}
	if m.byText == nil || m.bytes+len(text) > mostRememberedBytes {
		m.byText, m.bytes = map[[sha256.Size]byte]*readOnce[V]{}, 0
	}
	m.bytes += len(text)
	m.byText[digest] = &readOnce[V]{}
	return m.byText[digest]
}
