package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/transport"
)

// Fetch returns the branch as it is now. It takes one round trip if nothing is new, or a look at a file if the
// repository is local, and else one round trip more for the pack of the new objects. A repository or branch without commits
// is an empty Snapshot, whose Commit is "": whether that may be so is for the caller to judge. Where the branch was rewound,
// the Snapshot is of the commit it was rewound to.
func (r *Remote) Fetch(ctx context.Context) (*Snapshot, error) {
	release, err := r.acquire(ctx)
	if err != nil {
		return nil, err
	}
	last := r.branch.head.Load()
	if r.stillAt(last) {
		release()
		return last, nil
	}
	head, err := r.update(ctx)
	release()
	if err != nil {
		return nil, err
	}
	if last != nil && last.Commit == head.String() {
		return last, nil
	}
	s, err := r.snapshot(head)
	if err != nil {
		return nil, err
	}
	r.branch.head.Store(s)
	return s, nil
}

// Moved asks the server whether the branch is elsewhere than the last Fetch or Commit saw it. Nothing is fetched.
func (r *Remote) Moved(ctx context.Context) (bool, error) {
	release, err := r.acquire(ctx)
	if err != nil {
		return false, err
	}
	defer release()
	last := r.branch.head.Load()
	if r.stillAt(last) {
		return false, nil
	}
	head, err := r.readHead(ctx)
	if err != nil {
		return false, err
	}
	known := plumbing.ZeroHash
	if last != nil {
		known = plumbing.NewHash(last.Commit)
	}
	return last == nil || head != known, nil
}

// stillAt says whether the branch can be seen to be at last without a conversation.
func (r *Remote) stillAt(last *Snapshot) bool {
	return last != nil && r.mirror.open.Load() != nil && r.server.endpoint.local() && looseHead(r.server.endpoint, r.branch.ref).String() == last.Commit
}

// update brings the mirror to the head of the branch, which it returns. The caller has the turn. A mirror that
// fails is made anew, once: if a new one fails too, the disk does.
func (r *Remote) update(ctx context.Context) (plumbing.Hash, error) {
	head, err := r.download(ctx, r.mirror.usable())
	var damaged *storageError
	if errors.As(err, &damaged) && !noRoom(err) {
		r.mirror.discard()
		head, err = r.download(ctx, nil)
	}
	return head, err
}

// download asks the server for the head and for the objects of it that the mirror m does not have. Where m is nil,
// everything goes into a new mirror, which replaces the old one once it is whole.
func (r *Remote) download(ctx context.Context, m *mirror) (head plumbing.Hash, err error) {
	err = r.server.fetching(ctx, func(ctx context.Context, s fetcher) error {
		adv, err := s.AdvertisedReferencesContext(ctx)
		if errors.Is(err, transport.ErrEmptyRemoteRepository) {
			return nil
		}
		if err != nil {
			return err
		}
		if head = r.branch.headOf(adv); head.IsZero() {
			return nil
		}
		if m != nil && m.has(head) {
			return m.setHead(r.branch.ref, head)
		}
		if m != nil && makeRoom(r, m) == nil {
			if err := r.receive(ctx, s, adv, m, head); err != nil {
				return err
			}
			return m.setHead(r.branch.ref, head)
		}
		anew, err := r.mirror.replacement()
		if err != nil {
			return err
		}
		defer anew.close()
		err = r.receive(ctx, s, adv, anew, head)
		if err == nil {
			err = anew.setHead(r.branch.ref, head)
		}
		if err == nil {
			return r.mirror.install(anew)
		}
		_ = os.RemoveAll(anew.dir) // half of one only takes room
		return err
	})
	return head, err
}

// receive adds to m the objects of head that it lacks.
func (r *Remote) receive(ctx context.Context, s fetcher, adv *packp.AdvRefs, m *mirror, head plumbing.Hash) error {
	req := newFetchRequest(adv, head, m.head(r.branch.ref))
	r.server.dog.relax()
	response, err := s.UploadPack(ctx, req)
	if err != nil {
		return err
	}
	defer response.Close()
	scanner, done := r.server.scanner()
	defer done()
	pack, err := inspect(ctx, scanner, packIn(response, req), m.dir, r.server.limits, r.server.dog.demand, r.server.dog.rest)
	if err != nil {
		return err
	}
	defer pack.close()
	if err := m.add(pack); err != nil {
		return err
	}
	r.mirror.hasRoom()
	if !m.has(head) {
		return fmt.Errorf("the pack does not have commit %s, which the branch is at", head)
	}
	return nil
}

// read implements source: from the mirror, and if that fails from a new one.
func (r *Remote) read(kind plumbing.ObjectType, id plumbing.Hash) ([]byte, error) {
	m := r.mirror.open.Load()
	if m != nil {
		content, err := m.read(kind, id)
		var damaged *storageError
		if !errors.As(err, &damaged) {
			return content, err
		}
	}
	return r.readAnew(m, kind, id)
}

// readAnew replaces the mirror broken, unless somebody has done so meanwhile, and reads from the new one.
func (r *Remote) readAnew(broken *mirror, kind plumbing.ObjectType, id plumbing.Hash) ([]byte, error) {
	ctx := context.Background() // a file system's reads have none; every conversation has its own deadline
	release, err := r.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	if m := r.mirror.open.Load(); m == nil || m == broken {
		if err := r.mirror.mayRenew(); err != nil {
			return nil, err
		}
		r.mirror.discard()
		if _, err := r.download(ctx, nil); err != nil {
			if noRoom(err) {
				r.mirror.stay(err)
			}
			return nil, err
		}
	}
	m := r.mirror.open.Load()
	if m == nil {
		return nil, errNoCommit
	}
	content, err := m.read(kind, id)
	if err != nil {
		return nil, m.giveUp(kind, id)
	}
	return content, nil
}

// Half ends the name of the directory, beside that of a mirror, in which Renew makes the new one.
const Half = ".next"

// Renew replaces a mirror that is large by a new one, in which the server has packed the same objects tighter. Everybody goes on with
// the old one while the new one comes, and waits only while its last commits are fetched and the directories change. It does
// nothing where the mirror is not large any more. Where it fails, or ctx ends, the old mirror stays. Objects of other branches are not in
// the new one, so that it is not for a Remote that fetches some beside its own.
func (r *Remote) Renew(ctx context.Context) error {
	if err := r.start(); err != nil {
		return err
	}
	if m := r.mirror.open.Load(); m == nil || !m.isLarge() {
		return nil
	}
	next := &Remote{URL: r.URL, Branch: r.Branch, Dir: r.Dir + Half, Credentials: r.Credentials, Timeout: r.Timeout, Limits: r.Limits}
	defer removeMirror(next)
	if err := os.RemoveAll(next.Dir); err != nil {
		return fmt.Errorf("renew local mirror %s: %w", r.Dir, err)
	}
	if err := catchUp(ctx, r, next); err != nil {
		return fmt.Errorf("renew local mirror %s: %w", r.Dir, err)
	}
	release, err := r.acquire(ctx)
	if err != nil {
		return err
	}
	defer release()
	if err := takeOver(ctx, r, next); err != nil {
		return fmt.Errorf("renew local mirror %s: %w", r.Dir, err)
	}
	return nil
}
