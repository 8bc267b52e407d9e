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

// letGo drops the clusters whose file is gone: their files leave the state, and with them whoever applied it. Nothing
// is deleted on them.
func (p *pass) letGo() error {
	for k, release := range p.releases {
		p.releases[k] = p.withoutGone(release)
	}
	if p.continued {
		return nil // the last pass let go of all that are gone
	}
	for k := range p.base.Releases {
		release := p.had(k)
		if left := p.withoutGone(release); left != release && p.releases[k] == nil {
			p.releases[k] = left
		}
	}
	if p.base.Files == nil {
		return nil
	}
	clusters, err := readDir(p.base.Files, state.ClustersDir)
	if err != nil {
		return fmt.Errorf("render %s: %w", p.environment.Name, err)
	}
	for _, cluster := range clusters {
		if p.platform.Clusters[cluster.Name()] != nil {
			continue
		}
		if err := p.removeAll(state.ClusterDir(cluster.Name())); err != nil {
			return fmt.Errorf("render %s: %w", p.environment.Name, err)
		}
		p.gone = append(p.gone, cluster.Name())
	}
	return nil
}

func (p *pass) withoutGone(release *state.Release) *state.Release {
	for cluster := range release.Clusters {
		if p.platform.Clusters[cluster] == nil {
			left := *release
			left.Clusters = maps.Clone(release.Clusters)
			maps.DeleteFunc(left.Clusters, func(name string, _ state.Placement) bool {
				return p.platform.Clusters[name] == nil
			})
			return &left
		}
	}
	return release
}

func (p *pass) removeAll(dir string) error {
	return fs.WalkDir(p.base.Files, dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("list %s: %w", name, err)
		}
		if !entry.IsDir() {
			p.changes[name] = nil
		}
		return nil
	})
}

// writeInstances changes the Release files and manifests that differ from the base.
func (p *pass) writeInstances() {
	for _, c := range p.candidates {
		if c.broken() {
			continue
		}
		for _, placed := range c.placements {
			if placed.carried || placementOf(c.base, placed.cluster.Name).Revision == placed.revision {
				continue
			}
			if _, fresh := p.on(c, placed.cluster.Name); fresh == nil {
				continue // it was not admitted
			}
			p.changes[state.ManifestFile(placed.cluster.Name, c.key())] = placed.manifest
			p.touched[c.key()] = true
		}
	}
	records := p.encoded()
	for k, release := range p.releases {
		before := p.base.Releases[k]
		p.changes[state.ReleaseFile(k)] = records[k]
		p.touched[k] = true
		if before == nil {
			continue
		}
		for cluster := range before.Clusters {
			if _, stays := release.Clusters[cluster]; !stays {
				p.changes[state.ManifestFile(cluster, k)] = nil
			}
		}
	}
}

// encoded are the Release files that changed, without the room that their printer left.
func (p *pass) encoded() map[platform.RequestKey][]byte {
	keys := slices.Collect(maps.Keys(p.releases))
	encoded := make([][]byte, len(keys))
	parallel(len(keys), func(n int) { encoded[n] = bytes.Clone(p.releases[keys[n]].Encode()) })
	records := make(map[platform.RequestKey][]byte, len(keys))
	for n, k := range keys {
		records[k] = encoded[n]
	}
	return records
}

// writeFleet records the pins, and along with any change the platform commit that it came from, the format and the identity.
func (p *pass) writeFleet() {
	p.fleet = p.base.Fleet
	p.fleet.Clusters = pinClusters(p.platform, p.environment, p.base)
	repinned := !maps.Equal(p.fleet.Clusters, p.base.Fleet.Clusters)
	if len(p.changes) == 0 && !repinned {
		return
	}
	before := p.base.Fleet
	p.fleet.Platform, p.fleet.Format = p.platform.Commit, state.Format
	p.fleet.Identity = cmp.Or(before.Identity, p.base.Identity)
	if repinned || p.fleet.Platform != before.Platform || p.fleet.Format != before.Format || p.fleet.Identity != before.Identity {
		p.changes[state.FleetFile] = p.fleet.Encode()
	}
}
