package gitrepo

import (
	"container/list"
	"sync"
)

// A cache keeps the values used last, up to a total cost. Its values are named by content, so none can be out of date and
// dropping any of them costs time alone. It is safe for concurrent use.
type cache[K comparable, V any] struct {
	capacity int // in the unit of the costs given to put

	mu    sync.Mutex
	cost  int
	order *list.List // of *cached, the most recently used first
	items map[K]*list.Element
}

type cached[K comparable, V any] struct {
	key   K
	value V
	cost  int
}

func newCache[K comparable, V any](capacity int) *cache[K, V] {
	return &cache[K, V]{capacity: capacity, order: list.New(), items: map[K]*list.Element{}}
}

func (c *cache[K, V]) get(key K) (V, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.items[key]
	if !ok {
		var none V
		return none, false
	}
	c.order.MoveToFront(e)
	return e.Value.(*cached[K, V]).value, true
}

// put keeps value under key. One that alone costs more than half of the capacity is not kept, as it would push out
// everything else.
func (c *cache[K, V]) put(key K, value V, cost int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.items[key]; ok || cost > c.capacity/2 {
		return
	}
	c.items[key] = c.order.PushFront(&cached[K, V]{key, value, cost})
	c.cost += cost
	for c.cost > c.capacity {
		last := c.order.Remove(c.order.Back()).(*cached[K, V])
		delete(c.items, last.key)
		c.cost -= last.cost
	}
}

// drop forgets the value of a key.
func (c *cache[K, V]) drop(key K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.items[key]; ok {
		c.cost -= c.order.Remove(e).(*cached[K, V]).cost
		delete(c.items, key)
	}
}
