package render

import (
	"crypto/sha1"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"

	"transom.dev/render/edits"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// A Base is the content of an environment's state repository now. The zero value is an empty one.
type Base struct {
	Releases map[platform.RequestKey]*state.Release
	Fleet    state.Fleet
	Files    fs.FS // the snapshot, for bytes that are carried over or compared; nil: empty

	// Pins are the identities of clusters at first contact that Fleet does not record yet, by cluster. One that
	// Fleet already pins is not touched: only the uid of the cluster's file changes a pin.
	Pins map[string]string

	// Identity is given to a state repository that has none yet, along with the next change; empty: it gets none.
	Identity string

	index   *index
	records *state.Records // of Releases; nil: nobody asked for them
	taken   *mark          // the last State that Advance took in
}

// Advance makes the base the one after the commit of the State, which has these files. The Renderer whose State it is then
// goes on from there: its next pass costs in proportion to the changes.
func (b *Base) Advance(s *State, files fs.FS) {
	if b.Releases == nil {
		b.Releases = map[platform.RequestKey]*state.Release{}
	}
	for k, release := range s.Releases {
		if b.index != nil {
			b.index.remove(b.Releases[k])
			b.index.add(release)
		}
		b.Releases[k] = release
	}
	for _, k := range s.Forgotten {
		delete(b.Releases, k) // the index has nothing of a tombstone
	}
	if b.records != nil {
		b.advanceRecords(s)
	}
	b.Fleet, b.Files, b.taken = s.Fleet, files, s.mark
}

// Records are the Releases as a value that stays as it is when the base advances.
func (b *Base) Records() state.Records {
	if b.records == nil {
		all := state.RecordsOf(b.Releases)
		b.records = &all
	}
	return *b.records
}

func (b *Base) advanceRecords(s *State) {
	changes := maps.Clone(s.Releases)
	for _, k := range s.Forgotten {
		if changes == nil {
			changes = map[platform.RequestKey]*state.Release{}
		}
		changes[k] = nil
	}
	next := b.records.With(changes)
	b.records = &next
}

// After is the base once a State is committed, for somebody who does not commit it.
func (b *Base) After(s *State) (*Base, error) {
	if len(s.Changes) == 0 {
		return b, nil
	}
	after := &Base{Releases: maps.Clone(b.Releases), Pins: b.Pins, Files: b.Files}
	return after, after.Commit(s)
}

// Commit makes the base the one after the commit of a State, for a caller that does not commit it.
func (b *Base) Commit(s *State) error {
	files := b.Files
	if files == nil {
		files = embed.FS{}
	}
	changes := maps.Clone(s.Changes)
	for _, cluster := range s.LetGo {
		changes[state.ClusterDir(cluster)] = nil
	}
	edited, err := edits.Over(files, changes)
	if err != nil {
		return fmt.Errorf("take in the state of %s: %w", s.Environment, err)
	}
	b.Advance(s, edited)
	return nil
}

// ReadBase reads a snapshot of a state repository. It fails as a whole: where one file cannot be read, nothing may be
// concluded about the releases that run.
func ReadBase(fsys fs.FS) (*Base, error) {
	base := &Base{Releases: map[platform.RequestKey]*state.Release{}, Files: fsys}
	if err := base.readFleet(); err != nil {
		return nil, err
	}
	teams, err := readDir(fsys, state.ReleasesDir)
	if err != nil {
		return nil, err
	}
	for _, team := range teams {
		if err := base.readTeam(path.Join(state.ReleasesDir, team.Name())); err != nil {
			return nil, err
		}
	}
	return base, nil
}

func (b *Base) readFleet() error {
	content, err := fs.ReadFile(b.Files, state.FleetFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", state.FleetFile, err)
	}
	fleet, err := state.DecodeFleet(content)
	if err != nil {
		return fmt.Errorf("%s: %w", state.FleetFile, err)
	}
	b.Fleet = *fleet
	return nil
}

func (b *Base) readTeam(dir string) error {
	files, err := readDir(b.Files, dir)
	if err != nil {
		return err
	}
	for _, file := range files {
		name := path.Join(dir, file.Name())
		content, err := fs.ReadFile(b.Files, name)
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		release, err := state.DecodeRelease(content)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if want := state.ReleaseFile(release.Key); want != name {
			return fmt.Errorf("%s: is the release of %s, whose file is %s", name, release.Key, want)
		}
		b.Releases[release.Key] = release
	}
	return nil
}

// readDir lists a directory; one that is not there is empty.
func readDir(fsys fs.FS, dir string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(fsys, dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list %s: %w", dir, err)
	}
	return entries, nil
}

// identifying is a file system that knows an id of each file by its content, as Git does: nothing is read for it.
type identifying interface {
	Blob(name string) (string, error)
}

// has says whether a file is there with exactly some content, where that is known without reading it.
func (b *Base) has(name string, content []byte) bool {
	files, ok := b.Files.(identifying)
	if !ok {
		return false
	}
	id, err := files.Blob(name)
	return err == nil && id == blobID(content)
}

// blobID is the id that Git gives the content of a file.
func blobID(content []byte) string {
	h := sha1.New()
	fmt.Fprintf(h, "blob %d\x00", len(content))
	h.Write(content)
	return hex.EncodeToString(h.Sum(nil))
}

// Read returns a file of the snapshot, or nothing where it has none.
func (b *Base) Read(name string) ([]byte, error) {
	if b.Files == nil {
		return nil, nil
	}
	content, err := fs.ReadFile(b.Files, name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return content, nil
}
