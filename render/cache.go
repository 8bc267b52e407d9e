package render

import (
	"cmp"
	"sync"
)

// A generation bounds a cache: it has at most twice as many entries, and bytes where these are counted. A skeleton with the program that comes with it
// takes some hundred kilobytes, and there is one for each choice of a version, components and overlays.
const (
	cacheGeneration    = 1 << 15
	skeletonGeneration = 1 << 11
)

// A cache remembers results by a digest of all that they depend on, or by the value that they are of. The zero value is
// empty and ready, and it may be used concurrently. Old entries go when a generation is full and were not used during the
// whole next one.
type cache[K comparable, V any] struct {
	mu         sync.Mutex
	new, old   map[K]entry[V]
	generation int // 0: as many as cacheGeneration
	most       int // bytes of a generation, but for one entry that is larger; 0: they are not counted
	bytes      int // of the new generation
}

type entry[V any] struct {
	value V
	bytes int
}

// get returns the value of a key, from make where it is not known. Two callers may make the same value at once.
func (c *cache[K, V]) get(key K, make func() V) V {
	if v, ok := c.lookup(key); ok {
		return v
	}
	v := make()
	c.put(key, v)
	return v
}

func (c *cache[K, V]) lookup(key K) (V, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.new[key]
	if ok {
		return e.value, true
	}
	if e, ok = c.old[key]; ok {
		c.store(key, e)
	}
	return e.value, ok
}

func (c *cache[K, V]) put(key K, v V) { c.putSized(key, v, 0) }

// putSized puts a value that takes about so many bytes.
func (c *cache[K, V]) putSized(key K, v V, bytes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.store(key, entry[V]{v, bytes})
}

func (c *cache[K, V]) store(key K, e entry[V]) {
	if full := c.most > 0 && c.bytes+e.bytes > c.most; full || len(c.new) >= cmp.Or(c.generation, cacheGeneration) {
		c.old, c.new, c.bytes = c.new, nil, 0
	}
	if c.new == nil {
		c.new = map[K]entry[V]{}
	}
	c.bytes += e.bytes - c.new[key].bytes
	c.new[key] = e
}
