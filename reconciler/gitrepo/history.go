package gitrepo

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// A CommitInfo is the fields of a commit.
type CommitInfo struct {
	Commit    string
	Parents   []string
	Author    Signature
	Committer Signature
	When      time.Time // as the committer's clock had it
	Subject   string    // the first line of Message
	Message   string
	Trailers  []Trailer // the "Key: value" lines that end Message
}

// Trailer returns the values of the trailers called key, in their order.
func (c CommitInfo) Trailer(key string) []string {
	var values []string
	for _, t := range c.Trailers {
		if t.Key == key {
			values = append(values, t.Value)
		}
	}
	return values
}

// A history answers questions about the commits of one repository. It is safe for concurrent use.
type history struct {
	objects     *objects
	changes     *cache[pathAt, CommitInfo]
	arrivals    *cache[pathAt, CommitInfo]
	generations generations
	lineage     lineage
}

func newHistory(s source) *history {
	return &history{objects: newObjects(s), changes: newCache[pathAt, CommitInfo](changesInMemory), arrivals: newCache[pathAt, CommitInfo](arrivalsInMemory)}
}

// Show returns the fields of a commit.
func (r *Remote) Show(ctx context.Context, commit string) (CommitInfo, error) {
	id, err := r.find(ctx, commit)
	if err != nil {
		return CommitInfo{}, err
	}
	c, err := r.history.objects.commit(id)
	if err != nil {
		return CommitInfo{}, fmt.Errorf("%s: %w", r.server.endpoint, err)
	}
	return infoOf(c), nil
}

// Signed says who signed a commit.
func (r *Remote) Signed(ctx context.Context, commit string) (Signed, error) {
	id, err := r.find(ctx, commit)
	if err != nil {
		return Signed{}, err
	}
	signed, err := r.history.signed(id)
	if err != nil {
		return Signed{}, fmt.Errorf("%s: %w", r.server.endpoint, err)
	}
	return signed, nil
}

// Refused says why a commit is not signed by one of the signers; empty: it is.
func (r *Remote) Refused(ctx context.Context, commit string, by *Signers) (why string, err error) {
	id, err := r.find(ctx, commit)
	if err != nil {
		return "", err
	}
	content, err := r.history.objects.content(plumbing.CommitObject, id)
	if err != nil {
		return "", fmt.Errorf("%s: %w", r.server.endpoint, err)
	}
	return by.refuse(content), nil
}

func (h *history) show(commit string) (CommitInfo, error) {
	id, err := parseID(commit)
	if err != nil {
		return CommitInfo{}, err
	}
	c, err := h.objects.commit(id)
	if err != nil {
		return CommitInfo{}, err
	}
	return infoOf(c), nil
}

func (h *history) signed(id plumbing.Hash) (Signed, error) {
	content, err := h.objects.content(plumbing.CommitObject, id)
	if err != nil {
		return Signed{}, err
	}
	return signedOf(content), nil
}

// IsAncestor says whether the branch went from ancestor to descendant without being rewound, which it also did if
// they are the same. An ancestor that the remote repository does not have any more is none.
func (r *Remote) IsAncestor(ctx context.Context, ancestor, descendant string) (bool, error) {
	to, err := r.find(ctx, descendant)
	if err != nil {
		return false, err
	}
	from, err := parseID(ancestor)
	if err != nil {
		return false, fmt.Errorf("%s: %w", r.server.endpoint, err)
	}
	found, err := r.history.isAncestor(ctx, from, to)
	if err != nil {
		return false, fmt.Errorf("%s: %w", r.server.endpoint, err)
	}
	return found, nil
}

func (h *history) isAncestor(ctx context.Context, from, to plumbing.Hash) (found bool, err error) {
	err = h.walkBack(ctx, to, func(c *object.Commit) ([]plumbing.Hash, error) {
		if c.Hash == from {
			found = true
			return nil, errStop
		}
		return c.ParentHashes, nil
	})
	return found, err
}

// Contains is IsAncestor for whoever asks about many commits of one head after the other: a head is walked back from once, and
// the next one only to the last.
func (r *Remote) Contains(ctx context.Context, head, commit string) (bool, error) {
	of, err := r.find(ctx, head)
	if err != nil {
		return false, err
	}
	id, err := parseID(commit)
	if err != nil {
		return false, nil //nolint:nilerr // an id that is no commit's is in no history
	}
	found, err := r.history.contains(ctx, of, id)
	if err != nil {
		return false, fmt.Errorf("%s: %w", r.server.endpoint, err)
	}
	return found, nil
}

// Generation returns how far a commit is from the beginning of its history: 1 without parents, otherwise one more than the latest of them. An
// ancestor's is always smaller, so commits of one branch can be compared without walking from one to the other.
func (r *Remote) Generation(ctx context.Context, commit string) (int, error) {
	id, err := r.find(ctx, commit)
	if err != nil {
		return 0, err
	}
	n, err := r.history.generation(ctx, id)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", r.server.endpoint, err)
	}
	return n, nil
}

// Log returns the commits that changed the file or directory path, the newest first, and at most limit of them. It
// begins at the head that Fetch returned last, and where a side of a merge kept path as it is, it follows that side
// alone, as git log does.
func (r *Remote) Log(ctx context.Context, path string, limit int) ([]CommitInfo, error) {
	if err := r.start(); err != nil {
		return nil, err
	}
	head := r.branch.head.Load()
	if head == nil {
		var err error
		if head, err = r.Fetch(ctx); err != nil {
			return nil, err
		}
	}
	if head.Commit == "" {
		return nil, nil
	}
	log, err := r.history.log(ctx, plumbing.NewHash(head.Commit), path, limit)
	if err != nil {
		return nil, fmt.Errorf("%s: log of %q: %w", r.server.endpoint, path, err)
	}
	return log, nil
}

// Changed returns the commit that changed the file or directory path last, as of a commit; a zero one where none did.
func (r *Remote) Changed(ctx context.Context, commit, path string) (CommitInfo, error) {
	id, err := r.find(ctx, commit)
	if err != nil {
		return CommitInfo{}, err
	}
	info, err := r.history.changed(ctx, id, path)
	if err != nil {
		return CommitInfo{}, fmt.Errorf("%s: last change of %q: %w", r.server.endpoint, path, err)
	}
	return info, nil
}

// Arrived returns the commit by which a path came to be what it is at a commit, along first parents: the merge, where a branch was
// merged. It is a zero one where the path was never there.
func (r *Remote) Arrived(ctx context.Context, commit, path string) (CommitInfo, error) {
	id, err := r.find(ctx, commit)
	if err != nil {
		return CommitInfo{}, err
	}
	info, err := r.history.arrived(ctx, id, path)
	if err != nil {
		return CommitInfo{}, fmt.Errorf("%s: arrival of %q: %w", r.server.endpoint, path, err)
	}
	return info, nil
}

// Touched returns the files at or below a path that a commit changed against its first parent, sorted by their folders' names, and at
// most limit of them; more says that there are others. Of a commit without parents, that are all its files. Directories that are the
// same are not read.
func (r *Remote) Touched(ctx context.Context, commit, below string, limit int) (files []TouchedFile, more bool, err error) {
	id, err := r.find(ctx, commit)
	if err != nil {
		return nil, false, err
	}
	if files, more, err = r.history.touched(ctx, id, below, limit); err != nil {
		return nil, false, fmt.Errorf("%s: files of commit %s: %w", r.server.endpoint, commit, err)
	}
	return files, more, nil
}

// Head is the commit that Fetch returned last; empty: it returned none yet, or the branch has none.
func (r *Remote) Head() string {
	if head := r.branch.head.Load(); head != nil {
		return head.Commit
	}
	return ""
}

// Has says whether a commit is here, without a question to the server.
func (r *Remote) Has(commit string) bool {
	id, err := parseID(commit)
	return err == nil && r.start() == nil && r.mirror.has(id)
}

// log returns the commits below head that changed path.
func (h *history) log(ctx context.Context, head plumbing.Hash, path string, limit int) (log []CommitInfo, err error) {
	if !fs.ValidPath(path) {
		return nil, errNoPath
	}
	err = h.walkBack(ctx, head, func(c *object.Commit) ([]plumbing.Hash, error) {
		same, err := h.unchangedIn(c, path)
		if err != nil {
			return nil, err
		}
		if same != nil {
			return []plumbing.Hash{*same}, nil
		}
		if log = append(log, infoOf(c)); len(log) >= limit {
			return nil, errStop
		}
		return c.ParentHashes, nil
	})
	return log, err
}

// unchangedIn returns the first parent of c in which path is as in c. For a first commit that does not have path it
// is the zero id.
func (h *history) unchangedIn(c *object.Commit, path string) (*plumbing.Hash, error) {
	here, err := h.idAt(c, path)
	if err != nil {
		return nil, err
	}
	if len(c.ParentHashes) == 0 && here.IsZero() {
		return &plumbing.ZeroHash, nil
	}
	for _, id := range c.ParentHashes {
		parent, err := h.objects.commit(id)
		if err != nil {
			return nil, err
		}
		there, err := h.idAt(parent, path)
		if err != nil {
			return nil, err
		}
		if there == here {
			return &id, nil
		}
	}
	return nil, nil
}

// idAt returns the id of the object at path, zero for none.
func (h *history) idAt(c *object.Commit, path string) (plumbing.Hash, error) {
	e, err := h.objects.walk(c.TreeHash, path)
	if errors.Is(err, fs.ErrNotExist) {
		return plumbing.ZeroHash, nil
	}
	return e.id, err
}

// errStop ends a walk early.
var errStop = errors.New("stop")

// walkBack visits commits from head on, later ones first. visit returns which parents to go on to.
func (h *history) walkBack(ctx context.Context, head plumbing.Hash,
	visit func(*object.Commit) ([]plumbing.Hash, error),
) error {
	queue := &byTime{}
	seen := map[plumbing.Hash]bool{plumbing.ZeroHash: true}
	next := []plumbing.Hash{head}
	for {
		for _, id := range next {
			if seen[id] {
				continue
			}
			seen[id] = true
			c, err := h.objects.commit(id)
			if err != nil {
				return err
			}
			heap.Push(queue, c)
		}
		if queue.Len() == 0 {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		var err error
		if next, err = visit(heap.Pop(queue).(*object.Commit)); errors.Is(err, errStop) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// byTime is a heap of commits with the latest at the top.
type byTime []*object.Commit

func (q byTime) Len() int           { return len(q) }
func (q byTime) Less(i, j int) bool { return q[i].Committer.When.After(q[j].Committer.When) }
func (q byTime) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *byTime) Push(c any)        { *q = append(*q, c.(*object.Commit)) }

func (q *byTime) Pop() any {
	last := len(*q) - 1
	c := (*q)[last]
	*q = (*q)[:last]
	return c
}
