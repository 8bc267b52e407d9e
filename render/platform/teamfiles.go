package platform

import (
	"errors"
	"io/fs"
	"maps"
	"path"
	"slices"
)

// teamFiles is the files below requests/<team>. It is the same value in the next load if all of them are the same.
type teamFiles struct {
	id       string                      // of the directory's content, where the file system knows one
	extent   extent                      // of all that is below it
	files    map[string]*file            // by path
	requests map[string]*file            // by name
	unread   int                         // of the requests
	sealed   map[string]map[string]*file // sealed values, by request and environment
	opaque   []string
	strays   map[string]string // as a tree's
	problems []Problem

	byOffering map[string]int // how many requests each has; nil: they were not counted yet
}

// visitTeam visits the folder of a team, unless it is the one of the last load and all of it was read.
func (w *walker) visitTeam(dir string, e fs.DirEntry) error {
	name, last := path.Base(dir), (*teamFiles)(nil)
	if w.last != nil {
		last = w.last.tree.teams[name]
	}
	now := last
	if last == nil || !hasID(e, last.id) || last.unread > 0 {
		if last == nil {
			last = &teamFiles{}
		}
		id, err := idOf(e), error(nil)
		if now, err = w.readTeam(dir, last); err != nil {
			return err
		}
		now.id = id
		if maps.Equal(now.files, last.files) && slices.Equal(now.opaque, last.opaque) && slices.Equal(now.problems, last.problems) {
			last.id, last.extent, now = id, now.extent, last
		}
	} else if err := w.count(now.extent.entries, now.extent.bytes); err != nil {
		return err
	}
	w.tree.teams[name] = now
	w.tree.opaque = append(w.tree.opaque, now.opaque...)
	w.tree.problems = append(w.tree.problems, now.problems...)
	for name, at := range now.strays {
		w.tree.keepCluster(name, at)
	}
	return nil
}

// readTeam reads the folder of a team, of which the files of the last load are known.
func (w *walker) readTeam(dir string, last *teamFiles) (*teamFiles, error) {
	now := &teamFiles{files: map[string]*file{}, requests: map[string]*file{}}
	inside := &walker{
		fsys: w.fsys, known: last.files, next: now.files, team: now, tree: &tree{}, whole: w.whole, folder: &now.extent,
		ration: w.rations[path.Base(dir)],
	}
	err := inside.visitFolder(dir)
	if errors.Is(err, errFolderTooLarge) {
		now = &teamFiles{extent: now.extent, files: map[string]*file{}, requests: map[string]*file{}}
		inside.tree, err = &tree{}, nil
		inside.hideTooLarge(dir)
	}
	now.opaque, now.problems, now.strays = inside.tree.opaque, inside.tree.problems, inside.tree.strays
	return now, err
}

// add takes in the file of a request.
func (t *teamFiles) add(name string, f *file) {
	t.requests[name] = f
	if f.unread {
		t.unread++
	}
}

// replace takes in the file of a request that was not read before.
func (t *teamFiles) replace(name string, read *file) {
	t.requests[name], t.files[read.path] = read, read
	t.unread--
	t.byOffering = nil
}

// seals takes in a file of sealed values; false: it is none.
func (t *teamFiles) seals(name string, f *file) bool {
	request, environment, is := sealedFor(name)
	if !is {
		return false
	}
	if t.sealed == nil {
		t.sealed = map[string]map[string]*file{}
	}
	if t.sealed[request] == nil {
		t.sealed[request] = map[string]*file{}
	}
	t.sealed[request][environment] = f
	return true
}
