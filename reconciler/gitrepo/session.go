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

// A fetcher can ask for objects.
type fetcher interface {
	session
	UploadPack(ctx context.Context, req *packp.UploadPackRequest) (*packp.UploadPackResponse, error)
}

// A pusher can send objects and move branches.
type pusher interface {
	session
	ReceivePack(ctx context.Context, req *packp.ReferenceUpdateRequest) (*packp.ReportStatus, error)
}

// patience is how long a server may be silent where Remote.Timeout says nothing. Git sends a sign of life every five
// seconds while it packs objects or runs hooks.
const patience = 30 * time.Second

// How many times that a whole conversation may take. A first fetch may be long, a push is not.
const (
	fetchLasts = 40
	pushLasts  = 10
)

// Why a watchdog ended a conversation.
var (
	errSilent = errors.New("no answer")
	errSlow   = errors.New("no end")
)

// A watchdog ends a conversation when nothing has moved for a while, so that neither a hanging server nor one that
// is merely slow decides how long somebody waits.
type watchdog struct {
	timer   *time.Timer
	silence time.Duration
}

// watch returns a context that ends with errSilent when the watchdog has seen nothing for the length of silence, or
// after lasts times that. stop must be called.
func watch(ctx context.Context, silence time.Duration, lasts int) (context.Context, *watchdog, func()) {
	ctx, end := context.WithTimeoutCause(ctx, time.Duration(lasts)*silence, errSlow)
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

// writer is w, each byte of which that is taken is a sign of life.
func (w *watchdog) writer(to io.WriteCloser) io.WriteCloser { return watchedWriter{to, w} }

type watchedWriter struct {
	io.WriteCloser
	dog *watchdog
}

// Write passes p on in parts, as a large one may take long.
func (w watchedWriter) Write(p []byte) (written int, err error) {
	const part = 64 << 10
	for len(p) > 0 && err == nil {
		var n int
		n, err = w.WriteCloser.Write(p[:min(part, len(p))])
		written, p = written+n, p[n:]
		w.dog.moved()
	}
	return written, err
}

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
func (r *Remote) fetching(ctx context.Context, f func(context.Context, fetcher) error) error {
	return r.converse(ctx, transport.UploadPackServiceName, func(ctx context.Context, s session) error {
		return f(ctx, s.(fetcher))
	})
}

// pushing opens a conversation with git-receive-pack, calls f with it and closes it.
func (r *Remote) pushing(ctx context.Context, f func(context.Context, pusher) error) error {
	return r.converse(ctx, transport.ReceivePackServiceName, func(ctx context.Context, s session) error {
		return f(ctx, s.(pusher))
	})
}

func (r *Remote) converse(ctx context.Context, service string, f func(context.Context, session) error) error {
	lasts := fetchLasts
	if service == transport.ReceivePackServiceName {
		lasts = pushLasts
	}
	ctx, dog, stop := watch(ctx, r.patience(), lasts)
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
		switch err = context.Cause(ctx); {
		case errors.Is(err, errSilent):
			err = fmt.Errorf("%w for %s; is the server well, and reachable from here?", err, r.patience())
		case errors.Is(err, errSlow):
			err = fmt.Errorf("%w after %s; does a hook on the server hang?", err, time.Duration(lasts)*r.patience())
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
