package gitrepo

import (
	"context"
	"errors"

	"github.com/go-git/go-git/v5/plumbing/transport"
)

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
