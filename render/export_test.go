package render

import "transom.dev/render/platform"

// Remembered says how many of so many entries a cache with a bound still has, and how many times one that is asked for
// again and again was made.
func Remembered(generation, entries int) (kept, made int) {
	c := cache[int, bool]{generation: generation}
	for n := range entries {
		c.put(n, true)
		c.get(-1, func() bool { made++; return true })
	}
	return len(c.new) + len(c.old), made
}

// RememberedBytes is how many bytes a cache with a bound on them still has of so many entries of a size, and whether it has the last.
func RememberedBytes(most, entries, size int) (kept int, last bool) {
	c := cache[int, bool]{most: most}
	for n := range entries {
		c.putSized(n, true, size)
		c.putSized(n, true, size)
	}
	_, last = c.lookup(entries - 1)
	return (len(c.new) + len(c.old)) * size, last
}

// PrintsKept is how many bytes of prints, and of what was made of them, a Renderer may have.
func (r *Renderer) PrintsKept() (prints, skeletons, bound int) {
	for _, e := range r.findings.prints.new {
		prints += e.bytes
	}
	for _, e := range r.findings.printed.new {
		skeletons += e.bytes
	}
	return prints, skeletons, 2 * min(r.findings.prints.most, r.findings.printed.most)
}

// SkeletonsKept is how many skeletons a Renderer has.
func (r *Renderer) SkeletonsKept() (kept, bound int) {
	return len(r.findings.skeletons.new) + len(r.findings.skeletons.old), 2 * r.findings.skeletons.generation
}

// JSONSize is how long an object is taken to be as JSON.
func JSONSize(manifest []byte) int {
	nodes, err := parseNodes(manifest)
	if err != nil {
		return -1
	}
	return jsonSize(nodes[0])
}

// RemembersKeys reports whether a Renderer knows the keys of an instance that it was asked about.
func (r *Renderer) RemembersKeys(i *platform.Instance) bool {
	return r.memories.of(i.Environment.Name).evaluation(i) != nil
}
