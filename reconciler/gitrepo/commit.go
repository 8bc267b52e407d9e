package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// ErrRaced says that the branch is no longer where the parent of a commit was: somebody else pushed. Nothing of the
// commit is on the branch, so fetch and decide again.
var ErrRaced = errors.New("the branch has moved meanwhile")

// A Commit is the changes to make, and the message and authors of the commit.
type Commit struct {
	Message   string
	Changes   map[string][]byte // by path: the new content of a file; nil removes it, and directories that are empty then, with it
	Author    Signature
	Committer Signature
	When      time.Time
	Key       *SigningKey // that signs it; nil: it is not signed
}

// A Signature names a person or a machine.
type Signature struct {
	Name  string
	Email string
}

// Commit puts one commit on top of parent, which Fetch or Commit returned, and moves the branch there from exactly
// parent: never over somebody else's commit. It returns the Snapshot of the new head, for which nothing is fetched.
// If the changes change nothing, there is no commit and parent is returned. If the branch has no commit yet, it
// begins with this one.
//
// The result does not rest on the server's answer, as that may be lost: short of a plain success, the branch is read again.
// ErrRaced means that it moved elsewhere, a RejectedError that the server does not want the commit. After any other error
// the commit may or may not be there; Fetch tells.
func (r *Remote) Commit(ctx context.Context, parent *Snapshot, c Commit) (*Snapshot, error) {
	if err := r.start(); err != nil {
		return nil, err
	}
	b := newBuilder(r.history.objects)
	changes, err := changesOf(c.Changes)
	if err != nil {
		return nil, fmt.Errorf("commit to %s: %w", r.server.endpoint, err)
	}
	root, err := b.tree("", parent.root, changes)
	if err != nil {
		return nil, fmt.Errorf("commit to %s: %w", r.server.endpoint, err)
	}
	if root == parent.root {
		return parent, nil
	}
	id, err := b.commit(root, parent, c)
	if err != nil {
		return nil, fmt.Errorf("commit to %s: %w", r.server.endpoint, err)
	}
	pack, err := packOf(b.made)
	if err != nil {
		return nil, fmt.Errorf("commit to %s: %w", r.server.endpoint, err)
	}
	if err := r.push(ctx, advance{from: plumbing.NewHash(parent.Commit), to: id, pack: pack}); err != nil {
		return nil, err
	}
	b.share()
	s := &Snapshot{Commit: id.String(), objects: r.history.objects, root: root}
	r.branch.head.Store(s)
	return s, nil
}

// commit makes the commit object. An emptied repository has Git's empty tree, which is an object like any other.
func (b *builder) commit(root plumbing.Hash, parent *Snapshot, c Commit) (plumbing.Hash, error) {
	if root.IsZero() {
		root = b.add(madeObject{plumbing.TreeObject, nil, &tree{}}, root)
	}
	made := object.Commit{
		TreeHash:  root,
		Author:    c.Author.at(c.When),
		Committer: c.Committer.at(c.When),
		Message:   strings.TrimRight(message(c.Message), "\n") + "\n",
	}
	if parent.Commit != "" {
		made.ParentHashes = []plumbing.Hash{plumbing.NewHash(parent.Commit)}
	}
	content, err := encodeCommit(&made)
	if err == nil && c.Key != nil {
		if made.PGPSignature, err = c.Key.sign(content); err == nil {
			content, err = encodeCommit(&made)
		}
	}
	if err != nil {
		return plumbing.ZeroHash, err
	}
	return b.add(madeObject{kind: plumbing.CommitObject, content: content}, plumbing.ZeroHash), nil
}

func encodeCommit(c *object.Commit) ([]byte, error) {
	encoded := &plumbing.MemoryObject{}
	if err := c.Encode(encoded); err != nil {
		return nil, err
	}
	return contentOf(encoded), nil
}

func (s Signature) at(when time.Time) object.Signature {
	return object.Signature{Name: headerText(s.Name), Email: headerText(s.Email), When: when}
}

// headerText is s fit for a header of a commit: a name may come from another repository, where anybody may be
// called anything.
func headerText(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == '<' || r == '>' || unicode.IsControl(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	if s = strings.Trim(s, " .,:;\"'"); s == "" {
		return "unknown"
	}
	return s
}

// message is s fit for a commit, which Git ends at a zero byte.
func message(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "")
}
