package gitrepo

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"github.com/go-git/go-billy/v5"
	"github.com/go-git/go-billy/v5/memfs"
	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5/plumbing"
	gitcache "github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/plumbing/format/idxfile"
	"github.com/go-git/go-git/v5/storage/filesystem"
	"github.com/go-git/go-git/v5/storage/filesystem/dotgit"
)

// deltaBases is how many bytes of objects go-git keeps to resolve others from.
const deltaBases = 2 * gitcache.MiByte

// mostFound bounds how many objects a mirror remembers to have; it looks for others on the disk.
const mostFound = 1 << 16

// A mirror is a bare repository on this disk with the objects of one branch. It is a cache of the remote: objects are only
// ever added as whole packs, so where it has a commit, it has all below it, and if it turns out otherwise it is thrown away.
// It is safe for concurrent use, but for add, which the owner of the remote's lock calls.
type mirror struct {
	dir  string
	room int // for so many more packs, which nobody has to list; that owner counts them

	mu    sync.Mutex // go-git's storage is not safe for concurrent use
	store *filesystem.Storage
	found map[plumbing.Hash]bool // objects that somebody asked for and that are there, which they stay
	lost  map[plumbing.Hash]bool // objects that the remote does not have any more either
}

// A storageError says that a mirror is of no use any more, unless it only has noRoom.
type storageError struct {
	dir string
	err error
}

func (e *storageError) Error() string {
	var at *fs.PathError
	if noRoom(e) && errors.As(e.err, &at) { // of a file whose name is another one each time
		return fmt.Sprintf("local mirror %s: %v; make room on that disk, or have it written to: the mirror is a cache, and what it has stays until then", e.dir, at.Err)
	}
	return fmt.Sprintf("local mirror %s: %v", e.dir, e.err)
}

func (e *storageError) Unwrap() error { return e.err }

// noRoom says whether an error means that the disk takes nothing. Files are replaced as a whole, so that a mirror still has what it had.
func noRoom(err error) bool {
	var e *storageError
	return errors.As(err, &e) && (errors.Is(e.err, syscall.ENOSPC) || errors.Is(e.err, syscall.EDQUOT) || errors.Is(e.err, syscall.EROFS))
}

func (m *mirror) damaged(err error) error {
	if err == nil {
		return nil
	}
	return &storageError{m.dir, err}
}

// newMirror makes an empty mirror at dir, where nothing may be.
func newMirror(dir string) (*mirror, error) {
	for _, d := range []string{"objects/pack", "objects/info", "refs/heads"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o700); err != nil {
			return nil, &storageError{dir, err}
		}
	}
	const config = "[core]\n\trepositoryformatversion = 0\n\tbare = true\n"
	err := errors.Join(
		os.WriteFile(filepath.Join(dir, "config"), []byte(config), 0o600),
		os.WriteFile(filepath.Join(dir, "HEAD"), []byte("ref: refs/heads/main\n"), 0o600))
	if err != nil {
		return nil, &storageError{dir, err}
	}
	return openMirror(dir)
}

// openMirror opens the mirror that an earlier process or call made at dir.
func openMirror(dir string) (*mirror, error) {
	m := &mirror{dir: dir, found: map[plumbing.Hash]bool{}, lost: map[plumbing.Hash]bool{}}
	if _, err := os.Stat(filepath.Join(dir, "objects", "pack")); err != nil {
		return nil, m.damaged(err)
	}
	m.store = filesystem.NewStorageWithOptions(mirrorFS{osfs.New(dir), memfs.New()}, gitcache.NewObjectLRU(deltaBases),
		filesystem.Options{KeepDescriptors: true})
	return m, nil
}

// close lets go of the mirror's files. A reader that still uses it gets a storageError.
func (m *mirror) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	_ = m.store.Close()
}

func (m *mirror) read(kind plumbing.ObjectType, id plumbing.Hash) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.lost[id] {
		return nil, errLost(kind, id)
	}
	content, err := readObject(m.store, kind, id)
	return content, m.damaged(err)
}

func (m *mirror) has(id plumbing.Hash) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.found[id] && m.store.HasEncodedObject(id) == nil {
		if len(m.found) >= mostFound {
			clear(m.found)
		}
		m.found[id] = true
	}
	return m.found[id]
}

// giveUp records that an object cannot be fetched any more, so that nobody makes the mirror anew for its sake.
func (m *mirror) giveUp(kind plumbing.ObjectType, id plumbing.Hash) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lost[id] = true
	return errLost(kind, id)
}

func errLost(kind plumbing.ObjectType, id plumbing.Hash) error {
	return fmt.Errorf("%s %s is damaged here and gone from the remote repository", kind, id)
}

// add stores a pack that was inspected or made here: first its index, then its bytes, each under its name once it is whole. An index without a pack is
// nothing, and whoever comes upon a pack without an index takes the mirror for damaged.
func (m *mirror) add(p *packIndex) error {
	if len(p.objects) == 0 {
		return nil
	}
	known, err := p.index()
	if err != nil {
		return err
	}
	err = m.writePackFile(p.checksum, "idx", func(file *os.File) error { return writeIndex(file, known) })
	if err == nil {
		err = m.writePackFile(p.checksum, "pack", func(file *os.File) error { return p.copyTo(file, p.length()) })
	}
	if err != nil {
		return m.damaged(err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.lost) // the pack may have the objects that were missing
	return m.damaged(m.announce(p.checksum, known))
}

// writePackFile writes one of the files of a pack.
func (m *mirror) writePackFile(pack plumbing.Hash, kind string, write func(*os.File) error) error {
	file, err := os.CreateTemp(filepath.Join(m.dir, "objects", "pack"), "tmp_pack_")
	if err != nil {
		return err
	}
	err = errors.Join(write(file), file.Chmod(0o444), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), m.packFile(pack, kind))
	}
	if err != nil {
		_ = os.Remove(file.Name())
	}
	return err
}

// A mirrorFS is a mirror's directory for go-git. Only announce has it begin a file for a pack, which stays empty: that one is in memory, as a
// disk with very many files takes long to make one more.
type mirrorFS struct {
	billy.Filesystem
	begun billy.Filesystem
}

func isBegun(name string) bool { return strings.HasPrefix(filepath.Base(name), "tmp_pack_") }

func (f mirrorFS) TempFile(dir, prefix string) (billy.File, error) {
	return f.begun.TempFile(dir, prefix)
}

func (f mirrorFS) Open(name string) (billy.File, error) {
	if isBegun(name) {
		return f.begun.Open(name)
	}
	return f.Filesystem.Open(name)
}

func (f mirrorFS) Remove(name string) error {
	if isBegun(name) {
		return f.begun.Remove(name)
	}
	return f.Filesystem.Remove(name)
}

// announce has go-git know a pack that is in the directory now, rather than read the indexes of all packs anew: its writer of
// packs, to which nothing is written, hands on the index. The caller holds the lock.
func (m *mirror) announce(pack plumbing.Hash, index *idxfile.Writer) error {
	w, err := m.store.PackfileWriter()
	if err != nil {
		return err
	}
	w.(*dotgit.PackWriter).Notify(pack, index)
	return w.Close()
}

// head returns the commit that ref had when the mirror was last brought up to date; zero if that cannot be told.
func (m *mirror) head(ref plumbing.ReferenceName) plumbing.Hash {
	content, err := os.ReadFile(filepath.Join(m.dir, filepath.FromSlash(ref.String())))
	if err != nil {
		return plumbing.ZeroHash
	}
	id, err := parseID(strings.TrimSpace(string(content)))
	if err != nil || !m.has(id) {
		return plumbing.ZeroHash
	}
	return id
}

// setHead records that ref is at id. The file is replaced as a whole, which go-git would not do.
func (m *mirror) setHead(ref plumbing.ReferenceName, id plumbing.Hash) error {
	if m.head(ref) == id {
		return nil
	}
	file := filepath.Join(m.dir, filepath.FromSlash(ref.String()))
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return m.damaged(err)
	}
	if err := os.WriteFile(file+".new", []byte(id.String()+"\n"), 0o600); err != nil {
		return m.damaged(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		return m.damaged(err)
	}
	return nil
}
