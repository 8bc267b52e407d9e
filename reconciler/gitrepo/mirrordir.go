package gitrepo

import (
	"os"
	"sync/atomic"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
)

// A mirrorDir is the directory that a Remote has its mirror in, and the mirror that is open there. Who has the Remote's turn
// changes it; anybody may read.
type mirrorDir struct {
	dir  string
	open atomic.Pointer[mirror] // nil: none is, or the last one was damaged
	full fullDisk               // that ended the last attempt to make one anew
}

// A fullDisk is that of an attempt to make a mirror anew. Each costs the server a whole clone.
type fullDisk struct {
	since time.Time
	err   error // nil: there was room
}

// fullPause is how long nothing is made anew on a disk that was full.
const fullPause = time.Minute

// mayRenew fails with the error of the last attempt to make a mirror anew, if that was a moment ago.
func (d *mirrorDir) mayRenew() error {
	if d.full.err != nil && time.Since(d.full.since) < fullPause {
		return d.full.err
	}
	return nil
}

// stay takes that there is no room for a new mirror: but for the object that was missing, the one on the disk can be read on.
func (d *mirrorDir) stay(err error) {
	d.full = fullDisk{time.Now(), err}
	d.usable()
}

// hasRoom takes that the disk took something.
func (d *mirrorDir) hasRoom() { d.full = fullDisk{} }

// has says whether the open mirror has a commit.
func (d *mirrorDir) has(commit plumbing.Hash) bool {
	m := d.open.Load()
	return m != nil && m.has(commit)
}

// usable returns the open mirror, or opens the one on the disk; nil: there is none.
func (d *mirrorDir) usable() *mirror {
	m := d.open.Load()
	if m == nil {
		var err error
		if m, err = openMirror(d.dir); err != nil {
			return nil
		}
		d.open.Store(m)
	}
	return m
}

// discard closes the open mirror. Its directory is removed when the next one is installed.
func (d *mirrorDir) discard() {
	if m := d.open.Swap(nil); m != nil {
		m.close()
	}
}

// replacement makes an empty mirror beside the one in use.
func (d *mirrorDir) replacement() (*mirror, error) {
	dir := d.dir + ".new"
	if err := os.RemoveAll(dir); err != nil {
		return nil, &storageError{dir, err}
	}
	return newMirror(dir)
}

// install makes a replacement the mirror of the directory.
func (d *mirrorDir) install(replacement *mirror) error {
	d.discard()
	if err := os.RemoveAll(d.dir); err != nil {
		return &storageError{d.dir, err}
	}
	if err := os.Rename(replacement.dir, d.dir); err != nil {
		return &storageError{d.dir, err}
	}
	m, err := openMirror(d.dir)
	if err != nil {
		return err
	}
	d.open.Store(m)
	return nil
}
