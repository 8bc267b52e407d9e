package render

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
