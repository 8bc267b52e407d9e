package gitrepo

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
)

// A Snapshot is the tree of one commit as a file system. It never changes and is safe for concurrent use; two Snapshots of
// one repository share the objects that their commits share. Nothing is followed: a symbolic link shows fs.ModeSymlink, a
// submodule fs.ModeIrregular, and neither can be read. Files have no times.
//
// The zero value is the empty tree of a branch that has no commit yet.
type Snapshot struct {
	Commit string // 40 hexadecimal digits; "" where there is no commit yet

	objects *objects
	root    plumbing.Hash // the tree, zero: empty
}

var (
	_ fs.ReadDirFS  = (*Snapshot)(nil)
	_ fs.ReadFileFS = (*Snapshot)(nil)
	_ fs.StatFS     = (*Snapshot)(nil)
)

// emptyTree is the id of a tree without entries, which Snapshots and builders write as zero.
var emptyTree = idOf(plumbing.TreeObject, nil)

func newSnapshot(o *objects, commit, root plumbing.Hash) *Snapshot {
	if root == emptyTree {
		root = plumbing.ZeroHash
	}
	return &Snapshot{Commit: commit.String(), objects: o, root: root}
}

// Open implements fs.FS.
func (s *Snapshot) Open(name string) (fs.File, error) {
	e, err := s.find("open", name)
	if err != nil {
		return nil, err
	}
	info := info{s, e}
	if e.isDir() {
		entries, err := s.ReadDir(name)
		if err != nil {
			return nil, err
		}
		return &openDir{info: info, name: name, rest: entries}, nil
	}
	content, err := s.content("open", name, e)
	if err != nil {
		return nil, err
	}
	return &openFile{info: info, Reader: bytes.NewReader(content)}, nil
}

// ReadFile implements fs.ReadFileFS.
func (s *Snapshot) ReadFile(name string) ([]byte, error) {
	e, err := s.find("read", name)
	if err != nil {
		return nil, err
	}
	content, err := s.content("read", name, e)
	if err != nil {
		return nil, err
	}
	return bytes.Clone(content), nil
}

// ReadDir implements fs.ReadDirFS.
func (s *Snapshot) ReadDir(name string) ([]fs.DirEntry, error) {
	e, err := s.find("readdir", name)
	if err != nil {
		return nil, err
	}
	if !e.isDir() {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: errors.New("not a directory")}
	}
	if e.id.IsZero() {
		return nil, nil
	}
	t, err := s.objects.tree(e.id)
	if err != nil {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: err}
	}
	entries, own := make([]fs.DirEntry, len(t.entries)), make([]dirEntry, len(t.entries))
	for i := range t.entries {
		own[i] = dirEntry{s, &t.entries[i]}
		entries[i] = &own[i]
	}
	return entries, nil
}

// Stat implements fs.StatFS.
func (s *Snapshot) Stat(name string) (fs.FileInfo, error) {
	e, err := s.find("stat", name)
	if err != nil {
		return nil, err
	}
	return info{s, e}, nil
}

// Blobs returns the blob id of every file below dir by its path from the root: equal ids are equal bytes, in all
// Snapshots of all repositories. A symbolic link, submodule or executable file has an id that no plain file has. A dir that
// does not exist has no files. The map is made anew at each call: lists of very many files that nobody needs any more would
// take much memory.
func (s *Snapshot) Blobs(dir string) (map[string]string, error) {
	e, err := s.find("list", dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	case !e.isDir():
		return nil, &fs.PathError{Op: "list", Path: dir, Err: errors.New("not a directory")}
	case e.id.IsZero():
		return nil, nil
	}
	if err := s.objects.bounded(e.id); err != nil {
		return nil, &fs.PathError{Op: "list", Path: dir, Err: err}
	}
	t, err := s.objects.tree(e.id)
	if err != nil {
		return nil, &fs.PathError{Op: "list", Path: dir, Err: err}
	}
	blobs := make(map[string]string, len(t.entries))
	if err := s.objects.list(dir, t, blobs); err != nil {
		return nil, &fs.PathError{Op: "list", Path: dir, Err: err}
	}
	return blobs, nil
}

// Blob returns the blob id of one file as Blobs has it; empty where there is none.
func (s *Snapshot) Blob(name string) (string, error) {
	e, err := s.find("list", name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", nil
	case err != nil:
		return "", err
	case e.isDir():
		return "", nil
	}
	return e.blobID(), nil
}

func (s *Snapshot) find(op, name string) (entry, error) {
	if !fs.ValidPath(name) {
		return entry{}, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	if s.root.IsZero() && name != "." {
		return entry{}, &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
	}
	e, err := s.objects.walk(s.root, name)
	if err != nil {
		return entry{}, &fs.PathError{Op: op, Path: name, Err: err}
	}
	return e, nil
}

func (s *Snapshot) content(op, name string, e entry) ([]byte, error) {
	fail := func(err error) ([]byte, error) { return nil, &fs.PathError{Op: op, Path: name, Err: err} }
	switch mode := e.fsMode(); {
	case mode.IsDir():
		return fail(errors.New("is a directory"))
	case mode&fs.ModeSymlink != 0:
		return fail(errors.New("is a symbolic link, which is not followed"))
	case !mode.IsRegular():
		return fail(errors.New("is a submodule, which is not followed"))
	}
	content, err := s.objects.blob(e.id)
	if err != nil {
		return fail(err)
	}
	return content, nil
}

// dirEntry finds out a file's size only when asked.
type dirEntry struct {
	s *Snapshot
	e *entry
}

func (d *dirEntry) Name() string               { return d.e.name }
func (d *dirEntry) IsDir() bool                { return d.e.isDir() }
func (d *dirEntry) Type() fs.FileMode          { return d.e.fsMode().Type() }
func (d *dirEntry) Info() (fs.FileInfo, error) { return info{d.s, *d.e}, nil }
func (d *dirEntry) String() string             { return fs.FormatDirEntry(d) }

// ID is the id that Blobs gives a file, and the same for a directory: equal ids are equal content, names and modes included.
func (d *dirEntry) ID() string { return d.e.blobID() }

// HasID reports whether ID is the same as that. It makes no text: each load and each state commit asks for the ids of all teams.
func (d *dirEntry) HasID(id string) bool {
	var text [maxBlobID]byte
	return string(d.e.appendBlobID(text[:0])) == id
}

type info struct {
	s *Snapshot
	e entry
}

func (i info) Name() string       { return path.Base(i.e.name) }
func (i info) Mode() fs.FileMode  { return i.e.fsMode() }
func (i info) ModTime() time.Time { return time.Time{} }
func (i info) IsDir() bool        { return i.e.isDir() }
func (i info) Sys() any           { return nil }
func (i info) String() string     { return fs.FormatFileInfo(i) }

// Size is that of a file's content; 0 where it cannot be read, which reading then says.
func (i info) Size() int64 {
	if !i.Mode().IsRegular() {
		return 0
	}
	content, err := i.s.objects.blob(i.e.id)
	if err != nil {
		return 0
	}
	return int64(len(content))
}

type openFile struct {
	info
	*bytes.Reader
}

func (f *openFile) Stat() (fs.FileInfo, error) { return f.info, nil }
func (f *openFile) Size() int64                { return f.Reader.Size() }
func (f *openFile) Close() error               { return nil }

type openDir struct {
	info
	name string
	rest []fs.DirEntry
}

func (d *openDir) Stat() (fs.FileInfo, error) { return d.info, nil }
func (d *openDir) Close() error               { return nil }

func (d *openDir) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.name, Err: errors.New("is a directory")}
}

// ReadDir implements fs.ReadDirFile.
func (d *openDir) ReadDir(n int) ([]fs.DirEntry, error) {
	if n <= 0 {
		n = len(d.rest)
	} else if len(d.rest) == 0 {
		return nil, io.EOF
	}
	n = min(n, len(d.rest))
	some := d.rest[:n]
	d.rest = d.rest[n:]
	return some, nil
}

// String names the commit, for logs.
func (s *Snapshot) String() string {
	if s.Commit == "" {
		return "no commit"
	}
	return fmt.Sprintf("commit %s", s.Commit)
}
