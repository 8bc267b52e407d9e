package gitrepo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/go-git/go-git/v5/plumbing/transport"
)

// A RejectedError is a commit that the server did not take although the branch is where it was, by a hook or a rule
// for the branch. Trying the same again will not help.
type RejectedError struct {
	Remote  string // the address
	Status  string // Git's message about the branch, such as "pre-receive hook declined"
	Message string // the output of the server's hook, one line
}

func (e *RejectedError) Error() string {
	if e.Message == "" {
		return fmt.Sprintf("%s: commit rejected: %s", e.Remote, e.Status)
	}
	return fmt.Sprintf("%s: commit rejected: %s: %s", e.Remote, e.Status, e.Message)
}

// An advance moves the branch.
type advance struct {
	from, to plumbing.Hash // from is zero where the branch does not exist
	pack     *packIndex
}

// push sends an advance and finds out whether it succeeded.
func (r *Remote) push(ctx context.Context, a advance) error {
	release, err := r.acquire(ctx)
	if err != nil {
		return err
	}
	defer release()
	if r.branch.ref == "" {
		if _, err := r.update(ctx); err != nil {
			return err
		}
	}
	sent, refusal, err := r.send(ctx, a)
	if err == nil && refusal == nil {
		r.mirrorAdvance(a)
		return nil
	}
	if !sent {
		return err
	}
	return r.resolveOutcome(ctx, a, refusal, err)
}

// send has the conversation. sent says whether the server may have acted.
func (r *Remote) send(ctx context.Context, a advance) (sent bool, refusal *RejectedError, err error) {
	err = r.server.pushing(ctx, func(ctx context.Context, s pusher) error {
		adv, err := s.AdvertisedReferencesContext(ctx)
		switch {
		case errors.Is(err, transport.ErrEmptyRemoteRepository):
			adv = packp.NewAdvRefs()
			_ = adv.Capabilities.Set(capability.ReportStatus)
		case err != nil:
			return err
		}
		if adv.References[r.branch.ref.String()] != a.from {
			return ErrRaced
		}
		if r.PushAllowed != nil {
			if err := r.PushAllowed(); err != nil {
				return err
			}
		}
		said := &tail{}
		sent = true
		r.server.dog.relax()
		report, err := s.ReceivePack(ctx, a.request(adv, r.branch.ref, said))
		if report == nil {
			return errors.Join(errors.New("no report came back"), err)
		}
		if report.Error() != nil {
			refusal = r.server.refusalOf(report, said)
		}
		return nil
	})
	return sent, refusal, err
}

func (a advance) request(adv *packp.AdvRefs, branch plumbing.ReferenceName, output io.Writer) *packp.ReferenceUpdateRequest {
	req := packp.NewReferenceUpdateRequestFromCapabilities(adv.Capabilities)
	if adv.Capabilities.Supports(capability.Sideband64k) {
		_ = req.Capabilities.Set(capability.Sideband64k)
		req.Progress = output
	}
	req.Commands = []*packp.Command{{Name: branch, Old: a.from, New: a.to}}
	req.Packfile = io.NopCloser(bytes.NewReader(a.pack.memory.Bytes()))
	return req
}

func (s *server) refusalOf(report *packp.ReportStatus, said *tail) *RejectedError {
	status := "unpack: " + report.UnpackStatus
	for _, c := range report.CommandStatuses {
		if c.Error() != nil {
			status = c.Status
		}
	}
	return &RejectedError{
		Remote:  s.endpoint.String(),
		Status:  printable(s.access.redact(status)),
		Message: printable(s.access.redact(said.String())),
	}
}

// resolveOutcome decides by where the branch is now whether an advance arrived. It also does so when ctx has ended: the next
// fetch would have to find out otherwise.
func (r *Remote) resolveOutcome(ctx context.Context, a advance, refusal *RejectedError, cause error) error {
	now, err := r.readHead(context.WithoutCancel(ctx))
	switch {
	case err != nil && refusal != nil:
		return refusal
	case err != nil:
		return fmt.Errorf("whether the commit arrived is not known: %w", errors.Join(cause, err))
	case now == a.to:
		r.mirrorAdvance(a)
		return nil
	case now != a.from:
		return fmt.Errorf("%s: %w", r.server.endpoint, ErrRaced)
	case refusal != nil:
		return refusal
	default:
		return fmt.Errorf("the commit has not arrived: %w", cause)
	}
}

// readHead asks the server where the branch is.
func (r *Remote) readHead(ctx context.Context) (head plumbing.Hash, err error) {
	err = r.server.fetching(ctx, func(ctx context.Context, s fetcher) error {
		adv, err := s.AdvertisedReferencesContext(ctx)
		if err != nil && !errors.Is(err, transport.ErrEmptyRemoteRepository) {
			return err
		}
		if err == nil {
			head = r.branch.headOf(adv)
		}
		return nil
	})
	return head, err
}

// mirrorAdvance adds the objects that were pushed to the mirror, so that nothing needs to be fetched. A mirror that does not take it
// is for the next reader to make anew: the commit is on the branch all the same.
func (r *Remote) mirrorAdvance(a advance) {
	m := r.mirror.usable()
	if m == nil && a.from.IsZero() {
		r.mirrorFirst(a)
		return
	}
	if m == nil {
		return
	}
	if needsBase := !a.from.IsZero(); needsBase && !m.has(a.from) {
		return
	}
	err := makeRoom(r, m)
	if err == nil {
		err = m.add(a.pack)
	}
	if err == nil {
		err = m.setHead(r.branch.ref, a.to)
	}
	if err != nil && !noRoom(err) {
		r.mirror.discard()
	}
}

// mirrorFirst makes a mirror of a branch's first commit, which has no history.
func (r *Remote) mirrorFirst(a advance) {
	m, err := r.mirror.replacement()
	if err != nil {
		return
	}
	defer m.close()
	if m.add(a.pack) == nil && m.setHead(r.branch.ref, a.to) == nil {
		_ = r.mirror.install(m)
	}
}

// MayPush says whether the server would take a push with these credentials: it lists its branches for one. Nothing is pushed.
func (r *Remote) MayPush(ctx context.Context) (bool, error) {
	release, err := r.acquire(ctx)
	if err != nil {
		return false, err
	}
	defer release()
	err = r.server.pushing(ctx, func(ctx context.Context, s pusher) error {
		_, err := s.AdvertisedReferencesContext(ctx)
		if errors.Is(err, transport.ErrEmptyRemoteRepository) {
			return nil
		}
		return err
	})
	for _, refused := range []error{transport.ErrAuthenticationRequired, transport.ErrAuthorizationFailed, transport.ErrRepositoryNotFound} {
		if errors.Is(err, refused) {
			return false, nil
		}
	}
	return err == nil, err
}
