package apply

import (
	"crypto/sha256"
	"sync"
)

// Manifests are manifests that were decoded last, shared by the Clusters of a fleet: many clusters have the same. The zero value works;
// nil remembers nothing.
type Manifests struct {
	mu     sync.Mutex
	byText map[[sha256.Size]byte]*decodedText
	bytes  int // of the texts
}

// decodedText is a text that is decoded once. Its manifests never change.
type decodedText struct {
	once sync.Once
	all  []manifest
	err  error
}

// mostDecodedBytes bounds the texts whose manifests are remembered: more than that and all are forgotten. Decoded they take about ten
// times as much memory.
const mostDecodedBytes = 4 << 20

// decode is decode, of a text that it may have decoded before.
func (m *Manifests) decode(text []byte) ([]manifest, error) {
	if m == nil || len(text) > mostDecodedBytes/2 {
		return decode(text)
	}
	known := m.of(sha256.Sum256(text), len(text))
	known.once.Do(func() { known.all, known.err = decode(text) })
	return known.all, known.err
}

func (m *Manifests) of(digest [sha256.Size]byte, size int) *decodedText {
	m.mu.Lock()
	defer m.mu.Unlock()
	if known := m.byText[digest]; known != nil {
		return known
	}
	if m.byText == nil || m.bytes+size > mostDecodedBytes {
		m.byText, m.bytes = map[[sha256.Size]byte]*decodedText{}, 0
	}
	m.bytes += size
	m.byText[digest] = &decodedText{}
	return m.byText[digest]
}
