package render

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// A writer is a placement with respect to the objects of its cluster.
type writer struct {
	key       platform.RequestKey
	file      string          // of the request
	candidate *candidate      // nil: not visited, or restored
	restored  bool            // it loses nothing
	now, base state.Placement // base is zero where it is new
	manifest  []byte          // of now; nil where it is the base's
	released  bool            // a Release file names it
}

func (w *writer) fresh() bool { return w.manifest != nil }

// settleCollisions finds placements that would write one object of one cluster. One of the two gets a Problem and keeps the
// release it has, which may collide with a third, so it goes on until nothing does. It reports whether any did.
func (p *pass) settleCollisions() (any bool, err error) {
	for settled := false; !settled; any = any || !settled {
		settled = true
		visited := p.writers()
		for _, cluster := range slices.Sorted(maps.Keys(visited)) {
			lost, err := p.settleCluster(cluster, visited[cluster])
			if err != nil {
				return any, fmt.Errorf("render %s: %w", p.environment.Name, err)
			}
			settled = settled && !lost
		}
	}
	return any, nil
}

// settleCluster reports whether a candidate lost an object of the cluster to another.
func (p *pass) settleCluster(cluster string, visited []*writer) (lost bool, err error) {
	writers, err := p.contested(cluster, visited)
	if err != nil {
		return false, err
	}
	owners := make(map[objectID]*writer, len(writers))
	for _, w := range writers {
		objects, err := p.written.of(cluster, w)
		if err != nil {
			return false, err
		}
		for _, id := range objects {
			other := owners[id]
			if other == nil {
				owners[id] = w
				continue
			}
			loser, winner, err := p.loser(cluster, id, other, w)
			if err != nil {
				return false, err
			}
			if loser == nil {
				continue
			}
			owners[id] = winner
			lost = true
			loser.candidate.report("", "collision", "on %s it would write the %s, which %s (%s) writes; rename one of the two requests",
				cluster, id, winner.key, winner.file)
		}
	}
	return lost, nil
}

// writers lists the placements of the candidates on each cluster if nothing more goes wrong.
func (p *pass) writers() map[string][]*writer {
	all := map[string][]*writer{}
	for _, c := range p.candidates {
		for _, cluster := range c.clusters() {
			w := &writer{key: c.key(), file: c.instance.Request.File, candidate: c}
			if c.base != nil {
				w.released = !c.base.Absent
				w.base = c.base.Clusters[cluster]
			}
			if w.now, w.manifest = p.on(c, cluster); w.now.Revision != "" && p.platform.Clusters[cluster] != nil {
				all[cluster] = append(all[cluster], w)
			}
		}
	}
	for k := range p.direction.Restore {
		release := p.restored(k)
		for cluster, placed := range release.Clusters {
			w := &writer{key: k, file: release.File, restored: true, released: true, now: placed, base: placementOf(p.base.Releases[k], cluster)}
			all[cluster] = append(all[cluster], w)
		}
	}
	return all
}

// clusters lists those that the candidate may have something on.
func (c *candidate) clusters() (names []string) {
	for _, placed := range c.placements {
		names = append(names, placed.cluster.Name)
	}
	if c.base != nil {
		for name := range c.base.Clusters {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// on returns a candidate's placement on a cluster after this pass, and its bytes where they are new.
func (p *pass) on(c *candidate, cluster string) (state.Placement, []byte) {
	if c.broken() {
		return placementOf(c.base, cluster), nil
	}
	answer, answered := p.answer(c.key())
	admitted := placementOf(answer, cluster)
	for _, placed := range c.placements {
		if placed.cluster.Name == cluster && (!answered || admitted.RenderKey == placed.key) {
			return state.Placement{Revision: placed.revision, Namespace: placed.namespace}, placed.manifest
		}
	}
	if answered {
		return admitted, nil
	}
	return c.kept[cluster], nil
}

// contested returns the writers of the namespaces that something fresh is written to, sorted by file: where nothing is,
// nothing new collides.
func (p *pass) contested(cluster string, visited []*writer) ([]*writer, error) {
	namespaces := map[string]bool{}
	for _, w := range visited {
		if !w.fresh() {
			continue
		}
		namespaces[""], namespaces[w.now.Namespace] = true, true
		if w.now.Namespace == "" {
			objects, err := p.written.of(cluster, w)
			if err != nil {
				return nil, err
			}
			for _, id := range objects {
				namespaces[id.namespace] = true
			}
		}
	}
	writers := slices.DeleteFunc(visited, func(w *writer) bool { return !namespaces[w.now.Namespace] })
	for namespace := range namespaces {
		for k := range p.index.placed[place{cluster, namespace}] {
			c, visited := p.byKey[k]
			if c != nil || visited && !p.remains(k, cluster) {
				continue
			}
			release := p.base.Releases[k]
			placed := release.Clusters[cluster]
			writers = append(writers, &writer{key: k, file: release.File, now: placed, base: placed, released: true})
		}
	}
	slices.SortFunc(writers, func(a, b *writer) int { return strings.Compare(a.file, b.file) })
	return writers, nil
}

// remains says of a request without an instance whether it has something on a cluster after this pass.
func (p *pass) remains(k platform.RequestKey, cluster string) bool {
	if p.restored(k) != nil {
		return false // it writes the restored bytes
	}
	answer, answered := p.answer(k)
	return p.stays(k) || answered && placementOf(answer, cluster).Revision != ""
}

// writtenObjects reads the objects that the manifests of a base write.
type writtenObjects struct {
	base  *Base
	known *cache[string, []objectID] // by revision
}

// of reads the objects that a writer writes, from the base where they are not new.
func (o writtenObjects) of(cluster string, w *writer) ([]objectID, error) {
	return o.at(state.ManifestFile(cluster, w.key), w.now.Revision)
}

func (o writtenObjects) at(file, revision string) ([]objectID, error) {
	if objects, known := o.known.lookup(revision); known {
		return objects, nil
	}
	manifest, err := o.base.read(file)
	if err != nil {
		return nil, err
	}
	objects, err := parseObjects(manifest)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	ids := idsOf(objects)
	if state.Revision(manifest) == revision { // a file that others wrote over is not remembered as ours
		o.known.put(revision, ids)
	}
	return ids, nil
}

// loser decides whose Problem it is that two writers meet: of the one that does not write the object already, then of
// the one that no Release file names yet, then of the one whose path sorts later. Neither loses where both already keep the
// release they have.
func (p *pass) loser(cluster string, id objectID, a, b *writer) (loser, winner *writer, err error) {
	aHolds, err := p.written.has(cluster, id, a)
	if err != nil {
		return nil, nil, err
	}
	bHolds, err := p.written.has(cluster, id, b)
	if err != nil {
		return nil, nil, err
	}
	loser, winner = b, a
	switch {
	case aHolds != bHolds:
		if bHolds {
			loser, winner = a, b
		}
	case a.released != b.released:
		if b.released {
			loser, winner = a, b
		}
	case a.file > b.file:
		loser, winner = a, b
	}
	if !p.canLose(loser) {
		loser, winner = winner, loser
	}
	if !p.canLose(loser) {
		return nil, nil, nil
	}
	return loser, winner, nil
}

// canLose reports whether a writer can give up its release of this pass. One that was not visited is, now that it matters.
func (p *pass) canLose(w *writer) bool {
	if w.candidate == nil && !w.restored && !p.closing {
		p.visit(w.key)
		w.candidate = p.byKey[w.key]
	}
	return w.candidate != nil && !w.candidate.broken()
}

// has reports whether a writer's base already has the object.
func (o writtenObjects) has(cluster string, id objectID, w *writer) (bool, error) {
	if w.base.Revision == "" {
		return false, nil
	}
	objects, err := o.at(state.ManifestFile(cluster, w.key), w.base.Revision)
	return slices.Contains(objects, id), err
}
