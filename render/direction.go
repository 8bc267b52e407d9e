package render

import (
	"fmt"
	"slices"

	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// A Direction describes the state that an environment is to have where that is not simply the one of the platform's head:
// promotion chooses it before rendering, and admits the result after. The zero value takes everything from the head at once.
type Direction struct {
	// Instances are rendered instead of the head's own, sorted by request. nil: the head's.
	Instances []*platform.Instance

	// Keep are requests that have no instance and stay as they are. Whatever else the environment has and has no
	// instance of is removed, but for requests that the platform knows to be broken.
	Keep map[platform.RequestKey]bool

	// Records are the state's records as they are to be from now on, where they differ: another Promotion or Commit,
	// and the same bytes. They are written whatever else becomes of the request, and are the Base of its proposal.
	Records map[platform.RequestKey]*state.Release

	// Restore are requests that take exactly these records and bytes. They are not rendered and lose no collision.
	Restore map[platform.RequestKey]Restoration

	// Made are records whose bytes are to be made again as they were made: by the rules of the renderer, and with the
	// selectors, that they name. Placements that they do not name are made anew.
	Made map[platform.RequestKey]*state.Release

	// Forget are tombstones whose file goes. A record that is no tombstone, or has something left on a cluster, stays.
	Forget []platform.RequestKey

	// Admit says of every proposal of the pass, sorted by request, which record the environment has from now on; nil
	// admits all. An answer has, for each cluster, the entry of Next, whose new bytes are then written, or that of Base
	// by its render key, whose bytes stay, or none: then nothing is there, or the objects there go. Base itself says that
	// nothing is taken. Everything else in an answer is recorded as it is. A proposal that is not fully taken is made again in
	// the next pass. Admit may be asked again in one pass, with the proposals that follow from its last answers.
	//
	// Next carries Base's Promotion. Its Commit is Base's where the release is the same, and the platform's otherwise:
	// an Admit that takes a release over from an older commit says so in its answer.
	Admit func([]state.Proposal) []*state.Release

	// AdmitNamespaces says whether namespaces that are there may change, all of the environment's or none, as they do
	// when its components of namespaces do; nil: they may. The digest names exactly these changes.
	AdmitNamespaces func(digest string) bool
}

// A Restoration is the record and bytes of an instance at some earlier commit of the state.
type Restoration struct {
	Release   *state.Release
	Manifests map[string][]byte // by cluster; those that differ from the state's own must be there
}

// restored returns the record that a request is given back, or nil.
func (p *pass) restored(k platform.RequestKey) *state.Release {
	return p.direction.Restore[k].Release
}

// had returns the record of a request before this pass, as it is from now on if nothing else happens to it.
// Clusters that are let go are not in it.
func (p *pass) had(k platform.RequestKey) *state.Release {
	r := p.direction.Records[k]
	if r == nil {
		r = p.base.Releases[k]
	}
	if r == nil || p.continued {
		return r // the last pass let go of all that are gone
	}
	return p.withoutGone(r)
}

// restore checks that all bytes to restore are the recorded ones, and learns which objects are in them.
func (p *pass) restore() error {
	for k, restoration := range p.direction.Restore {
		if restoration.Release == nil {
			return fmt.Errorf("render %s: restore %s: there is no record to restore", p.environment.Name, k)
		}
		for cluster, placed := range restoration.Release.Clusters {
			manifest, given := restoration.Manifests[cluster]
			switch {
			case given && state.Revision(manifest) != placed.Revision:
				return fmt.Errorf("render %s: restore %s on %s: the bytes are %s, and the record says %s",
					p.environment.Name, k, cluster, state.Revision(manifest), placed.Revision)
			case !given && placementOf(p.base.Releases[k], cluster).Revision != placed.Revision:
				return fmt.Errorf("render %s: restore %s on %s: there are no bytes of revision %s",
					p.environment.Name, k, cluster, placed.Revision)
			case given:
				if objects, err := parseObjects(manifest); err == nil {
					p.renderer.objects.put(placed.Revision, idsOf(objects))
				}
			}
		}
	}
	return nil
}

func placementOf(r *state.Release, cluster string) state.Placement {
	if r == nil {
		return state.Placement{}
	}
	return r.Clusters[cluster]
}

// writeRestored changes the manifests that differ from the base's.
func (p *pass) writeRestored() {
	for k, restoration := range p.direction.Restore {
		for cluster, placed := range restoration.Release.Clusters {
			if p.platform.Clusters[cluster] != nil && placementOf(p.base.Releases[k], cluster).Revision != placed.Revision {
				p.changes[state.ManifestFile(cluster, k)] = restoration.Manifests[cluster]
				p.touched[k] = true
			}
		}
	}
}

// forget drops the tombstones that nobody needs any more.
func (p *pass) forget() {
	for _, k := range p.direction.Forget {
		release := p.base.Releases[k]
		if release == nil || !release.Absent || len(release.Clusters) > 0 || p.releases[k] != nil || p.instance(k) != nil {
			continue
		}
		p.changes[state.ReleaseFile(k)] = nil
		p.forgotten = append(p.forgotten, k)
	}
	slices.SortFunc(p.forgotten, platform.RequestKey.Compare)
}
