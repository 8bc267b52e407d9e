package gitrepo

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/transport"
)

// A session is one conversation with git-upload-pack or git-receive-pack on the other end, whatever carries it.
type session interface {
	// AdvertisedReferencesContext is the first answer of the other end: its branches and its capabilities.
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

// DefaultTimeout is how long a server may be silent where Remote.Timeout says nothing. Git sends a sign of life every five
// seconds while it packs objects or runs hooks.
const DefaultTimeout = 30 * time.Second

// How many times that a whole conversation may take. A first fetch may be long, a push is not.
const (
	fetchLasts = 40
	pushLasts  = 10
)

// slowest is how many bytes a second are taken for progress where a server has nothing more to prepare.
const slowest = 1 << 10

// Why a watchdog ended a conversation.
var (
	errSilent  = errors.New("no answer")
	errTrickle = errors.New("next to nothing came")
	errSlow    = errors.New("no end")
)

// A watchdog ends a conversation when nothing has moved for a while, so that neither a hanging server nor one that
// is merely slow decides how long somebody waits. While a server prepares a pack or runs hooks each byte is a sign of life;
// while it lists its branches, and once it sends a pack, there must be more of them.
type watchdog struct {
	timer   *time.Timer
	silence time.Duration

	mu     sync.Mutex
	enough int // bytes that count as progress
	came   int // bytes since there was progress last
}

// watch returns a context that ends with errSilent when the watchdog has seen nothing for the length of silence, or
// after lasts times that. stop must be called.
func watch(ctx context.Context, silence time.Duration, lasts int) (context.Context, *watchdog, func()) {
	ctx, end := context.WithTimeoutCause(ctx, time.Duration(lasts)*silence, errSlow)
	ctx, cancel := context.WithCancelCause(ctx)
	dog := &watchdog{silence: silence}
	dog.timer = time.AfterFunc(silence, func() { cancel(dog.why()) })
	dog.demand()
	return ctx, dog, func() {
		dog.timer.Stop()
		cancel(context.Canceled)
		end()
	}
}

// reader is r, each byte of which is a sign of life.
func (w *watchdog) reader(r io.Reader) io.Reader { return watchedReader{r, w} }

func (w *watchdog) moved() { w.timer.Reset(w.silence) }

// demand has the watchdog take less than slowest for silence from now on.
func (w *watchdog) demand() { w.expect(int(w.silence.Seconds() * slowest)) }

// relax has the watchdog take every byte for a sign of life from now on.
func (w *watchdog) relax() { w.expect(1) }

// rest has the watchdog wait for nothing: a server is not to blame for the time that this machine takes.
func (w *watchdog) rest() { w.timer.Stop() }

func (w *watchdog) expect(enough int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.enough, w.came = max(1, enough), 0
	w.moved()
}

// arrived counts n bytes that came.
func (w *watchdog) arrived(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.came += n; w.came >= w.enough {
		w.came = 0
		w.moved()
	}
}

// why is the reason to end a conversation in which there was no progress.
func (w *watchdog) why() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.came > 0 {
		return errTrickle
	}
	return errSilent
}

// writer is w, each byte of which that is taken is a sign of life.
func (w *watchdog) writer(to io.WriteCloser) io.WriteCloser { return watchedWriter{to, w} }

type watchedWriter struct {
	io.WriteCloser
	dog *watchdog
}

// Write sends p in parts, as a large one may take long.
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
		r.dog.arrived(n)
	}
	return n, err
}

// A server is the other end of a Remote: how it is reached, and how much and how slowly it may answer.
type server struct {
	endpoint endpoint
	way      *way
	limits   Limits
	timeout  time.Duration // how long it may be silent

	access *access   // of the conversation under way or the last one; belongs to who has the Remote's turn
	dog    *watchdog // the same

	scanners sync.Pool // *packScanner; each has more memory than a fetch of one commit takes otherwise
}

// scanner returns a scanner of packs, and a function that gives it back.
func (s *server) scanner() (scanner *packScanner, done func()) {
	scanner, ok := s.scanners.Get().(*packScanner)
	if !ok {
		scanner = &packScanner{in: bufio.NewReaderSize(nil, 32<<10)}
	}
	return scanner, func() {
		scanner.in.Reset(nil)
		s.scanners.Put(scanner)
	}
}

// fetching opens a conversation with git-upload-pack, calls f with it and closes it.
func (s *server) fetching(ctx context.Context, f func(context.Context, fetcher) error) error {
	return s.converse(ctx, transport.UploadPackServiceName, func(ctx context.Context, c session) error {
		return f(ctx, c.(fetcher))
	})
}

// pushing opens a conversation with git-receive-pack, calls f with it and closes it.
func (s *server) pushing(ctx context.Context, f func(context.Context, pusher) error) error {
	return s.converse(ctx, transport.ReceivePackServiceName, func(ctx context.Context, c session) error {
		return f(ctx, c.(pusher))
	})
}

func (s *server) converse(ctx context.Context, service string, f func(context.Context, session) error) error {
	s.access = s.way.access()
	if err := s.access.pause.err(time.Now()); err != nil {
		return s.access.explain(s.endpoint, err)
	}
	lasts := fetchLasts
	if service == transport.ReceivePackServiceName {
		lasts = pushLasts
	}
	ctx, dog, stop := watch(ctx, s.timeout, lasts)
	defer stop()
	s.dog = dog
	conversation, err := s.open(ctx, dog, service)
	if err == nil {
		err = f(ctx, conversation)
		if closing := conversation.Close(); err == nil {
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
			err = fmt.Errorf("%w for %s; is the server well, and reachable from here?", err, s.timeout)
		case errors.Is(err, errTrickle):
			err = fmt.Errorf("%w for %s: less than 1 KiB a second; is the server well, and the way to it? If it is, raise --git-timeout",
				err, s.timeout)
		case errors.Is(err, errSlow):
			err = fmt.Errorf("%w after %s; does a hook on the server hang?", err, time.Duration(lasts)*s.timeout)
		}
	}
	if pause := s.access.pause.err(time.Now()); pause != nil {
		err = fmt.Errorf("%w: %w", pause, err)
	}
	return s.access.explain(s.endpoint, err)
}

func (s *server) open(ctx context.Context, dog *watchdog, service string) (session, error) {
	switch s.endpoint.scheme {
	case "file":
		return bound(s.limits)(openLocal(ctx, dog, service, s.endpoint))
	case "ssh":
		return bound(s.limits)(openSSH(ctx, dog, service, s.endpoint, s.access))
	default:
		return s.access.openHTTP(dog, service, s.endpoint, s.limits)
	}
}
