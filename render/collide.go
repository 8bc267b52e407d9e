package render

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"transom.dev/render/platform"
)

// A writer is a placement with respect to the objects of its cluster.
type writer struct {
	key       platform.RequestKey
	file      string // of the request
	candidate *candidate
	now, base platform.ReleasePlacement // base is zero where it is new
	manifest  []byte                    // of now; nil where it is the base's
	released  bool                      // a Release file names it
}

func (w *writer) fresh() bool { return w.manifest != nil }

// settleCollisions finds placements that would write one object of one cluster. One of the two gets a Problem and
// keeps what it has, which may collide with a third, so it goes on until nothing does.
func (p *pass) settleCollisions() error {
	for {
		settled := true
		for _, cluster := range slices.Sorted(maps.Keys(p.platform.Clusters)) {
			lost, err := p.settleCluster(cluster)
			if err != nil {
				return fmt.Errorf("render %s: %w", p.environment.Name, err)
			}
			settled = settled && !lost
		}
		if settled {
			return nil
		}
	}
}

// settleCluster reports whether a candidate lost an object of the cluster to another.
func (p *pass) settleCluster(cluster string) (lost bool, err error) {
	writers := p.writers(cluster)
	owners := map[objectID]*writer{}
	for _, w := range contested(writers) {
		objects, err := p.objectsOf(cluster, w)
		if err != nil {
			return false, err
		}
		for _, o := range objects {
			other := owners[o.id]
			if other == nil {
				owners[o.id] = w
				continue
			}
			loser, winner, err := p.loser(cluster, o.id, other, w)
			if err != nil {
				return false, err
			}
			if loser == nil {
				continue
			}
			owners[o.id] = winner
			lost = true
			loser.candidate.report("", "collision", "on %s it would write the %s, which %s (%s) writes; rename one of the two requests",
				cluster, o.id, winner.key, winner.file)
		}
	}
	return lost, nil
}

// writers lists what each request has on the cluster if nothing more goes wrong.
func (p *pass) writers(cluster string) []*writer {
	byKey := map[platform.RequestKey]*writer{}
	for k, release := range p.base.Releases {
		placed, here := release.Clusters[cluster]
		if here && !release.Absent && (len(p.held[k]) > 0 || p.platform.Broken(p.environment.Name, k)) {
			byKey[k] = &writer{key: k, file: release.File, now: placed, base: placed, released: true}
		}
	}
	for _, c := range p.candidates {
		w := &writer{key: c.key(), file: c.instance.Request.File, candidate: c}
		if c.base != nil {
			w.released = !c.base.Absent
			w.base = c.base.Clusters[cluster]
		}
		if w.now, w.manifest = c.on(cluster); w.now.Revision != "" {
			byKey[w.key] = w
		}
	}
	writers := slices.Collect(maps.Values(byKey))
	slices.SortFunc(writers, func(a, b *writer) int { return strings.Compare(a.file, b.file) })
	return writers
}

// on returns what the candidate has on a cluster, and its bytes where they are new.
func (c *candidate) on(cluster string) (platform.ReleasePlacement, []byte) {
	if c.broken() {
		if c.base == nil {
			return platform.ReleasePlacement{}, nil
		}
		return c.base.Clusters[cluster], nil
	}
	for _, placed := range c.placements {
		if placed.cluster.Name == cluster {
			return platform.ReleasePlacement{Revision: placed.revision, Namespace: placed.namespace}, placed.manifest
		}
	}
	return c.kept[cluster], nil
}

// contested leaves out the writers that nothing new can collide with: those in namespaces that nothing fresh writes.
func contested(writers []*writer) []*writer {
	namespaces, anywhere := map[string]bool{}, false
	for _, w := range writers {
		if w.fresh() {
			namespaces[w.now.Namespace] = true
			anywhere = anywhere || w.now.Namespace == ""
		}
	}
	if anywhere {
		return writers
	}
	return slices.DeleteFunc(writers, func(w *writer) bool {
		return len(namespaces) == 0 || w.now.Namespace != "" && !namespaces[w.now.Namespace]
	})
}

// objectsOf reads what a writer writes, from the base where it is not new.
func (p *pass) objectsOf(cluster string, w *writer) ([]object, error) {
	return p.objectsAt(manifestFile(cluster, w.key), w.now.Revision)
}

func (p *pass) objectsAt(file, revision string) ([]object, error) {
	if objects, known := p.renderer.objects.lookup(revision); known {
		return objects, nil
	}
	manifest, err := p.base.read(file)
	if err != nil {
		return nil, err
	}
	objects, err := parseObjects(manifest)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if Revision(manifest) == revision { // what others wrote over it is not remembered as ours
		p.renderer.objects.put(revision, objects)
	}
	return objects, nil
}

// loser decides whose Problem it is that two writers meet: of the one that does not write the object already, then of
// the one that no Release file names yet, then of the one whose path sorts later. Neither loses where both already
// keep what they have.
func (p *pass) loser(cluster string, id objectID, a, b *writer) (loser, winner *writer, err error) {
	aHolds, err := p.holds(cluster, id, a)
	if err != nil {
		return nil, nil, err
	}
	bHolds, err := p.holds(cluster, id, b)
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
	if loser.candidate == nil || loser.candidate.broken() {
		loser, winner = winner, loser
	}
	if loser.candidate == nil || loser.candidate.broken() {
		return nil, nil, nil
	}
	return loser, winner, nil
}

// holds reports whether a writer's base already has the object.
func (p *pass) holds(cluster string, id objectID, w *writer) (bool, error) {
	if w.base.Revision == "" {
		return false, nil
	}
	objects, err := p.objectsAt(manifestFile(cluster, w.key), w.base.Revision)
	return slices.ContainsFunc(objects, func(o object) bool { return o.id == id }), err
}
