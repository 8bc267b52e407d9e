package audit

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"transom.dev/reconciler/gitrepo"
	"transom.dev/reconciler/web"
	"transom.dev/render/wording"
)

// A dated commit has a time by which all branches are in one order: no commit is later than one that came after it on its branch, whatever
// their clocks said.
type dated struct {
	id     string
	parent string // empty: it is the first
	at     time.Time
}

// mostInLine is how many commits of one branch are kept in order.
const mostInLine = 20_000

// A line is the commits of a branch along first parents, the latest first, as far back as somebody asked.
type line struct{ commits []dated }

// advance puts the commits up to head before those that are known. A branch that was rewound begins anew.
func (l *line) advance(ctx context.Context, b Commits) error {
	head := b.Head()
	if head == "" || (len(l.commits) > 0 && l.commits[0].id == head) {
		if head == "" {
			l.commits = nil
		}
		return nil
	}
	var came []dated
	for id := head; id != "" && len(came) < mostInspected; {
		if len(l.commits) > 0 && l.commits[0].id == id {
			l.commits = append(risen(came, l.commits[0].at), l.commits...)
			l.commits = l.commits[:min(len(l.commits), mostInLine)]
			return nil
		}
		if len(l.commits) == 0 && len(came) > 0 {
			break // the others come when somebody asks for them
		}
		one, err := date(ctx, b, id)
		if err != nil {
			return err
		}
		came, id = append(came, one), one.parent
	}
	l.commits = fallen(came)
	return nil
}

// extend adds the commit before the earliest one that is known, and says whether there is one.
func (l *line) extend(ctx context.Context, b Commits) (bool, error) {
	n := len(l.commits)
	if n == 0 || n == mostInLine || l.commits[n-1].parent == "" {
		return false, nil
	}
	one, err := date(ctx, b, l.commits[n-1].parent)
	if err != nil {
		return false, err
	}
	if one.at.After(l.commits[n-1].at) {
		one.at = l.commits[n-1].at
	}
	l.commits = append(l.commits, one)
	return true, nil
}

// date gives a commit its time. A clock that was wrong for one commit does not move those before it.
func date(ctx context.Context, b Commits, id string) (dated, error) {
	if err := ctx.Err(); err != nil {
		return dated{}, err
	}
	info, err := b.Show(ctx, id)
	if err != nil {
		return dated{}, err
	}
	one := dated{id: id, parent: parentOf(info), at: info.When}
	if one.parent == "" {
		return one, nil
	}
	before, err := b.Show(ctx, one.parent)
	if one.at.Before(before.When) {
		one.at = before.When
	}
	return one, err
}

// risen makes no commit earlier than the one that it came after; the first of all came after a commit at a time.
func risen(commits []dated, at time.Time) []dated {
	for i := len(commits) - 1; i >= 0; i-- {
		if commits[i].at.Before(at) {
			commits[i].at = at
		}
		at = commits[i].at
	}
	return commits
}

// fallen makes no commit later than the one that came after it.
func fallen(commits []dated) []dated {
	for i := 1; i < len(commits); i++ {
		if commits[i].at.After(commits[i-1].at) {
			commits[i].at = commits[i-1].at
		}
	}
	return commits
}

// A position is behind a commit in the order of all branches. The zero one is before all.
type position struct {
	at          time.Time
	environment string
	commit      string
}

func (p position) String() string {
	return fmt.Sprintf("%d %s %s", p.at.UnixNano(), p.commit, p.environment)
}

// parsePosition reads the text of String; an empty one is the beginning.
func parsePosition(text string) (p position, err error) {
	if text == "" {
		return p, nil
	}
	at, rest, _ := strings.Cut(text, " ")
	nanos, err := strconv.ParseInt(at, 10, 64)
	commit, environment, ok := strings.Cut(rest, " ")
	if err != nil || !ok || !gitrepo.IsID(commit) {
		return p, fmt.Errorf("after: %q %w", wording.Shorten(text), web.ErrNoPosition)
	}
	return position{time.Unix(0, nanos), environment, commit}, nil
}

// A walk goes back along the line of a branch.
type walk struct {
	Recorded
	line *line
	next int
}

// begin goes to the first commit behind a position.
func (w *walk) begin(ctx context.Context, after position) error {
	if err := w.line.advance(ctx, w); err != nil {
		return err
	}
	if after.commit == "" {
		return nil
	}
	for i, one := range w.line.commits {
		if one.id == after.commit && w.Environment == after.environment {
			w.next = i
			return w.goOn(ctx)
		}
	}
	for !w.atEnd() && !w.isBehind(after) {
		if err := w.goOn(ctx); err != nil {
			return err
		}
	}
	return nil
}

// isBehind says whether the next commit is behind a position on another branch: of the same time, the branch that is sorted first is.
func (w *walk) isBehind(after position) bool {
	at := w.commit().at
	return at.Before(after.at) || (at.Equal(after.at) && w.Environment > after.environment)
}

func (w *walk) atEnd() bool   { return w.next >= len(w.line.commits) }
func (w *walk) commit() dated { return w.line.commits[w.next] }

func (w *walk) position() position {
	return position{w.commit().at, w.Environment, w.commit().id}
}

// goOn goes to the commit before.
func (w *walk) goOn(ctx context.Context) error {
	if w.next++; !w.atEnd() {
		return nil
	}
	_, err := w.line.extend(ctx, w)
	return err
}
