package kustomize

import "path"

// A listing is one directory that a kustomization lists.
type listing struct {
	from          *kustomization
	field, target string
}

// cycles reports the listings that lead back to where they are: whoever follows them would never end.
func (g *guard) cycles() {
	done := map[string]bool{}
	for _, l := range g.listings {
		g.follow(path.Dir(l.from.file), map[string]bool{}, done)
	}
}

func (g *guard) follow(dir string, open, done map[string]bool) {
	if done[dir] {
		return
	}
	open[dir] = true
	for _, l := range g.listings {
		if path.Dir(l.from.file) != dir {
			continue
		}
		if open[l.target] {
			g.reportField(l.from, l.field, "cycle", "leads back to this kustomization")
			continue
		}
		g.follow(l.target, open, done)
	}
	delete(open, dir)
	done[dir] = true
}
