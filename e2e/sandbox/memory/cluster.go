package memory

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
)

// A Cluster has the encoded objects of one cluster, of all kinds, and the last changes of them. The zero value is an empty one.
type Cluster struct {
	Changed func(key string) // told of each key that was written, after the write; nil: nobody listens. It must not block.

	mu       sync.Mutex
	revision uint64
	objects  map[string]map[string]object // by the kind's prefix and by key
	history  []change
	watchers map[*watcher]bool
}

// object is one object as it is stored.
type object struct {
	data     []byte
	revision uint64
}

// change is one write. An object that was made has no data before, one that was deleted none after.
type change struct {
	key           string
	before, after []byte
	revision      uint64
}

// remembered is how many changes a watch may be behind when it begins. A watch that is further behind is told to list again.
const remembered = 256

type clusterKey struct{}

// Within has requests of a context be about a cluster.
func Within(ctx context.Context, c *Cluster) context.Context {
	return context.WithValue(ctx, clusterKey{}, c)
}

// of is the cluster that a request is about.
func of(ctx context.Context) *Cluster {
	c, ok := ctx.Value(clusterKey{}).(*Cluster)
	if !ok {
		panic("a request is about no cluster") // the server gives each request one
	}
	return c
}

// get returns a zero object if there is none, and the revision of the cluster.
func (c *Cluster) get(prefix, key string) (object, uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.objects[prefix][key], c.revision
}

// under lists the keys that begin with a text, in order, from one on, with their objects, and the revision of the cluster.
func (c *Cluster) under(prefix, begin, from string) (keys []string, found []object, revision uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	of := c.objects[prefix]
	for key := range of {
		if strings.HasPrefix(key, begin) && key >= from {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	for _, key := range keys {
		found = append(found, of[key])
	}
	return keys, found, c.revision
}

// swap replaces the object at a key, where that is still at a revision, 0 for none. Without data it is deleted. It returns the revision of
// the write, or 0 if the object was not at that revision any more.
func (c *Cluster) swap(prefix, key string, was uint64, data []byte) uint64 {
	written := c.write(prefix, key, was, data)
	if written != 0 && c.Changed != nil {
		c.Changed(key)
	}
	return written
}

func (c *Cluster) write(prefix, key string, was uint64, data []byte) uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.objects[prefix][key]
	if before.revision != was {
		return 0
	}
	c.revision = max(c.revision, 1) + 1 // 1 is the revision of an empty cluster
	if c.objects == nil {
		c.objects = map[string]map[string]object{}
	}
	if c.objects[prefix] == nil {
		c.objects[prefix] = map[string]object{}
	}
	if data == nil {
		delete(c.objects[prefix], key)
	} else {
		c.objects[prefix][key] = object{data, c.revision}
	}
	done := change{key: key, before: before.data, after: data, revision: c.revision}
	if len(c.history) == remembered {
		c.history = slices.Delete(c.history, 0, remembered/2)
	}
	c.history = append(c.history, done)
	for w := range c.watchers {
		w.take(done)
	}
	return c.revision
}

// since are the changes after a revision. It is not ok if some of them are forgotten. The caller holds the lock.
func (c *Cluster) since(revision uint64) (after []change, ok bool) {
	if revision >= c.revision {
		return nil, true
	}
	if len(c.history) == 0 || c.history[0].revision > revision+1 {
		return nil, false
	}
	i, _ := slices.BinarySearchFunc(c.history, revision+1, func(ch change, r uint64) int { return int(ch.revision) - int(r) })
	return slices.Clone(c.history[i:]), true
}

// CopyTo has another cluster, which nobody watches yet, have the same objects as this one, at the same revisions. Keys for which keep
// is false are left out.
func (c *Cluster) CopyTo(to *Cluster, keep func(key string) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	to.mu.Lock()
	defer to.mu.Unlock()
	if to.objects == nil {
		to.objects = map[string]map[string]object{}
	}
	for prefix, of := range c.objects {
		mine := maps.Clone(of)
		maps.DeleteFunc(mine, func(key string, _ object) bool { return !keep(key) })
		if to.objects[prefix] == nil {
			to.objects[prefix] = map[string]object{}
		}
		maps.Copy(to.objects[prefix], mine)
	}
	to.revision, to.history = max(c.revision, to.revision), nil
}
