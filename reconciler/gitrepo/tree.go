package gitrepo

import (
	"bytes"
	"cmp"
	"encoding/hex"
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

// leastEntry is how many bytes an entry has at least in Git's form of a tree.
const leastEntry = len("0 a\x00") + len(plumbing.ZeroHash)

// decodeTree reads Git's form of a tree: "<octal mode> <name>\0<20 bytes of id>", repeated.
func decodeTree(b []byte) (*tree, error) {
	most := min(bytes.Count(b, []byte{0}), len(b)/leastEntry) // ids may have zeros, too
	t := &tree{entries: make([]entry, 0, most)}
	for all := string(b); len(all) > 0; { // names share the memory of one text
		head, rest, ok := strings.Cut(all, "\x00")
		if !ok || len(rest) < len(plumbing.ZeroHash) {
			return nil, errors.New("cut short")
		}
		mode, name, _ := strings.Cut(head, " ")
		e := entry{name: name}
		var err error
		if e.mode, err = filemode.New(mode); err != nil {
			return nil, fmt.Errorf("mode %q of %q: %w", mode, name, err)
		}
		if !validName(name) {
			return nil, fmt.Errorf("%q is no file name", name)
		}
		all = rest[copy(e.id[:], rest):]
		t.entries = append(t.entries, e)
	}
	slices.SortFunc(t.entries, byName)
	for i := 1; i < len(t.entries); i++ {
		if t.entries[i].name == t.entries[i-1].name {
			return nil, fmt.Errorf("%q is there twice", t.entries[i].name)
		}
	}
	return t, nil
}

func byName(a, b entry) int { return cmp.Compare(a.name, b.name) }

// byPath is the order of Git: a directory is where a file would be whose name ends with a slash.
func byPath(a, b entry) int {
	common := min(len(a.name), len(b.name))
	if order := cmp.Compare(a.name[:common], b.name[:common]); order != 0 {
		return order
	}
	return cmp.Compare(a.after(common), b.after(common))
}

// after is the byte of the name at a position, as Git orders by it; 0: the name has ended.
func (e entry) after(position int) byte {
	switch {
	case position < len(e.name):
		return e.name[position]
	case e.isDir():
		return '/'
	default:
		return 0
	}
}

func (t *tree) encode() []byte {
	sorted, size := t.entries, 0
	if !slices.IsSortedFunc(sorted, byPath) {
		sorted = slices.SortedFunc(slices.Values(sorted), byPath)
	}
	for _, e := range sorted {
		size += len("100644 ") + len(e.name) + 1 + len(e.id)
	}
	b := make([]byte, 0, size)
	for _, e := range sorted {
		b = strconv.AppendUint(b, uint64(e.mode), 8)
		b = append(append(append(b, ' '), e.name...), 0)
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

// maxBlobID is the length of the longest blobID.
const maxBlobID = len("100644:") + 2*len(plumbing.ZeroHash)

// blobID is e's id. That of an entry that is no plain file has the mode before it, so that it is never equal to a plain one.
func (e entry) blobID() string {
	var text [maxBlobID]byte
	return string(e.appendBlobID(text[:0]))
}

func (e *entry) appendBlobID(to []byte) []byte {
	if e.mode != filemode.Regular {
		to = append(strconv.AppendUint(to, uint64(e.mode), 8), ':')
	}
	return hex.AppendEncode(to, e.id[:])
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
