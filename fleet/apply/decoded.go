package apply

import (
	"crypto/sha256"
	"errors"
	"sync"
	"sync/atomic"
)

// Shared is shared by the Clusters of a fleet: manifests that were decoded last, and the lists of objects that inventories have, since many
// clusters have the same, and the turns in which they are connected to, their objects are listed and their visits compute. The zero value works; nil shares nothing.
type Shared struct {
	clusters atomic.Int32 // that share

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
	return s.decoded.read(text, s.mostRemembered(), decode)
}

// list is readObjects, of a text that it may have read before. Nobody changes a list. It is nil if there is nothing in it.
func (s *Shared) list(text string) (map[Object]bool, error) {
	switch {
	case text == "":
		return nil, nil
	case s == nil:
		return readObjects(text)
	}
	return s.listed.read([]byte(text), s.mostRemembered(), func([]byte) (map[Object]bool, error) { return readObjects(text) })
}

// join counts a cluster that shares, until it leaves.
func (s *Shared) join() (leave func()) {
	if s == nil {
		return func() {}
	}
	s.clusters.Add(1)
	return sync.OnceFunc(func() { s.clusters.Add(-1) })
}

// mostRemembered bounds the texts of a generation of a memo. Manifests that are decoded take more than ten times as much memory. A cluster
// that is alone has use for them only while an instance comes to rest.
func (s *Shared) mostRemembered() int {
	if s.alone() {
		return 256 << 10
	}
	return 2 << 20
}

// largestRemembered is how many bytes a text has at most that is remembered.
const largestRemembered = 2 << 20

// memo remembers the values that were read from texts: those that were used since a generation of them was full, and those of that one.
type memo[V any] struct {
	mu     sync.Mutex
	byText map[[sha256.Size]byte]*readOnce[V]
	before map[[sha256.Size]byte]*readOnce[V] // the full generation
	bytes  int                                // of the texts of byText
}

// readOnce is the value of one text. It never changes.
type readOnce[V any] struct {
	once  sync.Once
	value V
	err   error
}

// read reads a text with a function, unless that was done before and it is still in one of two generations of so many bytes each.
func (m *memo[V]) read(text []byte, most int, with func([]byte) (V, error)) (V, error) {
	if len(text) > largestRemembered {
		return with(text)
	}
	known := m.of(text, most)
	known.once.Do(func() {
		known.err = errors.New("it could not be read") // as long as with does not return, and if it panics
		known.value, known.err = with(text)
	})
	return known.value, known.err
}

func (m *memo[V]) of(text []byte, most int) *readOnce[V] {
	digest := sha256.Sum256(text)
	m.mu.Lock()
	defer m.mu.Unlock()
	if known := m.byText[digest]; known != nil {
		return known
	}
	known := m.before[digest]
	if known == nil {
		known = &readOnce[V]{}
	}
	if m.byText == nil || m.bytes+len(text) > most {
		m.before, m.byText, m.bytes = m.byText, map[[sha256.Size]byte]*readOnce[V]{}, 0
	}
	m.bytes += len(text)
	m.byText[digest] = known
	return known
}
