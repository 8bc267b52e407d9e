package gitrepo

import (
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"strconv"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/storer"
)

// A source gives the content of the objects of one repository. It is safe for concurrent use.
type source interface {
	read(kind plumbing.ObjectType, id plumbing.Hash) ([]byte, error)
}

// The most that one repository may keep in memory: contents and commits in bytes, trees in entries.
const (
	contentsInMemory = 8 << 20
	commitsInMemory  = 16 << 20
	treesInMemory    = 200_000
)

// objects reads one repository's objects through caches that all of its snapshots share. Git names objects by
// content, so the caches stay true whatever becomes of the repository.
type objects struct {
	source   source
	contents *cache[plumbing.Hash, []byte]
	commits  *cache[plumbing.Hash, *object.Commit]
	trees    *cache[plumbing.Hash, *tree]
	extents  *cache[plumbing.Hash, extent]
}

func newObjects(s source) *objects {
	return &objects{
		source:   s,
		contents: newCache[plumbing.Hash, []byte](contentsInMemory),
		commits:  newCache[plumbing.Hash, *object.Commit](commitsInMemory),
		trees:    newCache[plumbing.Hash, *tree](treesInMemory),
		extents:  newCache[plumbing.Hash, extent](treesInMemory),
	}
}

// blob returns a file's content, which the caller must not change.
func (o *objects) blob(id plumbing.Hash) ([]byte, error) {
	return o.content(plumbing.BlobObject, id)
}

func (o *objects) content(kind plumbing.ObjectType, id plumbing.Hash) ([]byte, error) {
	if b, ok := o.contents.get(id); ok {
		return b, nil
	}
	b, err := o.source.read(kind, id)
	if err != nil {
		return nil, err
	}
	o.contents.put(id, b, len(b)+100)
	return b, nil
}

// tree returns a directory, which the caller must not change.
func (o *objects) tree(id plumbing.Hash) (*tree, error) {
	if id.IsZero() {
		return &tree{}, nil
	}
	if t, ok := o.trees.get(id); ok {
		return t, nil
	}
	b, err := o.source.read(plumbing.TreeObject, id)
	if err != nil {
		return nil, err
	}
	t, err := decodeTree(b)
	if err != nil {
		return nil, fmt.Errorf("tree %s: %w", id, err)
	}
	o.trees.put(id, t, len(t.entries)+1)
	return t, nil
}

// commit returns a commit, which the caller must not change.
func (o *objects) commit(id plumbing.Hash) (*object.Commit, error) {
	if c, ok := o.commits.get(id); ok {
		return c, nil
	}
	b, err := o.source.read(plumbing.CommitObject, id) // decoded it is all that is kept
	if err != nil {
		return nil, err
	}
	c, err := decodeCommit(id, b)
	if err != nil {
		return nil, err
	}
	o.commits.put(id, c, len(b)+400)
	return c, nil
}

func decodeCommit(id plumbing.Hash, content []byte) (*object.Commit, error) {
	encoded := &plumbing.MemoryObject{}
	encoded.SetType(plumbing.CommitObject)
	if _, err := encoded.Write(content); err != nil {
		return nil, err
	}
	c := &object.Commit{}
	if err := c.Decode(encoded); err != nil {
		return nil, fmt.Errorf("commit %s: %w", id, err)
	}
	return c, nil
}

// readObject reads an object and checks its content against its id, which neither Git's packs nor go-git do: a damaged tree
// that still parses would look like files that were removed.
func readObject(s storer.EncodedObjectStorer, kind plumbing.ObjectType, id plumbing.Hash) (content []byte, err error) {
	encoded, err := s.EncodedObject(kind, id)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", kind, id, err)
	}
	r, err := encoded.Reader()
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", kind, id, err)
	}
	if size := encoded.Size(); size <= 1<<20 { // as it says, which a damaged object may say wrongly; its id tells
		content = make([]byte, size)
		_, err = io.ReadFull(r, content)
	} else {
		content, err = io.ReadAll(r)
	}
	if err = errors.Join(err, r.Close()); err != nil {
		return nil, fmt.Errorf("%s %s: %w", kind, id, err)
	}
	if idOf(kind, content) != id {
		return nil, fmt.Errorf("%s %s: the stored content is damaged", kind, id)
	}
	return content, nil
}

// idOf is the id under which Git knows content.
func idOf(kind plumbing.ObjectType, content []byte) plumbing.Hash {
	h := sha1.New()
	beginID(h, kind, int64(len(content)))
	h.Write(content)
	return plumbing.Hash(h.Sum(nil))
}

// beginID writes to h all of which the id of an object is the sum but its content.
func beginID(h hash.Hash, kind plumbing.ObjectType, size int64) {
	h.Reset()
	h.Write([]byte(kind.String() + " " + strconv.FormatInt(size, 10) + "\x00"))
}

// parseID reads a full object id.
func parseID(s string) (plumbing.Hash, error) {
	var id plumbing.Hash
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(id) || bytes.Equal(b, id[:]) {
		return id, fmt.Errorf("%q is no commit id; give all 40 hexadecimal digits", s)
	}
	copy(id[:], b)
	return id, nil
}

// IsID reports whether a text is a full object id, all 40 hexadecimal digits.
func IsID(s string) bool {
	_, err := parseID(s)
	return err == nil
}

// contentOf returns the content of an object that is in memory.
func contentOf(o plumbing.EncodedObject) []byte {
	r, err := o.Reader()
	if err != nil {
		return nil
	}
	content := make([]byte, o.Size()) // no more: caches keep it
	_, _ = io.ReadFull(r, content)
	return content
}
