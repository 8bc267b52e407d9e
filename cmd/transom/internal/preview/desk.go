package preview

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// mostKept is how many plans of branches a Desk remembers, and as many of drafts, and mostWaiting how many wait for their turn; of drafts no
	// more than mostDrafts, as people make any number of them, and of one person no more than one.
	mostKept, mostWaiting, mostDrafts = 32, 8, 4
	// patience is how long somebody waits for a plan before being told that it is being made.
	patience = 2 * time.Second
	// listedFor is how long the list of branches is good, and failedFor how long a plan that could not be made is not tried again; where its
	// process made none, which may take minutes, it is unmadeFor.
	listedFor, failedFor, unmadeFor = 10 * time.Second, 10 * time.Second, 10 * time.Minute
	// listTime is how long the server may take to list its branches.
	listTime = 15 * time.Second
)

// ErrBusy says that as many plans wait already as may.
var ErrBusy = errors.New("too many plans wait for their turn")

// A Desk makes plans of branches and drafts for people who look at them, one at a time, and remembers them: a plan of a branch is made
// again only once the branch, the platform or a state moved. Fill in the fields, then call Run. It is safe for concurrent use.
type Desk struct {
	Maker  *Maker
	List   func(ctx context.Context) (map[string]string, error) // the commits of the branches, by name
	Head   func() string                                        // the commit of the platform that branches are merged into
	States func() ([]State, error)

	once  sync.Once
	queue chan *outcome

	listing sync.Mutex // of the one who asks the server
	listed  time.Time
	heads   map[string]string
	unheard error

	mu   sync.Mutex
	kept map[string]*outcome
}

// A Plan is that of merging a branch, or of a draft.
type Plan struct {
	Branch, Commit, Head string
	Draft                *Draft   // nil: it is of a branch
	Readers              *Readers // nil: all differences are shown
	States               []State
	Text                 string // as the comment of a pull request; empty: it is being made
	Made                 time.Time
}

// Failed says whether the text says why there is no plan.
func (p Plan) Failed() bool { return isFailure(p.Text) }

// An outcome is a plan that is asked for. Its text, its time and its error may be read once it is done, and all else under the Desk's lock
// until it is begun.
type outcome struct {
	key   string
	begun bool
	done  chan struct{}

	Plan
	err error
}

// isStale says whether the plan could not be made a while ago, and is tried again.
func (o *outcome) isStale() bool {
	if !o.isDone() {
		return false
	}
	age := time.Since(o.Made)
	return o.err != nil && age >= failedFor || o.Failed() && age >= unmadeFor
}

// isDone says whether the plan was made, or could not be.
func (o *outcome) isDone() bool {
	select {
	case <-o.done:
		return true
	default:
		return false
	}
}

func (d *Desk) prepare() {
	d.once.Do(func() { d.queue, d.kept = make(chan *outcome, mostWaiting), map[string]*outcome{} })
}

// Branches are the branches of the platform repository with their commits, as of a few seconds ago.
func (d *Desk) Branches(ctx context.Context) (map[string]string, error) {
	d.listing.Lock()
	defer d.listing.Unlock()
	if time.Since(d.listed) >= listedFor {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), listTime) // others wait for the same answer
		defer cancel()
		d.heads, d.unheard = d.List(ctx)
		d.listed = time.Now()
	}
	return maps.Clone(d.heads), d.unheard
}

// Plan is the plan of merging a branch at a commit, for readers. Where its text is empty, it is being made: ask again.
func (d *Desk) Plan(ctx context.Context, branch, commit string, readers *Readers) (Plan, error) {
	return d.ask(ctx, Plan{Branch: branch, Commit: commit, Readers: readers})
}

// PlanDraft is the plan of a file that nobody committed yet, for readers, in the same way.
func (d *Desk) PlanDraft(ctx context.Context, draft Draft, readers *Readers) (Plan, error) {
	return d.ask(ctx, Plan{Draft: &draft, Readers: readers})
}

// ask waits a little for a plan, whose head and states are the present ones.
func (d *Desk) ask(ctx context.Context, asked Plan) (_ Plan, err error) {
	d.prepare()
	if asked.States, err = d.States(); err != nil {
		return asked, err
	}
	asked.Head = d.Head()
	key := keyOf(asked)
	o, err := d.take(key, asked)
	if err != nil {
		return asked, err
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return asked, context.Cause(ctx)
	case <-timer.C:
		return asked, nil
	case <-o.done:
		if o.key != key { // a newer draft took its place
			return asked, nil
		}
		return o.Plan, o.err
	}
}

// take returns the outcome of a plan, which begins to wait for its turn if nobody asked for it before. A draft takes the place of the one
// that waits of the same person, who does not look at that any more.
func (d *Desk) take(key string, p Plan) (*outcome, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if o := d.kept[key]; o != nil && !o.isStale() {
		return o, nil
	}
	if p.Draft != nil {
		drafts, theirs := d.drafts(p.Draft.Person)
		if theirs != nil {
			delete(d.kept, theirs.key)
			theirs.key, theirs.Plan = key, p
			d.kept[key] = theirs
			return theirs, nil
		}
		if drafts >= mostDrafts {
			return nil, ErrBusy
		}
	}
	o := &outcome{key: key, done: make(chan struct{}), Plan: p}
	select {
	case d.queue <- o:
	default:
		return nil, ErrBusy
	}
	d.kept[key] = o
	d.forget()
	return o, nil
}

// keyOf tells plans apart. That of a draft stays while platform and states move: whoever looks at it asks again.
func keyOf(p Plan) string {
	key := fmt.Sprintf("%s %s", p.Branch, p.Commit)
	if p.Draft != nil {
		key = fmt.Sprintf("%q %q %x", p.Draft.File, p.Draft.Asked, sha256.Sum256([]byte(p.Draft.Content)))
	}
	if p.Readers != nil {
		key += fmt.Sprintf(" %q", p.Readers.Teams)
	}
	if p.Draft != nil {
		return key
	}
	key += " " + p.Head
	for _, s := range p.States {
		key += " " + s.Environment + "=" + s.Commit
	}
	return key
}

// drafts counts those that wait or are being made, and finds the one of a person that waits; the caller holds the lock.
func (d *Desk) drafts(person string) (n int, theirs *outcome) {
	for _, o := range d.kept {
		if o.Draft == nil || o.isDone() {
			continue
		}
		if n++; !o.begun && o.Draft.Person == person {
			theirs = o
		}
	}
	return n, theirs
}

// forget drops the plans that were made first, but for the latest ones of branches and of drafts; the caller holds the lock.
func (d *Desk) forget() {
	made := map[bool][]*outcome{} // by whether they are of drafts
	for _, o := range d.kept {
		if o.isDone() {
			made[o.Draft != nil] = append(made[o.Draft != nil], o)
		}
	}
	for _, some := range made {
		slices.SortFunc(some, func(a, b *outcome) int { return a.Made.Compare(b.Made) })
		for _, o := range some[:max(len(some)-mostKept, 0)] {
			delete(d.kept, o.key)
		}
	}
}

// Run makes the plans that are asked for until ctx is done. It returns nil then.
func (d *Desk) Run(ctx context.Context) error {
	d.prepare()
	for {
		select {
		case <-ctx.Done():
			return nil
		case o := <-d.queue:
			d.mu.Lock()
			o.begun = true
			d.mu.Unlock()
			o.Text, o.err = d.make(ctx, o.Plan)
			if o.err == nil {
				o.Text = strings.TrimSpace(o.Text) + "\n"
			}
			o.Made = time.Now()
			close(o.done)
		}
	}
}

func (d *Desk) make(ctx context.Context, p Plan) (string, error) {
	if p.Draft != nil {
		return d.Maker.PlanDraft(ctx, *p.Draft, p.Head, p.States, p.Readers)
	}
	return d.Maker.Plan(ctx, p.Branch, p.Commit, p.Head, "", p.States, p.Readers)
}
