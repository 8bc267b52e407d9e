package fleet

import (
	"fmt"
	"io/fs"
	"path"

	"transom.dev/render/state"
)

// Snapshot is one commit of a state repository. It is used concurrently.
type Snapshot interface {
	ReadFile(name string) ([]byte, error)

	// ReadDir lists a directory. An entry may have a method ID() string that is the same only for the same content: a
	// directory that is as it was is then not looked into again.
	ReadDir(name string) ([]fs.DirEntry, error)

	// Blobs returns the blob id of every file below dir by its path from the root. An error means that nothing is known.
	Blobs(dir string) (map[string]string, error)
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
	var clusters map[string]string
	if _, ok := root[state.ClustersDir]; ok {
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
func (r reader) listIn(above map[string]string, name, dir string, before *listing) (*listing, error) {
	id, ok := above[name]
	if !ok {
		return &listing{}, nil
	}
	return r.list(dir, id, before)
}

// dirs are the ids of the directories in a directory by name; empty where the snapshot does not know them.
func (r reader) dirs(dir string) (map[string]string, error) {
	entries, err := r.Snapshot.ReadDir(dir)
	if err != nil {
		return nil, r.unreadable(dir, err)
	}
	ids := map[string]string{}
	for _, e := range entries {
		if e.IsDir() {
			known, _ := e.(interface{ ID() string })
			ids[e.Name()] = ""
			if known != nil {
				ids[e.Name()] = known.ID()
			}
		}
	}
	return ids, nil
}

// list lists a directory that the snapshot has, given its id and the listing of the target before, which may be nil.
func (r reader) list(dir, id string, before *listing) (*listing, error) {
	if before != nil && id != "" && before.id == id {
		return before, nil
	}
	ids, err := r.dirs(dir)
	if err != nil {
		return nil, err
	}
	l := &listing{id: id, teams: make(map[string]*teamListing, len(ids))}
	for team, id := range ids {
		if before != nil && id != "" && before.teams[team] != nil && before.teams[team].id == id {
			l.teams[team] = before.teams[team]
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
