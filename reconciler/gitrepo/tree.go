package gitrepo

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
)

// A tree is one directory of a commit: its entries sorted by name, as fs.ReadDir wants them (Git's own order puts
// the directory "a" after "a.b").
type tree struct {
	entries []entry
}

type entry struct {
	name string
	mode filemode.FileMode
	id   plumbing.Hash
}

func (e entry) isDir() bool { return e.mode == filemode.Dir }

// fsMode shows an entry that is no plain file or directory as such, so that a reader can refuse it.
func (e entry) fsMode() fs.FileMode {
	switch e.mode {
	case filemode.Dir:
		return fs.ModeDir | 0o555
	case filemode.Executable:
		return 0o555
	case filemode.Symlink:
		return fs.ModeSymlink | 0o777
	case filemode.Submodule:
		return fs.ModeIrregular
	default:
		return 0o444
	}
}

func (t *tree) find(name string) (entry, bool) {
	i, ok := slices.BinarySearchFunc(t.entries, name, func(e entry, name string) int { return cmp.Compare(e.name, name) })
	if !ok {
		return entry{}, false
	}
	return t.entries[i], true
}

// decodeTree reads Git's form of a tree: "<octal mode> <name>\0<20 bytes of id>", repeated.
func decodeTree(b []byte) (*tree, error) {
	t := &tree{}
	for len(b) > 0 {
		head, rest, ok := bytes.Cut(b, []byte{0})
		if !ok || len(rest) < len(plumbing.ZeroHash) {
			return nil, errors.New("cut short")
		}
		mode, name, _ := strings.Cut(string(head), " ")
		e := entry{name: name}
		var err error
		if e.mode, err = filemode.New(mode); err != nil {
			return nil, fmt.Errorf("mode %q of %q: %w", mode, name, err)
		}
		if !validName(name) {
			return nil, fmt.Errorf("%q is no file name", name)
		}
		b = rest[copy(e.id[:], rest):]
		t.entries = append(t.entries, e)
	}
	t.sort()
	for i := 1; i < len(t.entries); i++ {
		if t.entries[i].name == t.entries[i-1].name {
			return nil, fmt.Errorf("%q is there twice", t.entries[i].name)
		}
	}
	return t, nil
}

func (t *tree) sort() {
	slices.SortFunc(t.entries, func(a, b entry) int { return cmp.Compare(a.name, b.name) })
}

func (t *tree) encode() []byte {
	sorted := slices.Clone(t.entries)
	key := func(e entry) string {
		if e.isDir() {
			return e.name + "/"
		}
		return e.name
	}
	slices.SortFunc(sorted, func(a, b entry) int { return cmp.Compare(key(a), key(b)) })
	var b []byte
	for _, e := range sorted {
		b = append(strconv.AppendUint(b, uint64(e.mode), 8), ' ')
		b = append(append(b, e.name...), 0)
		b = append(b, e.id[:]...)
	}
	return b
}

// validName says whether name can stand in a tree without being read as something else on a disk.
func validName(name string) bool {
	return fs.ValidPath(name) && name != "." && !strings.Contains(name, "/") && !strings.EqualFold(name, ".git")
}

// walk descends from the directory root along name, which is a path as fs.FS knows them.
func (o *objects) walk(root plumbing.Hash, name string) (entry, error) {
	at := entry{name: ".", mode: filemode.Dir, id: root}
	if name == "." {
		return at, nil
	}
	for part := range strings.SplitSeq(name, "/") {
		if !at.isDir() {
			return entry{}, fs.ErrNotExist
		}
		t, err := o.tree(at.id)
		if err != nil {
			return entry{}, err
		}
		var ok bool
		if at, ok = t.find(part); !ok {
			return entry{}, fs.ErrNotExist
		}
	}
	return at, nil
}

// blobID is e's id. That of an entry that is no plain file has the mode before it, so that it is never equal to a plain one.
func (e entry) blobID() string {
	if e.mode == filemode.Regular {
		return e.id.String()
	}
	return fmt.Sprintf("%o:%s", uint32(e.mode), e.id)
}

// list adds every entry below dir that is no directory to a map, by its path.
func (o *objects) list(dir string, t *tree, to map[string]string) error {
	for _, e := range t.entries {
		name := path.Join(dir, e.name)
		if !e.isDir() {
			to[name] = e.blobID()
			continue
		}
		below, err := o.tree(e.id)
		if err != nil {
			return err
		}
		if err := o.list(name, below, to); err != nil {
			return err
		}
	}
	return nil
}
