package web

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"transom.dev/reconciler/status"
	"transom.dev/reconciler/web/access"
)

const (
	// sendTime is how long a client may take to read a part that it is sent.
	sendTime = 30 * time.Second
	// streamTime is how long a stream lasts. Browsers open it again where it ended, and have to be let in again.
	streamTime = 15 * time.Minute
	// admitEvery is how often it is asked whether who has a stream may still have it: a token may have been taken back.
	admitEvery = 5 * time.Second
	// keepAlive is how often a quiet stream sends a comment; common proxies wait longer before they close it.
	keepAlive = 4 * admitEvery

	changedMessage = "event: status\ndata: {}\n\n"
	aliveMessage   = ": still here\n\n"
)

// eventParameters are those of the events.
type eventParameters struct {
	selection
	Only string `query:"only" enum:"status" doc:"For a stream: status, without the events themselves."`
}

func (s *server) events(w http.ResponseWriter, r *http.Request) error {
	p, err := readParameters[eventParameters](r)
	if err != nil {
		return err
	}
	if strings.Contains(r.Header.Get("Accept"), "text/event-stream") {
		return s.stream(w, r, p.selection, p.Only == "status")
	}
	return writeJSON(w, r, p.selection.events(s.Board.History()))
}

func (s selection) events(all []status.Event) []status.Event {
	kept := []status.Event{}
	for _, e := range all {
		if s.event(e) {
			kept = append(kept, e)
		}
	}
	return kept
}

// event says whether an event concerns the selection: a request's own, and those of the environment or cluster.
func (s selection) event(e status.Event) bool {
	if e.Request != nil && !s.matches(*e.Request) {
		return false
	}
	return e.Environment == "" || s.covers(e.Environment)
}

// stream sends history as it is made: an "event" for each entry, and one "status" after each burst of changes, whose
// receiver asks for the status again. A client that names the last event it saw gets the events that it missed; any other
// starts with all that are remembered. A quiet stream has no events, only the news that something changed.
func (s *server) stream(w http.ResponseWriter, r *http.Request, selected selection, quiet bool) error {
	ctx, cancel := context.WithTimeout(r.Context(), streamTime)
	defer cancel()
	leave, err := s.streams.enter(r)
	if err != nil {
		return err
	}
	defer leave()
	w.Header().Set("Content-Type", "text/event-stream")
	to := newEventStream(w, parseCursor(r.Header.Get("Last-Event-ID")), func(at cursor) (string, cursor, bool) {
		if quiet {
			return changedMessage, at, false
		}
		return s.encoded.part(s.Board.History(), selected, at)
	})
	admitted := func() bool {
		_, may := s.admitted(r, access.Viewer)
		return may
	}
	defer s.broadcast.join(to)()
	defer to.end()
	to.tell()
	again := time.NewTicker(admitEvery) // of the whole stream: something may change more often
	defer again.Stop()
	for n := 1; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-to.over:
			return nil
		case <-to.more: // a client that reads slowly never waits for news
			if !goesOn(ctx, again.C, admitted) {
				return nil
			}
			to.tell()
		case <-again.C:
			if !admitted() {
				return nil
			}
			if n++; n%int(keepAlive/admitEvery) == 0 {
				to.keepAlive()
			}
		}
	}
}

// send writes a part of an answer that takes long, and says whether the client takes it: one that stopped reading is let go.
func send(w http.ResponseWriter, flush *http.ResponseController, part string) bool {
	_ = flush.SetWriteDeadline(time.Now().Add(sendTime)) // a server that has no deadlines needs none
	_, err := io.WriteString(w, part)
	return err == nil && flush.Flush() == nil
}

// admitted says whether who asked would be let in again, with a role, and who that is. Where that cannot be known now, the stream goes
// on: nobody is given then.
func (s *server) admitted(r *http.Request, need access.Role) (who *access.Identity, may bool) {
	found, err := s.Access.Admit(r, need)
	if err == nil {
		return &found, true
	}
	code := statusOf(err)
	return nil, code != http.StatusUnauthorized && code != http.StatusForbidden
}

// goesOn says whether a stream that has more to send may still do so: one that reads slowly never waits for news.
func goesOn(ctx context.Context, again <-chan time.Time, admitted func() bool) bool {
	select {
	case <-ctx.Done():
		return false
	case <-again:
		return admitted() && ctx.Err() == nil
	default:
		return true
	}
}

// cursor is a position in the history: an instant, and how many of its events were sent. The history has no numbers, as
// it starts anew with every daemon; times are good across restarts too.
type cursor struct {
	nanos int64
	sent  int
}

func (c cursor) String() string { return fmt.Sprintf("%d-%d", c.nanos, c.sent) }

// parseCursor reads the text of String; anything else is the beginning.
func parseCursor(s string) cursor {
	var c cursor
	if _, err := fmt.Sscanf(s, "%d-%d", &c.nanos, &c.sent); err != nil {
		return cursor{}
	}
	return c
}
