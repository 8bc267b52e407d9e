package gitrepo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
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
	PushAllowed func() error  // asked right before each push, which its error refuses; nil: it is always allowed
	// Large is called, by who has the turn, where the mirror has too much for merging, and has Renew called soon. Nil: the next
	// Fetch or Commit makes the mirror anew, and waits.
	Large func(*Remote)

	started struct {
		once sync.Once
		err  error // why the fields cannot be used
	}
	turn    chan struct{} // with one token: who takes it talks to the server and changes the mirror
	server  server
	branch  trackedBranch
	mirror  mirrorDir
	history *history
}

// start checks the fields, once.
func (r *Remote) start() error {
	r.started.once.Do(func() { r.started.err = r.check() })
	return r.started.err
}

// check makes the parts of the Remote from its fields.
func (r *Remote) check() error {
	endpoint, err := parseEndpoint(r.URL)
	if err != nil {
		return err
	}
	r.turn = make(chan struct{}, 1)
	r.history = newHistory(r)
	r.mirror.dir = r.Dir
	r.server = server{
		endpoint: endpoint, way: &way{endpoint: endpoint, credentials: r.Credentials},
		limits: r.Limits.orDefault(), timeout: cmp.Or(r.Timeout, DefaultTimeout),
	}
	if r.Dir == "" {
		return fmt.Errorf("%s: no directory given for its mirror", endpoint)
	}
	if r.Branch != "" {
		r.branch.ref = plumbing.NewBranchReferenceName(r.Branch)
		if err := r.branch.ref.Validate(); err != nil {
			return fmt.Errorf("%s: branch %q is no valid name", endpoint, r.Branch)
		}
	}
	return nil
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
		return nil, fmt.Errorf("%s: waiting for another call: %w", r.server.endpoint, context.Cause(ctx))
	}
}

// String is the address and branch, free of secrets.
func (r *Remote) String() string {
	if err := r.start(); err != nil {
		return "invalid remote"
	}
	return strings.TrimSuffix(r.server.endpoint.String()+" "+r.Branch, " ")
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
		return id, fmt.Errorf("%s: %w", r.server.endpoint, err)
	}
	if r.mirror.has(id) {
		return id, nil
	}
	if _, err := r.Fetch(ctx); err != nil {
		return id, err
	}
	if !r.mirror.has(id) {
		return id, fmt.Errorf("%s: %w: %s", r.server.endpoint, errNoCommit, commit)
	}
	return id, nil
}

// errNoCommit says that a commit is not in the branch's history.
var errNoCommit = errors.New("the branch has no such commit")

func (r *Remote) snapshot(id plumbing.Hash) (*Snapshot, error) {
	if id.IsZero() {
		return &Snapshot{}, nil
	}
	c, err := r.history.objects.commit(id)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.server.endpoint, err)
	}
	return newSnapshot(r.history.objects, id, c.TreeHash), nil
}

// OtherBranches lists the first branches that the repository had when the last Fetch did not find this one.
func (r *Remote) OtherBranches() []string {
	if others := r.branch.others.Load(); others != nil {
		return *others
	}
	return nil
}
