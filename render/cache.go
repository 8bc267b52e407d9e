package render

import (
	"cmp"
	"sync"
)

// A generation bounds a cache: it holds at most twice as many entries. A skeleton with the program that comes with it
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
	new, old   map[K]V
	generation int // 0: as many as cacheGeneration
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
	v, ok := c.new[key]
	if ok {
		return v, true
	}
	if v, ok = c.old[key]; ok {
		c.store(key, v)
	}
	return v, ok
}

func (c *cache[K, V]) put(key K, v V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.store(key, v)
}

func (c *cache[K, V]) store(key K, v V) {
	if len(c.new) >= cmp.Or(c.generation, cacheGeneration) {
		c.old, c.new = c.new, nil
	}
	if c.new == nil {
		c.new = map[K]V{}
	}
	c.new[key] = v
}
