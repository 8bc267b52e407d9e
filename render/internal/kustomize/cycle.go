package kustomize

import "path"

// A listing is one directory that a kustomization lists.
type listing struct {
	from          *kustomization
	field, target string
}

// cycles reports the listings that lead back to where they are: whoever follows them would never end.
func (g *guard) cycles() {
	walk := cycleWalk{guard: g, from: map[string][]listing{}, open: map[string]bool{}, done: map[string]bool{}}
	for _, l := range g.listings {
		dir := path.Dir(l.from.file)
		walk.from[dir] = append(walk.from[dir], l)
	}
	for _, l := range g.listings {
		walk.follow(path.Dir(l.from.file))
	}
}

type cycleWalk struct {
	*guard
	from       map[string][]listing // by directory
	open, done map[string]bool      // directories
}

func (w *cycleWalk) follow(dir string) {
	if w.done[dir] {
		return
	}
	w.open[dir] = true
	for _, l := range w.from[dir] {
		if w.open[l.target] {
			w.reportField(l.from, l.field, "cycle", "leads back to this kustomization")
			continue
		}
		w.follow(l.target)
	}
	delete(w.open, dir)
	w.done[dir] = true
}
