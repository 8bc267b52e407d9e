package fleet

import (
	"fmt"
	"slices"
	"sync"

	"transom.dev/render/state"
)

// releases are the Release files of one target. Every cluster that has a placement needs the same one, and they grow
// with their number, so each is decoded once and carried over to the next target while its blob stays.
type releases struct {
	*listing
	teams map[string]*teamReleases
}

// teamReleases are those of one team, shared by all targets that have the same.
type teamReleases struct {
	listing *teamListing
	decoded map[string]*decoded // by path

	mu   sync.Mutex
	gone []string // those of removals, sorted; nil until they were all read
}

// decoded is one Release file, read when first needed.
type decoded struct {
	mu      sync.Mutex
	release *state.Release
}

// listed is the listing of the releases of a target, which may be nil.
func (r *releases) listed() *listing {
	if r == nil {
		return nil
	}
	return r.listing
}

// next makes the releases of a target that follows r, which may be nil.
func (r *releases) next(l *listing) *releases {
	if r == nil {
		r = &releases{listing: &listing{}}
	}
	if l == r.listing {
		return r
	}
	n := &releases{listing: l, teams: make(map[string]*teamReleases, len(l.teams))}
	for team, files := range l.teams {
		n.teams[team] = r.teams[team].next(files)
	}
	return n
}

// next makes those of a team that follow t, which may be nil.
func (t *teamReleases) next(files *teamListing) *teamReleases {
	if t == nil {
		t = &teamReleases{listing: &teamListing{}}
	}
	if t.listing == files {
		return t
	}
	n := &teamReleases{listing: files, decoded: make(map[string]*decoded, len(files.blobs))}
	for file, id := range files.blobs {
		if n.decoded[file] = t.decoded[file]; t.listing.blobs[file] != id {
			n.decoded[file] = &decoded{}
		}
	}
	return n
}

// A readFile reads a file of a snapshot.
type readFile func(name string) ([]byte, error)

// read decodes a Release file of a team; one that the snapshot does not have is an empty release.
func (r *releases) read(team, file string, from readFile) (*state.Release, error) {
	if t := r.teams[team]; t != nil && t.decoded[file] != nil {
		return t.decoded[file].read(file, from)
	}
	return &state.Release{}, nil
}

// read leaves out the fields that applying does not need.
func (d *decoded) read(file string, from readFile) (*state.Release, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.release != nil {
		return d.release, nil
	}
	data, err := from(file)
	if err != nil {
		return nil, err
	}
	release, err := state.DecodeRelease(data)
	if err != nil {
		return nil, fmt.Errorf("decode %s: %w", file, err)
	}
	release.Strip(traces(release.Promotion))
	d.release = release
	return release, nil
}

// removals lists the files that record a removal. One that cannot be read is none until it can be.
func (r *releases) removals(from readFile) []string {
	var gone []string
	for _, t := range r.teams {
		gone = append(gone, t.removals(from)...)
	}
	slices.Sort(gone)
	return gone
}

func (t *teamReleases) removals(from readFile) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.gone != nil {
		return t.gone
	}
	gone, all := []string{}, true
	for file, d := range t.decoded {
		release, err := d.read(file, from)
		if all = all && err == nil; err == nil && release.Absent {
			gone = append(gone, file)
		}
	}
	if all {
		t.gone = gone
	}
	return gone
}
