package gitrepo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
)

// A Remote is one branch of a repository somewhere else. Fill in the fields and call its methods, from as many
// goroutines as wanted; do not change a field after that, nor copy it.
type Remote struct {
	URL         string // a path, file://, https:// or ssh:// address, or git@host:path; plain http for this machine only
	Branch      string // "" is the branch that the repository's HEAD names
	Dir         string // a directory for the mirror, a cache of this Remote alone; may be deleted at any time
	Credentials Credentials
	Timeout     time.Duration // how long the server may be silent; 0 is 30 seconds
	Limits      Limits        // of the server's answers

	once     sync.Once
	invalid  error // why URL or Branch cannot be used
	endpoint endpoint
	access   *access
	limits   Limits
	dog      *watchdog // of the conversation under way; belongs to who has the turn
	objects  *objects
	turn     chan struct{} // holds one token: who has it talks to the server and changes the mirror
	mirror   atomic.Pointer[mirror]
	last     atomic.Pointer[Snapshot] // the head when it was last asked for
	others   atomic.Pointer[[]string] // branches of a repository that does not have this one
	ref      plumbing.ReferenceName   // of the branch, once known; belongs to who has the turn
}

// start checks the fields, once.
func (r *Remote) start() error {
	r.once.Do(func() {
		r.turn, r.limits = make(chan struct{}, 1), r.Limits.orDefault()
		r.objects = newObjects(r)
		if r.endpoint, r.invalid = parseEndpoint(r.URL); r.invalid != nil {
			return
		}
		if r.Branch != "" {
			r.ref = plumbing.NewBranchReferenceName(r.Branch)
			if err := r.ref.Validate(); err != nil {
				r.invalid = fmt.Errorf("%s: branch %q is no valid name", r.endpoint, r.Branch)
			}
		}
		if r.Dir == "" {
			r.invalid = fmt.Errorf("%s: no directory given for its mirror", r.endpoint)
		}
		r.access = &access{credential: r.Credentials.find(r.endpoint)}
	})
	return r.invalid
}

// acquire waits for the turn. release must be called where there is no error.
func (r *Remote) acquire(ctx context.Context) (release func(), err error) {
	if err := r.start(); err != nil {
		return nil, err
	}
	select {
	case r.turn <- struct{}{}:
		return func() { <-r.turn }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("%s: waiting for another call: %w", r.endpoint, context.Cause(ctx))
	}
}

func (r *Remote) patience() time.Duration { return cmp.Or(r.Timeout, DefaultTimeout) }

// String is the address and branch, free of secrets.
func (r *Remote) String() string {
	if err := r.start(); err != nil {
		return "invalid remote"
	}
	return strings.TrimSuffix(r.endpoint.String()+" "+r.Branch, " ")
}

// At returns the Snapshot of a commit, asking the server if the mirror does not have it. Only commits that the branch has or
// had can be found.
func (r *Remote) At(ctx context.Context, commit string) (*Snapshot, error) {
	id, err := r.find(ctx, commit)
	if err != nil {
		return nil, err
	}
	return r.snapshot(id)
}

// find makes sure that the mirror has commit.
func (r *Remote) find(ctx context.Context, commit string) (plumbing.Hash, error) {
	if err := r.start(); err != nil {
		return plumbing.ZeroHash, err
	}
	id, err := parseID(commit)
	if err != nil {
		return id, fmt.Errorf("%s: %w", r.endpoint, err)
	}
	if m := r.mirror.Load(); m != nil && m.has(id) {
		return id, nil
	}
	if _, err := r.Fetch(ctx); err != nil {
		return id, err
	}
	if m := r.mirror.Load(); m == nil || !m.has(id) {
		return id, fmt.Errorf("%s: %w: %s", r.endpoint, errNoCommit, commit)
	}
	return id, nil
}

// errNoCommit says that a commit is not in the branch's history.
var errNoCommit = errors.New("the branch has no such commit")

func (r *Remote) snapshot(id plumbing.Hash) (*Snapshot, error) {
	if id.IsZero() {
		return &Snapshot{}, nil
	}
	c, err := r.objects.commit(id)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.endpoint, err)
	}
	return newSnapshot(r.objects, id, c.TreeHash), nil
}

// headOf finds the branch among those that the server advertises. Zero is a branch without commits.
func (r *Remote) headOf(adv *packp.AdvRefs) plumbing.Hash {
	if r.ref == "" {
		r.ref = defaultBranch(adv)
	}
	r.others.Store(nil)
	head, there := adv.References[r.ref.String()]
	if !there {
		r.others.Store(branchesOf(adv))
	}
	return head
}

// mostBranches bounds how many branches of a repository are named.
const mostBranches = 10

// branchesOf lists the first branches that a server advertises, sorted.
func branchesOf(adv *packp.AdvRefs) *[]string {
	list := []string{}
	for ref := range adv.References {
		if branch, ok := strings.CutPrefix(ref, "refs/heads/"); ok {
			list = append(list, printable(branch))
		}
	}
	slices.Sort(list)
	list = list[:min(len(list), mostBranches)]
	return &list
}

// OtherBranches lists the first branches that the repository had when the last Fetch did not find this one.
func (r *Remote) OtherBranches() []string {
	if others := r.others.Load(); others != nil {
		return *others
	}
	return nil
}

// defaultBranch is the branch that the server's HEAD names. A server does not say that of an empty repository; main is as
// good a guess as any then.
func defaultBranch(adv *packp.AdvRefs) plumbing.ReferenceName {
	for _, symref := range adv.Capabilities.Get(capability.SymRef) {
		if target, ok := strings.CutPrefix(symref, "HEAD:"); ok {
			return plumbing.ReferenceName(target)
		}
	}
	return plumbing.Main
}
