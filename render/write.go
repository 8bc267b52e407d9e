package render

import (
	"bytes"
	"cmp"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// A writer turns the outcome of a pass into the changes of the state repository: the files of records, manifests and
// namespaces, fleet.yaml, the clusters that are gone, and the tombstones that nobody needs any more.
type writer struct {
	*snapshot
	admission  *admission                             // which manifests are written
	releases   map[platform.RequestKey]*state.Release // of the outcome
	namespaces map[string][]byte                      // files that change, by path

	changes map[string][]byte
	touched map[platform.RequestKey]bool
}

// write returns the State that the environment comes to, without Problems.
func (w *writer) write() (*State, error) {
	w.changes, w.touched = map[string][]byte{}, map[platform.RequestKey]bool{}
	w.leaveGone()
	gone, err := w.letGo()
	if err != nil {
		return nil, fmt.Errorf("render %s: %w", w.environment.Name, err)
	}
	forgotten := w.forget()
	w.writeManifests()
	w.writeReleases()
	w.writeRestored()
	maps.Copy(w.changes, w.namespaces)
	return &State{
		Environment: w.environment.Name,
		Fleet:       w.writeFleet(),
		Changes:     w.changes,
		Releases:    w.releases,
		LetGo:       gone,
		Forgotten:   forgotten,
		Touched:     slices.SortedFunc(maps.Keys(w.touched), platform.RequestKey.Compare),
		mark:        new(mark),
	}, nil
}

// leaveGone takes the clusters whose file is gone out of all records. Nothing is deleted on them.
func (w *writer) leaveGone() {
	for k, release := range w.releases {
		w.releases[k] = w.withoutGone(release)
	}
	if w.continued {
		return
	}
	for k := range w.base.Releases {
		release := w.recordOf(k)
		if remaining := w.withoutGone(release); remaining != release && w.releases[k] == nil {
			w.releases[k] = remaining
		}
	}
}

// letGo removes the files of the clusters whose file is gone, and with them whoever applied them.
func (w *writer) letGo() (gone []string, err error) {
	if w.continued || w.base.Files == nil {
		return nil, nil
	}
	clusters, err := readDir(w.base.Files, state.ClustersDir)
	if err != nil {
		return nil, err
	}
	for _, cluster := range clusters {
		if w.platform.Clusters[cluster.Name()] != nil {
			continue
		}
		if err := w.removeAll(state.ClusterDir(cluster.Name())); err != nil {
			return nil, err
		}
		gone = append(gone, cluster.Name())
	}
	return gone, nil
}

func (w *writer) removeAll(dir string) error {
	return fs.WalkDir(w.base.Files, dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("list %s: %w", name, err)
		}
		if !entry.IsDir() {
			w.changes[name] = nil
		}
		return nil
	})
}

// forget removes the tombstones that nobody needs any more.
func (w *writer) forget() (forgotten []platform.RequestKey) {
	for _, k := range w.direction.Forget {
		release := w.base.Releases[k]
		if release == nil || hasContent(release) || w.releases[k] != nil || w.instance(k) != nil {
			continue
		}
		w.changes[state.ReleaseFile(k)] = nil
		forgotten = append(forgotten, k)
	}
	slices.SortFunc(forgotten, platform.RequestKey.Compare)
	return forgotten
}

// writeManifests changes the manifests that were built and admitted, where they differ from the base's.
func (w *writer) writeManifests() {
	for _, c := range w.admission.candidates {
		if c.broken() {
			continue
		}
		for _, placed := range c.placements {
			if placed.carried || placementOf(c.base, placed.cluster.Name).Revision == placed.revision {
				continue
			}
			if _, manifest := w.admission.placementAfter(c, placed.cluster.Name); manifest == nil {
				continue // it was not admitted
			}
			w.changes[state.ManifestFile(placed.cluster.Name, c.key())] = placed.manifest
			w.touched[c.key()] = true
		}
	}
}

// writeReleases changes the Release files that differ from the base's, and removes the manifests that they no longer name.
func (w *writer) writeReleases() {
	records := w.encoded()
	for k, release := range w.releases {
		before := w.base.Releases[k]
		w.changes[state.ReleaseFile(k)] = records[k]
		w.touched[k] = true
		if before == nil {
			continue
		}
		for cluster := range before.Clusters {
			if _, stays := release.Clusters[cluster]; !stays {
				w.changes[state.ManifestFile(cluster, k)] = nil
			}
		}
	}
}

// encoded are the Release files that changed, without the room that their printer reserved.
func (w *writer) encoded() map[platform.RequestKey][]byte {
	keys := slices.Collect(maps.Keys(w.releases))
	encoded := make([][]byte, len(keys))
	parallel(len(keys), func(n int) { encoded[n] = bytes.Clone(w.releases[keys[n]].Encode()) })
	records := make(map[platform.RequestKey][]byte, len(keys))
	for n, k := range keys {
		records[k] = encoded[n]
	}
	return records
}

// writeRestored changes the restored manifests that differ from the base's.
func (w *writer) writeRestored() {
	for k, restoration := range w.direction.Restore {
		for cluster, placed := range restoration.Release.Clusters {
			if w.platform.Clusters[cluster] != nil && placementOf(w.base.Releases[k], cluster).Revision != placed.Revision {
				w.changes[state.ManifestFile(cluster, k)] = restoration.Manifests[cluster]
				w.touched[k] = true
			}
		}
	}
}

// writeFleet records the pins, and along with any change the platform commit that it came from, the format and the identity.
func (w *writer) writeFleet() state.Fleet {
	before, fleet := w.base.Fleet, w.base.Fleet
	fleet.Clusters = pinClusters(w.platform, w.environment, w.base)
	repinned := !maps.Equal(fleet.Clusters, before.Clusters)
	if len(w.changes) == 0 && !repinned {
		return fleet
	}
	fleet.Platform, fleet.Format = w.platform.Commit, state.Format
	fleet.Identity = cmp.Or(before.Identity, w.base.Identity)
	if repinned || fleet.Platform != before.Platform || fleet.Format != before.Format || fleet.Identity != before.Identity {
		w.changes[state.FleetFile] = fleet.Encode()
	}
	return fleet
}
