package fleet

import (
	"fmt"
	"slices"
	"sync"

	"transom.dev/render/platform"
)

// releases are the Release files of one target. Every cluster that has a placement needs the same one, and it grows
// with their number, so each is decoded once and carried over to the next target while its blob stays.
type releases struct {
	blobs   map[string]string // by path
	decoded map[string]*decoded

	mu   sync.Mutex
	gone []string // those of removals, sorted; nil until they were all read
}

// decoded is one Release file, read when first needed.
type decoded struct {
	mu      sync.Mutex
	release *platform.Release
}

// next makes the releases of a target that follows r, which may be nil.
func (r *releases) next(blobs map[string]string) *releases {
	n := &releases{blobs: blobs, decoded: make(map[string]*decoded, len(blobs))}
	for file, id := range blobs {
		if r != nil && r.blobs[file] == id {
			n.decoded[file] = r.decoded[file]
		} else {
			n.decoded[file] = &decoded{}
		}
	}
	return n
}

// changed lists the files that differ.
func (r *releases) changed(next *releases) []string {
	if r == nil || next == nil {
		return nil
	}
	return differing(r.blobs, next.blobs)
}

// read returns what a Release file says; a file that the snapshot does not have is an empty release. What applying
// does not need is left out.
func (r *releases) read(file string, readFile func(string) ([]byte, error)) (*platform.Release, error) {
	d := r.decoded[file]
	if d == nil {
		return &platform.Release{}, nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.release != nil {
		return d.release, nil
	}
	data, err := readFile(file)
	if err != nil {
		return nil, err
	}
	release, err := platform.DecodeRelease(data)
	if err != nil {
		return nil, fmt.Errorf("decode %s: %w", file, err)
	}
	release.Request, release.Outputs, release.Promotion = nil, nil, platform.Promotion{}
	d.release = release
	return release, nil
}

// removals lists the files that record a removal. One that cannot be read is none until it can be.
func (r *releases) removals(readFile func(string) ([]byte, error)) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.gone != nil {
		return r.gone
	}
	gone, all := []string{}, true
	for file := range r.blobs {
		release, err := r.read(file, readFile)
		if all = all && err == nil; err == nil && release.Absent {
			gone = append(gone, file)
		}
	}
	slices.Sort(gone)
	if all {
		r.gone = gone
	}
	return gone
}
