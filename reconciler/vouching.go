package reconciler

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"transom.dev/reconciler/gitrepo"
	"transom.dev/render/wording"
)

// errUnsigned says that no commit of the platform's branch may be read. It names nobody, as anybody may ask whether the daemon is ready.
var errUnsigned = errors.New("no commit of its branch is signed by a key of --verify-signatures")

// mostUnsigned bounds how many commits are looked at for one that is signed.
const mostUnsigned = 10_000

// A verdict says which commit is followed where the platform's head is at a commit.
type verdict struct {
	head     string
	signers  *gitrepo.Signers
	followed *gitrepo.Snapshot
	frozen   string // why that is not the head; empty: it is
	err      error  // no commit is signed
}

// vouching has the last verdict. It follows from the head and the signers alone, so that a restart and a standby come to the same.
type vouching struct {
	mu   sync.Mutex
	last verdict
}

func (v *vouching) verdict() verdict {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.last
}

func (v *vouching) set(found verdict) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.last = found
}

// vouchedFor returns the head if one of the signers signed it, and otherwise the newest commit of its line of first parents that one
// of them signed. A signed commit vouches for all before it, as its id covers them.
func (r *Reconciler) vouchedFor(ctx context.Context, head *gitrepo.Snapshot) (*gitrepo.Snapshot, error) {
	if r.Signers == nil {
		return head, nil
	}
	signers := r.Signers()
	if last := r.cache.vouching.verdict(); last.head == head.Commit && last.signers == signers {
		return last.followed, last.err
	}
	at, why, err := r.newestSigned(ctx, head.Commit, signers)
	if err != nil {
		return nil, fmt.Errorf("verify the platform's signatures: %w", err)
	}
	found := verdict{head: head.Commit, signers: signers, followed: head}
	if at != head.Commit {
		if found.frozen, err = r.unsigned(ctx, head.Commit, why, at); err != nil {
			return nil, err
		}
		if at == "" {
			found.err = fmt.Errorf("platform %s: %w", r.PlatformURL, errUnsigned)
		} else if found.followed, err = r.Platform.At(ctx, at); err != nil {
			return nil, err
		}
	}
	r.cache.vouching.set(found)
	return found.followed, found.err
}

// newestSigned looks for a signed commit from the head on, first parent by first parent; why is about the head.
func (r *Reconciler) newestSigned(ctx context.Context, head string, signers *gitrepo.Signers) (commit, why string, err error) {
	at := head
	for range mostUnsigned {
		refused, err := r.Platform.Refused(ctx, at, signers)
		if err != nil || refused == "" {
			return at, why, err
		}
		if at == head {
			why = refused
		}
		info, err := r.Platform.Show(ctx, at)
		if err != nil || len(info.Parents) == 0 {
			return "", why, err
		}
		at = info.Parents[0]
	}
	return "", why, nil
}

// unsigned says in words that the head is not vouched for, and which commit is followed; empty: none.
func (r *Reconciler) unsigned(ctx context.Context, head, why, followed string) (string, error) {
	info, err := r.Platform.Show(ctx, head)
	if err != nil {
		return "", err
	}
	consequence := "the platform is frozen at " + followed + ", the newest commit before it that is signed"
	if followed == "" {
		consequence = "no commit before it is signed by such a key, so nothing is read"
	}
	author := wording.Shorten(wording.Clean(info.Author.Name + " <" + info.Author.Email + ">"))
	return fmt.Sprintf("commit %s of %s is not vouched for: %s; %s. Merge through the forge whose key is allowed, or push a signed commit "+
		"on top (git commit -S --allow-empty); if its key is to be believed, add that to the file of --verify-signatures",
		head, author, why, consequence), nil
}

// overtaken says why an environment that runs a commit does not go back to the one that is followed, where the platform is frozen and
// its head continues the former; empty: that is not so.
func (r *Reconciler) overtaken(ctx context.Context, runs string) (string, error) {
	now := r.cache.vouching.verdict()
	if now.frozen == "" {
		return "", nil
	}
	continues, err := r.Platform.IsAncestor(ctx, runs, now.head)
	if err != nil || !continues {
		return "", err
	}
	return fmt.Sprintf("this environment runs %s, which no key vouches for any more: nothing is committed or deleted until a commit on "+
		"top of it is signed. %s", runs, now.frozen), nil
}
