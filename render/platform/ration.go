package platform

import (
	"cmp"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// A merge may bring very many requests, and even to read their files takes long. A Loader with a bound reads so many of a file system that
// knows their ids, and of the others knows the paths alone until later loads read them.

// readsForEach is how many files of new requests are read for each that may be resolved: to read one takes a small part of the time.
const readsForEach = 2

// A ration is how many files of a team's new requests one load reads.
type ration struct {
	team string
	last *team // nil: all requests are new
	new  int
	rest int // that may still be read
}

// divide gives the teams their rations of so many files. Teams with few come first, so that nobody waits behind a crowd of another team.
// A team whose files are all known needs none, and one whose folder was too large has none: whether it still is cannot be told from a part.
func (w *walker) divide(files int) error {
	var all []*ration
	for _, e := range w.teams {
		tooLarge := e.last != nil && e.last.extent.overFolder()
		if e.same || tooLarge || !e.IsDir() || ignored(e.Name()) || idOf(e.DirEntry) == "" {
			continue
		}
		r := &ration{team: e.Name(), last: w.last.teams[e.Name()]}
		if err := r.count(w.fsys, e.last); err != nil {
			return err
		}
		all = append(all, r)
	}
	slices.SortStableFunc(all, func(a, b *ration) int { return cmp.Compare(a.new, b.new) })
	w.rations = make(map[string]*ration, len(all))
	for _, r := range all {
		r.rest = min(files, r.new)
		files -= r.rest
		w.rations[r.team] = r
	}
	return nil
}

// count counts the files of new requests in the team's folder that the last load did not read.
func (r *ration) count(fsys fs.FS, last *teamFiles) error {
	dir := "requests/" + r.team
	entries, err := fs.ReadDir(fsys, dir)
	if err != nil {
		return fmt.Errorf("read %s: %w", dir, err)
	}
	for _, e := range entries {
		var old *file
		at := dir + "/" + e.Name()
		if last != nil {
			old = last.files[at]
		}
		known := old != nil && hasID(e, old.id) && !old.unread
		if e.Type().IsRegular() && !known && r.takes(at, idOf(e)) {
			r.new++
		}
	}
	return nil
}

// takes reports whether a file is one of a new request, of which the ration is.
func (r *ration) takes(at, id string) bool {
	dir, file := path.Split(at)
	name, yaml := strings.CutSuffix(file, ".yaml")
	if _, _, sealed := sealedFor(name); r == nil || id == "" || !yaml || sealed || ignored(file) {
		return false
	}
	return dir == "requests/"+r.team+"/" && !r.last.knows(RequestKey{r.team, name})
}

// used takes a file from the ration, and reports whether there was none any more.
func (r *ration) used() bool {
	r.rest--
	return r.rest < 0
}

// knows reports whether a request was resolved.
func (t *team) knows(k RequestKey) bool {
	if t == nil {
		return false
	}
	known := t.resolved[k]
	return known != nil && !known.request.Deferred
}
