package platform

import (
	"errors"
	"fmt"
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

// A teamEntry is an entry of the folder requests, with the files that the last load had below it.
type teamEntry struct {
	fs.DirEntry
	last *teamFiles // nil: there were none
	same bool       // nothing below it changed, and all of it was read
}

// listTeams lists the folder requests, if the root has one.
func (w *walker) listTeams(root []fs.DirEntry) error {
	if !slices.ContainsFunc(root, func(e fs.DirEntry) bool { return e.Name() == "requests" && e.IsDir() }) {
		return nil
	}
	entries, err := fs.ReadDir(w.fsys, "requests")
	if err != nil {
		return fmt.Errorf("read requests: %w", err)
	}
	w.teams = make([]teamEntry, 0, len(entries))
	for _, e := range entries {
		t := teamEntry{DirEntry: e}
		if w.last != nil && e.IsDir() {
			t.last = w.last.tree.teams[e.Name()]
			t.same = t.last != nil && t.last.unread == 0 && hasID(e, t.last.id)
		}
		w.teams = append(w.teams, t)
	}
	return nil
}

// visitTeams visits the entries of the folder requests.
func (w *walker) visitTeams() error {
	err := w.count(len(w.teams), 0)
	for _, e := range w.teams {
		switch {
		case err != nil:
			return err
		case ignored(e.Name()):
		case e.IsDir():
			err = w.visitTeam(e)
		default:
			err = w.visitEntry("requests/"+e.Name(), e.DirEntry)
		}
	}
	return err
}

// visitTeam visits the folder of a team, unless it is the one of the last load and all of it was read.
func (w *walker) visitTeam(e teamEntry) error {
	name, now := e.Name(), e.last
	if e.same {
		if err := w.count(now.extent.entries, now.extent.bytes); err != nil {
			return err
		}
	} else {
		last := e.last
		if last == nil {
			last = &teamFiles{}
		}
		id, err := idOf(e.DirEntry), error(nil)
		if now, err = w.readTeam("requests/"+name, last); err != nil {
			return err
		}
		now.id = id
		if maps.Equal(now.files, last.files) && slices.Equal(now.opaque, last.opaque) && slices.Equal(now.problems, last.problems) {
			last.id, last.extent, now = id, now.extent, last
		}
	}
	if now != e.last {
		w.tree.teams[name] = now
		w.tree.changed = append(w.tree.changed, name)
	}
	w.tree.opaque = append(w.tree.opaque, now.opaque...)
	w.tree.problems = append(w.tree.problems, now.problems...)
	for name, at := range now.strays {
		w.tree.keepCluster(name, at)
	}
	return nil
}

// dropTeams forgets the teams of the last load whose folders are gone.
func (w *walker) dropTeams() {
	there := 0
	for _, e := range w.teams {
		if e.IsDir() && !ignored(e.Name()) {
			there++
		}
	}
	if there == len(w.tree.teams) {
		return
	}
	names := make(map[string]bool, there)
	for _, e := range w.teams {
		names[e.Name()] = e.IsDir() && !ignored(e.Name())
	}
	for name := range w.tree.teams {
		if !names[name] {
			delete(w.tree.teams, name)
			w.tree.changed = append(w.tree.changed, name)
		}
	}
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
