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

// keep keeps a fragment where there is room.
func (f *fragments) keep(address string, v *view, size int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.bytes+size > mostFragments {
		return
	}
	if f.made == nil {
		f.made = map[string]*view{}
	}
	f.bytes += size
	f.made[address] = v
}
