package forge

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

const (
	// mark is the beginning of our comments, which nobody sees.
	mark = "<!-- transom plan "
	// commentLimit is how many bytes a comment has at most. GitHub takes 65,536 characters, and GitLab more.
	commentLimit = 65_536
	// planAgain is how long a plan stays as it is where only the platform's branch moved.
	planAgain = 10 * time.Minute
)

// ErrMoved says that a request's branch is not at the commit that the forge named: it is looked at again later.
var ErrMoved = errors.New("the branch moved meanwhile")

// An unplanned error is that of one request's plan: the forge is well, and other requests may have theirs.
type unplanned struct{ error }

// Unwrap is for package errors.
func (e unplanned) Unwrap() error { return e.error }

// An aside error is that of single requests: the forge is well, and they are tried again at the next look.
type aside struct{ error }

// Unwrap is for package errors.
func (e aside) Unwrap() error { return e.error }

// A planned is the latest plan of a request that was told.
type planned struct {
	commit, head string
	at           time.Time
}

// A commentTeller keeps one comment on each request up to date.
type commentTeller struct {
	*Teller
	host  requestHost // of which the following is known
	known map[int64]planned
}

// tell makes one round. A request that fails keeps no other from its plan.
func (t *commentTeller) tell(ctx context.Context, host requestHost) error {
	s := t.Board.Status()
	head := s.Platform.Commit
	if head == "" {
		return nil
	}
	if t.host != host { // another repository, perhaps
		t.host, t.known = host, nil
	}
	requests, err := host.Requests(ctx, t.Branch)
	if err != nil {
		return plainly(err)
	}
	open, failed := map[int64]planned{}, error(nil)
	for _, r := range requests {
		known := t.known[r.Number]
		if t.isDue(known, r, head) {
			now, err := t.tellRequest(ctx, host, r, head)
			switch {
			case err == nil:
				known = now
			case errors.Is(err, ErrMoved):
			case errors.As(err, new(unplanned)), isRefusal(err, http.StatusNotFound, http.StatusUnprocessableEntity, http.StatusBadRequest):
				failed = errors.Join(failed, fmt.Errorf("request %d: %w", r.Number, plainly(err)))
			default:
				return errors.Join(failed, plainly(err))
			}
		}
		if known.commit != "" {
			open[r.Number] = known
		}
	}
	t.known = open
	if failed != nil {
		return aside{failed}
	}
	return nil
}

// isDue says whether a plan is to be made: at once for another commit of the request, and after a while where only the
// branch moved that it is merged into.
func (t *commentTeller) isDue(known planned, r Request, head string) bool {
	switch {
	case known.commit != r.Commit:
		return true
	case known.head == head:
		return false
	}
	return time.Since(known.at) >= planAgain
}

// tellRequest makes the plan of a request and writes it into our comment, unless it is there.
func (t *commentTeller) tellRequest(ctx context.Context, host requestHost, r Request, head string) (planned, error) {
	now := planned{r.Commit, head, time.Now()}
	comment, err := host.Own(ctx, r.Number, mark)
	if err != nil {
		return now, err
	}
	first := mark + r.Commit + " " + head + " -->\n"
	if len(comment.Body) > len(first) && comment.Body[:len(first)] == first {
		return now, nil // told before, by another process
	}
	text, err := t.Plan(ctx, r, head)
	if err != nil {
		return now, unplanned{err}
	}
	comment.Body = cut(first + text)
	return now, host.Write(ctx, r.Number, comment)
}

// cut shortens a comment that is too long. Plans are not: their own limit is lower.
func cut(body string) string {
	const note = "\n\n… cut to fit one comment; `transom plan` shows it all\n"
	if len(body) <= commentLimit {
		return body
	}
	end := commentLimit - len(note)
	for end > 0 && body[end]&0xc0 == 0x80 { // within a character
		end--
	}
	return body[:end] + note
}
