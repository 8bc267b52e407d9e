package console

import "sync"

// mostFragments is how many bytes of fragments a model keeps.
const mostFragments = 8 << 20

// fragments are the contents of pages that were made of one model, by address: of thousands who look at the fleet, the first has it
// made. They are safe for concurrent use.
type fragments struct {
	mu    sync.Mutex
	bytes int
	made  map[string]*view
}

func (f *fragments) find(address string) *view {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.made[address]
}

// keep keeps a fragment. Where there is no room, all others go: those that people look at are soon there again.
func (f *fragments) keep(address string, v *view, size int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if size > mostFragments {
		return
	}
	if f.made == nil || f.bytes+size > mostFragments {
		f.made, f.bytes = map[string]*view{}, 0
	}
	f.bytes += size
	f.made[address] = v
}
