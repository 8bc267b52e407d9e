package reconciler

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"transom.dev/reconciler/gitrepo"
	"transom.dev/render"
	"transom.dev/render/platform"
)

// A stateBranch is the branch of an environment's state repository, with its content as this process last saw or made it.
type stateBranch struct {
	address  string // that repo was opened for
	repo     StateRepo
	identity string        // for a state repository that has none yet
	last     *stateContent // nil: it is to be read anew
}

// stateContent is the content of a state branch.
type stateContent struct {
	head     *gitrepo.Snapshot // of the branch; the parent of the next commit
	believed *gitrepo.Snapshot // the last commit that is believed to be Transom's: it is deployed
	base     *render.Base      // the content of that

	fetched time.Time // when the fetch of head began

	abandons bool // a person approved to leave the accepted platform commit behind: the new one is recorded at once
}

// open makes b.repo the repository that the environment names now.
func (b *stateBranch) open(open func(*platform.Environment) (StateRepo, error), e *platform.Environment) error {
	address := e.State.URL + "#" + e.State.Branch
	if b.repo != nil && b.address == address {
		return nil
	}
	repo, err := open(e)
	if err != nil {
		return err
	}
	b.address, b.repo, b.last = address, repo, nil
	return nil
}

// fetch reads the head of the branch, and decodes it unless it is the one that was seen or made last.
func (b *stateBranch) fetch(ctx context.Context, environment string, trust *Trust) (*stateContent, error) {
	began := time.Now()
	head, err := b.repo.Fetch(ctx)
	if err != nil {
		return nil, err
	}
	if b.last != nil && b.last.head.Commit == head.Commit {
		b.last.fetched = began
		return b.last, nil
	}
	b.identity = cmp.Or(b.identity, newIdentity())
	believed, err := trust.believed(ctx, b.repo, environment, head)
	if err != nil {
		return nil, err
	}
	if err := believed.Bounded(); err != nil {
		return nil, fmt.Errorf("read state commit %s: %w", believed.Commit, err)
	}
	base, err := render.ReadBase(believed)
	if err != nil {
		return nil, fmt.Errorf("read state commit %s: %w", believed.Commit, err)
	}
	base.Identity = b.identity
	b.last = &stateContent{head: head, believed: believed, base: base, fetched: began}
	return b.last, nil
}
