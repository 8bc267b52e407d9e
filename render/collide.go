package render

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// collisions finds the placements of a pass that would write one object of one cluster.
type collisions struct {
	admission *admission
	written   writtenObjects
}

// A claimant is a placement with respect to the objects of its cluster.
type claimant struct {
	key       platform.RequestKey
	file      string          // of the request
	candidate *candidate      // nil: not visited, or restored
	restored  bool            // it loses nothing
	now, base state.Placement // base is zero where it is new
	manifest  []byte          // of now; nil where it is the base's
	released  bool            // a Release file names it
}

func (w *claimant) isNew() bool { return w.manifest != nil }

// refuse finds placements that would write one object of one cluster. One of the two gets a Problem and keeps the
// release it has, which may collide with a third, so it goes on until nothing does. It reports whether any did.
func (x *collisions) refuse() (any bool, err error) {
	for again := true; again; any = any || again {
		again = false
		visited := x.claimants()
		for _, cluster := range slices.Sorted(maps.Keys(visited)) {
			lost, err := x.refuseOn(cluster, visited[cluster])
			if err != nil {
				return any, fmt.Errorf("render %s: %w", x.admission.environment.Name, err)
			}
			again = again || lost
		}
	}
	return any, nil
}

// refuseOn reports whether a candidate lost an object of the cluster to another.
func (x *collisions) refuseOn(cluster string, visited []*claimant) (lost bool, err error) {
	claimants, err := x.contested(cluster, visited)
	if err != nil {
		return false, err
	}
	owners := make(map[objectID]*claimant, len(claimants))
	for _, w := range claimants {
		objects, err := x.written.of(cluster, w)
		if err != nil {
			return false, err
		}
		for _, id := range objects {
			other := owners[id]
			if other == nil {
				owners[id] = w
				continue
			}
			loser, winner, err := x.loser(cluster, id, other, w)
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

// claimants lists the placements of the candidates on each cluster if nothing more goes wrong.
func (x *collisions) claimants() map[string][]*claimant {
	all := map[string][]*claimant{}
	for _, c := range x.admission.candidates {
		for _, cluster := range c.clusters() {
			w := &claimant{key: c.key(), file: c.instance.Request.File, candidate: c}
			if c.base != nil {
				w.released = !c.base.Absent
				w.base = c.base.Clusters[cluster]
			}
			if w.now, w.manifest = x.admission.placementAfter(c, cluster); w.now.Revision != "" && x.admission.platform.Clusters[cluster] != nil {
				all[cluster] = append(all[cluster], w)
			}
		}
	}
	for k := range x.admission.direction.Restore {
		release := x.admission.restored(k)
		for cluster, placed := range release.Clusters {
			w := &claimant{key: k, file: release.File, restored: true, released: true, now: placed, base: placementOf(x.admission.base.Releases[k], cluster)}
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

// contested returns the claimants of the namespaces that something new is written to, sorted by file: where nothing is,
// nothing new collides.
func (x *collisions) contested(cluster string, visited []*claimant) ([]*claimant, error) {
	namespaces := map[string]bool{}
	for _, w := range visited {
		if !w.isNew() {
			continue
		}
		namespaces[""], namespaces[w.now.Namespace] = true, true
		if w.now.Namespace == "" {
			objects, err := x.written.of(cluster, w)
			if err != nil {
				return nil, err
			}
			for _, id := range objects {
				namespaces[id.namespace] = true
			}
		}
	}
	claimants := slices.DeleteFunc(visited, func(w *claimant) bool { return !namespaces[w.now.Namespace] })
	for namespace := range namespaces {
		for k := range x.admission.index.placed[location{cluster, namespace}] {
			c, visited := x.admission.byKey[k]
			gone := visited && !x.remains(k, cluster)
			if c != nil || gone {
				continue
			}
			release := x.admission.base.Releases[k]
			placed := release.Clusters[cluster]
			claimants = append(claimants, &claimant{key: k, file: release.File, now: placed, base: placed, released: true})
		}
	}
	slices.SortFunc(claimants, func(a, b *claimant) int { return strings.Compare(a.file, b.file) })
	return claimants, nil
}

// remains says of a request without an instance whether it has something on a cluster after this pass.
func (x *collisions) remains(k platform.RequestKey, cluster string) bool {
	if x.admission.restored(k) != nil {
		return false // it writes the restored bytes
	}
	if x.admission.stays(k) {
		return true
	}
	answer, answered := x.admission.answer(k)
	return answered && placementOf(answer, cluster).Revision != ""
}

// writtenObjects reads the objects that the manifests of a base write.
type writtenObjects struct {
	base  *Base
	known *cache[string, []objectID] // by revision
}

// of reads the objects that a claimant writes, from the base where they are not new.
func (o writtenObjects) of(cluster string, w *claimant) ([]objectID, error) {
	return o.at(state.ManifestFile(cluster, w.key), w.now.Revision)
}

func (o writtenObjects) at(file, revision string) ([]objectID, error) {
	if objects, known := o.known.lookup(revision); known {
		return objects, nil
	}
	manifest, err := o.base.Read(file)
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

// loser decides whose Problem it is that two claimants meet: of the one that does not write the object already, then of
// the one that no Release file names yet, then of the one whose path sorts later. Neither loses where both already keep the
// release they have.
func (x *collisions) loser(cluster string, id objectID, a, b *claimant) (loser, winner *claimant, err error) {
	aHas, err := x.written.has(cluster, id, a)
	if err != nil {
		return nil, nil, err
	}
	bHas, err := x.written.has(cluster, id, b)
	if err != nil {
		return nil, nil, err
	}
	loser, winner = b, a
	switch {
	case aHas != bHas:
		if bHas {
			loser, winner = a, b
		}
	case a.released != b.released:
		if b.released {
			loser, winner = a, b
		}
	case a.file > b.file:
		loser, winner = a, b
	}
	if !x.canLose(loser) {
		loser, winner = winner, loser
	}
	if !x.canLose(loser) {
		return nil, nil, nil
	}
	return loser, winner, nil
}

// canLose reports whether a claimant can give up its release of this pass. One that was not visited is, now that it matters.
func (x *collisions) canLose(w *claimant) bool {
	if w.candidate == nil && !w.restored && !x.admission.closing {
		x.admission.visit(w.key)
		w.candidate = x.admission.byKey[w.key]
	}
	return w.candidate != nil && !w.candidate.broken()
}

// has reports whether a claimant's base already has the object.
func (o writtenObjects) has(cluster string, id objectID, w *claimant) (bool, error) {
	if w.base.Revision == "" {
		return false, nil
	}
	objects, err := o.at(state.ManifestFile(cluster, w.key), w.base.Revision)
	return slices.Contains(objects, id), err
}
