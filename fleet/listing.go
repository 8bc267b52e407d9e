package fleet

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"transom.dev/render/state"
)

// Snapshot is one commit of a state repository. It is used concurrently.
type Snapshot interface {
	ReadFile(name string) ([]byte, error)

	// ReadDir lists a directory, sorted by name. An entry may be identified: a directory that is as it was is then not looked into again.
	ReadDir(name string) ([]fs.DirEntry, error)

	// Blobs returns the blob id of every file below dir by its path from the root. An error means that nothing is known.
	Blobs(dir string) (map[string]string, error)
}

// An identified directory entry knows an id that is the same only for the same content, or none, which is empty.
type identified interface {
	ID() string
	HasID(id string) bool
}

// A listing has the files of a snapshot below one directory, by team. It is read-only and shared by all that have the
// same.
type listing struct {
	id    string // empty: not known
	teams map[string]*teamListing
}

// teamListing has blob ids by path from the root.
type teamListing struct {
	id    string
	blobs map[string]string
}

// blob is the id of a team's file, empty if there is none.
func (l *listing) blob(team, file string) string {
	if t := l.teams[team]; t != nil {
		return t.blobs[file]
	}
	return ""
}

// differing lists the paths whose blob ids are not the same in both.
func (l *listing) differing(next *listing) []string {
	if l == next {
		return nil
	}
	var paths []string
	for name, t := range next.teams {
		paths = append(paths, t.differing(l.teams[name])...)
	}
	for name, t := range l.teams {
		if next.teams[name] == nil {
			paths = append(paths, t.differing(nil)...)
		}
	}
	return paths
}

// differing compares with another listing of the same team, nil if there is none.
func (t *teamListing) differing(other *teamListing) []string {
	if t == other {
		return nil
	}
	if other == nil {
		other = &teamListing{}
	}
	var paths []string
	for file, id := range t.blobs {
		if other.blobs[file] != id {
			paths = append(paths, file)
		}
	}
	for file := range other.blobs {
		if _, ok := t.blobs[file]; !ok {
			paths = append(paths, file)
		}
	}
	return paths
}

// A reader lists a target's snapshot, as far as it is not the same as before.
type reader struct {
	Target
}

// contents lists the files of the target's clusters and releases. Only directories that are listed above are looked into:
// one that is missing is empty, and one that is there and cannot be read is an error, whatever the error says.
func (r reader) contents(before *contents) (*contents, error) {
	root, err := r.dirs(".")
	if err != nil {
		return nil, err
	}
	files, err := r.listIn(root, state.ReleasesDir, state.ReleasesDir, before.releases.listed())
	if err != nil {
		return nil, err
	}
	now := &contents{releases: before.releases.next(files), clusters: make(map[string]*listing, len(r.Clusters))}
	var clusters []fs.DirEntry
	if named(root, state.ClustersDir) != nil {
		if clusters, err = r.dirs(state.ClustersDir); err != nil {
			return nil, err
		}
	}
	for _, c := range r.Clusters {
		now.clusters[c.Name], err = r.listIn(clusters, c.Name, state.ClusterDir(c.Name), before.clusters[c.Name])
		if err != nil {
			return nil, err
		}
	}
	return now, nil
}

// listIn lists a directory that the one above has, or not.
func (r reader) listIn(above []fs.DirEntry, name, dir string, before *listing) (*listing, error) {
	e := named(above, name)
	if e == nil {
		return &listing{}, nil
	}
	return r.list(dir, e, before)
}

// named is the entry of a name among those of a directory, or nil.
func named(entries []fs.DirEntry, name string) fs.DirEntry {
	at, found := slices.BinarySearchFunc(entries, name, func(e fs.DirEntry, name string) int { return strings.Compare(e.Name(), name) })
	if !found {
		return nil
	}
	return entries[at]
}

// idOf is the id of an entry, and whether that is the one before; empty where the snapshot does not know it.
func idOf(e fs.DirEntry, before string) (id string, same bool) {
	known, is := e.(identified)
	switch {
	case !is:
		return "", false
	case before != "" && known.HasID(before):
		return before, true
	}
	return known.ID(), false
}

// dirs are the directories in a directory.
func (r reader) dirs(dir string) ([]fs.DirEntry, error) {
	entries, err := r.Snapshot.ReadDir(dir)
	if err != nil {
		return nil, r.unreadable(dir, err)
	}
	return slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return !e.IsDir() }), nil
}

// list lists a directory that the snapshot has, given its entry and the listing of the target before, which may be nil.
func (r reader) list(dir string, e fs.DirEntry, before *listing) (*listing, error) {
	if before == nil {
		before = &listing{}
	}
	id, same := idOf(e, before.id)
	if same {
		return before, nil
	}
	dirs, err := r.dirs(dir)
	if err != nil {
		return nil, err
	}
	l := &listing{id: id, teams: make(map[string]*teamListing, len(dirs))}
	for _, e := range dirs {
		team, known := e.Name(), before.teams[e.Name()]
		if known == nil {
			known = &teamListing{}
		}
		id, same := idOf(e, known.id)
		if same {
			l.teams[team] = known
			continue
		}
		blobs, err := r.Snapshot.Blobs(path.Join(dir, team))
		if err != nil {
			return nil, r.unreadable(path.Join(dir, team), err)
		}
		l.teams[team] = &teamListing{id: id, blobs: blobs}
	}
	return l, nil
}

func (r reader) unreadable(name string, err error) error {
	return fmt.Errorf("read %s of state commit %q: %w", name, r.Commit, err)
}
