package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/transport"
)

// A session is one conversation with git-upload-pack or git-receive-pack on the other end, whatever carries it.
type session interface {
	// AdvertisedReferencesContext is the first thing the other end says: its branches and what it can do.
	AdvertisedReferencesContext(ctx context.Context) (*packp.AdvRefs, error)
	Close() error
}

// A fetching session can ask for objects.
type fetching interface {
	session
	UploadPack(ctx context.Context, req *packp.UploadPackRequest) (*packp.UploadPackResponse, error)
}

// A pushing session can send objects and move branches.
type pushing interface {
	session
	ReceivePack(ctx context.Context, req *packp.ReferenceUpdateRequest) (*packp.ReportStatus, error)
}

// patience is how long a server may be silent where Remote.Timeout says nothing. Git sends a sign of life every five
// seconds while it packs objects or runs hooks.
const patience = 30 * time.Second

// talks is how many times its patience a whole conversation may take.
const talks = 10

// errSilent is the cause of a conversation that ended because nothing came.
var errSilent = errors.New("no answer")

// A watchdog ends a conversation when nothing has moved for a while, so that neither a hanging server nor one that
// is merely slow decides how long somebody waits.
type watchdog struct {
	timer   *time.Timer
	silence time.Duration
}

// watch returns a context that ends with errSilent when the watchdog has seen nothing for the length of silence, or
// after talks times that. stop must be called.
func watch(ctx context.Context, silence time.Duration) (context.Context, *watchdog, func()) {
	ctx, end := context.WithTimeoutCause(ctx, talks*silence, errSilent)
	ctx, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(silence, func() { cancel(errSilent) })
	return ctx, &watchdog{timer, silence}, func() {
		timer.Stop()
		cancel(context.Canceled)
		end()
	}
}

// reader is r, each byte of which is a sign of life.
func (w *watchdog) reader(r io.Reader) io.Reader { return watchedReader{r, w} }

func (w *watchdog) moved() { w.timer.Reset(w.silence) }

type watchedReader struct {
	io.Reader
	dog *watchdog
}

func (r watchedReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if n > 0 {
		r.dog.moved()
	}
	return n, err
}

// fetching opens a conversation with git-upload-pack, calls f with it and closes it.
func (r *Remote) fetching(ctx context.Context, f func(context.Context, fetching) error) error {
	return r.converse(ctx, transport.UploadPackServiceName, func(ctx context.Context, s session) error {
		return f(ctx, s.(fetching))
	})
}

// pushing opens a conversation with git-receive-pack, calls f with it and closes it.
func (r *Remote) pushing(ctx context.Context, f func(context.Context, pushing) error) error {
	return r.converse(ctx, transport.ReceivePackServiceName, func(ctx context.Context, s session) error {
		return f(ctx, s.(pushing))
	})
}

func (r *Remote) converse(ctx context.Context, service string, f func(context.Context, session) error) error {
	ctx, dog, stop := watch(ctx, r.patience())
	defer stop()
	s, err := r.open(ctx, dog, service)
	if err == nil {
		err = f(ctx, s)
		if closing := s.Close(); err == nil {
			err = closing
		}
	}
	if err == nil {
		return nil
	}
	var damaged *storageError
	if errors.As(err, &damaged) {
		return err
	}
	if ctx.Err() != nil && !errors.Is(err, ErrRaced) {
		err = context.Cause(ctx)
		if errors.Is(err, errSilent) {
			err = fmt.Errorf("%w for %s; is the server well, and reachable from here?", errSilent, r.patience())
		}
	}
	return r.access.explain(r.endpoint, err)
}

func (r *Remote) open(ctx context.Context, dog *watchdog, service string) (session, error) {
	switch r.endpoint.scheme {
	case "file":
		return openLocal(ctx, dog, service, r.endpoint)
	case "ssh":
		return openSSH(ctx, dog, service, r.endpoint, r.access)
	default:
		return r.access.openHTTP(dog, service, r.endpoint)
	}
}
