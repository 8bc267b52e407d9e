package gitrepo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/pktline"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/sideband"
	"github.com/go-git/go-git/v5/plumbing/transport"
)

// A stream is a session with a running git-upload-pack or git-receive-pack: its own process for a local repository,
// one behind ssh otherwise. It speaks the same protocol as go-git's own, whose file and ssh transports cannot be
// bounded: the one waits for as long as a hook keeps its output, the other has no deadline for its handshake.
type stream struct {
	in     io.WriteCloser
	out    *bounded
	limits Limits
	errors *tail
	end    func() error // waits for the other end; called once
	cut    func()       // ends the connection first, where Close would wait for the rest of an answer
	asked  bool         // a request was sent, so there is nothing to say goodbye to
}

// bound makes reading the other end's answer fail where it is over the limits.
func bound(limits Limits) func(*stream, error) (session, error) {
	return func(s *stream, err error) (session, error) {
		if err != nil {
			return nil, err
		}
		s.limits = limits
		s.out.allow(limits.AnswerBytes, limits.tooMuch())
		return s, nil
	}
}

func (s *stream) AdvertisedReferencesContext(context.Context) (*packp.AdvRefs, error) {
	adv := packp.NewAdvRefs()
	err := adv.Decode(s.out)
	if err != nil && !errors.Is(err, packp.ErrEmptyAdvRefs) {
		return nil, s.failed(err)
	}
	transport.FilterUnsupportedCapabilities(adv.Capabilities)
	return adv, nil
}

func (s *stream) UploadPack(_ context.Context, req *packp.UploadPackRequest) (*packp.UploadPackResponse, error) {
	s.asked = true
	var b bytes.Buffer
	err := errors.Join(req.UploadRequest.Encode(&b), req.UploadHaves.Encode(&b, false),
		pktline.NewEncoder(&b).EncodeString("done\n"))
	if err != nil {
		return nil, err
	}
	s.out.allow(s.limits.packAnswerBytes(), s.limits.tooMuchPack())
	if err := s.say(&b, nil); err != nil {
		return nil, s.failed(err)
	}
	response := packp.NewUploadPackResponse(req)
	if err := response.Decode(io.NopCloser(s.out)); err != nil {
		return nil, s.failed(err)
	}
	return response, nil
}

func (s *stream) ReceivePack(_ context.Context, req *packp.ReferenceUpdateRequest) (*packp.ReportStatus, error) {
	s.asked = true
	var b bytes.Buffer
	commands := *req
	commands.Packfile = nil
	if err := commands.Encode(&b); err != nil {
		return nil, err
	}
	s.out.allow(s.limits.AnswerBytes, s.limits.tooMuch())
	if err := s.say(&b, req.Packfile); err != nil {
		return nil, s.failed(err)
	}
	out := io.Reader(s.out)
	if req.Capabilities.Supports(capability.Sideband64k) {
		demuxer := sideband.NewDemuxer(sideband.Sideband64k, out)
		demuxer.Progress = req.Progress
		out = demuxer
	}
	report := packp.NewReportStatus()
	if err := report.Decode(out); err != nil {
		return nil, s.failed(err)
	}
	// The rest is a post-receive hook's output. Hanging up on it would kill the hook.
	_, _ = io.Copy(io.Discard, s.out)
	return report, nil
}

// say sends all there is to say: a request, and the pack with it, if there is one.
func (s *stream) say(b *bytes.Buffer, pack io.Reader) error {
	_, err := b.WriteTo(s.in)
	if err == nil && pack != nil {
		_, err = io.Copy(s.in, pack)
	}
	if err != nil {
		return err
	}
	return s.in.Close()
}

// failed waits for the other end to finish, as its last output says more than err.
func (s *stream) failed(err error) error {
	var excess *excessError
	if errors.As(err, &excess) {
		return err // Close follows
	}
	s.hangUp()
	if text := s.errors.String(); text != "" {
		return &remoteError{text: text, cause: err}
	}
	if errors.Is(err, packp.ErrEmptyInput) {
		return errors.New("the other end said nothing; is it a Git repository, and can it be read?")
	}
	return err
}

// Close takes leave, which matters to an end that was asked for nothing, and releases the resources of the session.
func (s *stream) Close() error {
	unread := s.asked || s.out.remaining <= 0
	if unread && s.end != nil && s.cut != nil {
		s.cut()
	}
	s.hangUp()
	return nil
}

func (s *stream) hangUp() {
	if s.end == nil {
		return
	}
	if !s.asked {
		_, _ = s.in.Write(pktline.FlushPkt)
	}
	_ = s.in.Close()
	_ = s.end() // the answer was read, or its absence noticed, before; how the process ended says nothing more
	s.end = nil
}

// A tail keeps the end of a server's output. It is safe for concurrent use.
type tail struct {
	mu   sync.Mutex
	kept []byte
}

const tailLength = 2 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, p...)
	if over := len(t.kept) - tailLength; over > 0 {
		t.kept = append(t.kept[:0], t.kept[over:]...)
	}
	return len(p), nil
}

// ReadFrom implements io.ReaderFrom: without it, each git has its output copied through much more memory than it says anything in.
func (t *tail) ReadFrom(from io.Reader) (read int64, err error) {
	chunk := make([]byte, 512)
	for {
		n, err := from.Read(chunk)
		_, _ = t.Write(chunk[:n])
		read += int64(n)
		if err == io.EOF {
			return read, nil
		}
		if err != nil {
			return read, err
		}
	}
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return printable(string(t.kept))
}

// newFetchRequest asks for want, by an end that has have, which may be the zero id.
func newFetchRequest(adv *packp.AdvRefs, want, have plumbing.Hash) *packp.UploadPackRequest {
	req := packp.NewUploadPackRequestFromCapabilities(adv.Capabilities)
	if adv.Capabilities.Supports(capability.NoProgress) {
		_ = req.Capabilities.Set(capability.NoProgress)
	}
	req.Wants = []plumbing.Hash{want}
	if !have.IsZero() {
		req.Haves = []plumbing.Hash{have}
	}
	return req
}

// packIn returns the pack within a response.
func packIn(response io.Reader, req *packp.UploadPackRequest) io.Reader {
	switch {
	case req.Capabilities.Supports(capability.Sideband64k):
		return sideband.NewDemuxer(sideband.Sideband64k, response)
	case req.Capabilities.Supports(capability.Sideband):
		return sideband.NewDemuxer(sideband.Sideband, response)
	default:
		return response
	}
}

// A remoteError is the other end's message, beside the technical cause.
type remoteError struct {
	text  string
	cause error
}

func (e *remoteError) Error() string { return fmt.Sprintf("the other end says: %s", e.text) }
func (e *remoteError) Unwrap() error { return e.cause }
