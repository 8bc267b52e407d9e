package fleet

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"sync/atomic"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/wait"

	"transom.dev/fleet/apply"
)

const (
	awayFirst  = time.Second      // how long after a failed attempt to reach a cluster the next one is made, at first
	awayLast   = 30 * time.Second // and at last
	probeEvery = 15 * time.Second // how often a cluster that nobody talks to is asked who it is
	probeLimit = 10 * time.Second // how long it may take to answer that
	busyLimit  = time.Minute      // how long it may have too many requests to answer that
	dialLimit  = 30 * time.Second // how long it may take to connect
)

// errSilent ends a connection to a cluster that hangs.
var errSilent = fmt.Errorf("no answer within %v", probeLimit)

// A link keeps the connection to one cluster: made when there is none, given up when the cluster does not answer, is
// not the one it was, or is to be reached in another way.
type link struct {
	dial   func(ctx context.Context) (member, error)
	notify func(*connection, error) // called by run alone: connected, something to report again, or away

	// turn waits until the cluster may be connected to, and returns the function that ends the turn; nil: it may at once.
	turn func(ctx context.Context, failed bool) (end func())

	// Signals to run, one pending at most: connect anew at once, notify again, ask whether the cluster still answers.
	again, notifyAgain, probes chan struct{}

	mu   sync.Mutex
	up   chan struct{} // closed while there is a connection
	conn *connection
}

func newLink(dial func(context.Context) (member, error), notify func(*connection, error)) *link {
	return &link{
		dial: dial, notify: notify, up: make(chan struct{}),
		again: make(chan struct{}, 1), notifyAgain: make(chan struct{}, 1), probes: make(chan struct{}, 1),
	}
}

// A connection is one cluster that answered, with the identity it gave.
type connection struct {
	member
	uid     string
	ctx     context.Context // of everything that is asked of the cluster; its cause says why it is over
	cancel  context.CancelCauseFunc
	users   sync.WaitGroup
	probing chan struct{} // has room for one, who asks the cluster who it is

	answered atomic.Pointer[time.Time] // when the cluster last said who it is
	busy     atomic.Pointer[time.Time] // when it last had too many requests to say it; not nil

	since   time.Time     // when it was made
	visited chan struct{} // closed once the first visit of an instance has ended, or there is none to make
	first   sync.Once     // closes visited
	endTurn func()        // of connecting, which lasts until then

	refused error // why the new way to reach the cluster is not used; used by the link's goroutine alone
}

func (l *link) reconnect() { signal(l.again) }
func (l *link) renotify()  { signal(l.notifyAgain) }
func (l *link) probe()     { signal(l.probes) }

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// run keeps the link until ctx is done. Requests to the cluster live until visits is done.
func (l *link) run(ctx, visits context.Context) {
	delays := newDelays()
	var next *connection // that replaces the last one; nil: none yet
	failed := false
	for ctx.Err() == nil {
		c, err := next, error(nil)
		if c == nil {
			var took time.Duration
			c, took, err = l.connectInTurn(ctx, visits, failed)
			if took >= probeLimit {
				delays = newDelays() // waiting for a cluster that hangs was pause enough: it answers the next attempt when it can
			}
		}
		failed = err != nil
		if ctx.Err() == nil && err != nil {
			l.notify(nil, err)
			l.pause(ctx, &delays)
		}
		if err != nil {
			continue
		}
		since := time.Now()
		l.notify(c, nil)
		l.set(c)
		next, err = l.keep(ctx, visits, c)
		l.unset(c)
		silent, long := errors.Is(err, errSilent), time.Since(since) > awayLast
		failed = silent
		if brief := err != nil && !long; silent || brief {
			l.notify(nil, err)
		}
		if err == nil || long {
			delays = newDelays()
		} else {
			l.pause(ctx, &delays)
		}
	}
	if next != nil {
		next.end()
	}
}

// connectInTurn waits for a turn and connects. The turn lasts until the first visit on the connection has ended, so that a daemon
// that starts comes to know one cluster after the other, and has little of each in memory at a time.
func (l *link) connectInTurn(ctx, visits context.Context, failed bool) (c *connection, took time.Duration, err error) {
	end := func() {}
	if l.turn != nil {
		end = l.turn(ctx, failed)
	}
	began := time.Now()
	if c, err = l.connect(ctx, visits); err != nil {
		end()
	} else {
		c.endTurn = end
	}
	return c, time.Since(began), err
}

func newDelays() wait.Backoff {
	return wait.Backoff{Duration: awayFirst, Factor: 2, Jitter: 0.3, Cap: awayLast, Steps: 100}
}

// pause waits for the next attempt. A new way to reach the cluster ends the wait and starts the delays anew.
func (l *link) pause(ctx context.Context, delays *wait.Backoff) {
	select {
	case <-ctx.Done():
	case <-l.again:
		*delays = newDelays()
	case <-time.After(delays.Step()):
	}
}

// connect makes a connection whose requests end with visits; only connecting itself is bounded and ends with ctx.
func (l *link) connect(ctx, visits context.Context) (*connection, error) {
	live, cancel := context.WithCancelCause(visits)
	defer context.AfterFunc(ctx, func() { cancel(context.Cause(ctx)) })()
	late := time.AfterFunc(dialLimit, func() { cancel(fmt.Errorf("no answer within %v", dialLimit)) })
	defer late.Stop()

	m, err := l.dial(live)
	if err != nil {
		if cause := context.Cause(live); cause != nil {
			err = cause
		}
		cancel(err)
		return nil, err
	}
	uid, err := m.UID(live)
	if err == nil && live.Err() != nil {
		err = context.Cause(live)
	}
	if err != nil {
		cancel(err)
		m.Close()
		return nil, fmt.Errorf("read its identity: %w", err)
	}
	c := &connection{
		member: m, uid: uid, ctx: live, cancel: cancel, since: time.Now(), probing: make(chan struct{}, 1),
		visited: make(chan struct{}), endTurn: func() {},
	}
	c.answered.Store(&c.since)
	c.busy.Store(&time.Time{})
	return c, nil
}

// keep returns when the connection is to be given up: with an error if the cluster is away, and with the connection that
// replaces it if there is a new way to reach the cluster.
func (l *link) keep(ctx, visits context.Context, c *connection) (*connection, error) {
	probe := time.NewTimer(wait.Jitter(probeEvery, 0.1)) // so that a hung cluster is told within half a minute
	defer probe.Stop()
	for {
		due := false // the new way is to be tried
		select {
		case <-ctx.Done():
			return nil, nil
		case <-c.ctx.Done():
			return nil, context.Cause(c.ctx)
		case <-l.again:
			due = true
		case <-l.notifyAgain:
			l.notify(c, nil)
		case <-l.probes:
			c.lost()
		case <-probe.C:
			probe.Reset(wait.Jitter(probeEvery, 0.1))
			if !c.lost() {
				due = c.refused != nil
				c.tend()
				l.notify(c, nil)
			}
		}
		if !due {
			continue
		}
		if next := l.replace(ctx, visits, c); next != nil {
			return next, nil
		}
	}
}

// replace connects in the new way. Where that fails, the connection that there is stays and the error is remembered, unless nobody
// gives a way any more. That connection is asked meanwhile as ever, and its end ends the attempt.
func (l *link) replace(ctx, visits context.Context, c *connection) *connection {
	trying, stop := context.WithCancel(ctx)
	var probing sync.WaitGroup
	defer probing.Wait()
	defer stop()
	defer context.AfterFunc(c.ctx, stop)()
	probing.Go(func() { c.probe(trying) })

	next, _, err := l.connectInTurn(trying, visits, c.refused != nil)
	switch {
	case err == nil:
		c.cancel(errors.New("there is a new way to reach it"))
	case errors.Is(err, fs.ErrNotExist):
		c.cancel(err)
	case trying.Err() == nil:
		c.refused = err
		l.notify(c, nil)
	}
	return next
}

// probe asks the cluster who it is from time to time, until ctx is done.
func (c *connection) probe(ctx context.Context) {
	ticker := time.NewTicker(probeEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			c.lost()
		}
	}
}

// lost asks the cluster who it is, and gives up the connection if it does not say the same as before. Those who want to know at one time
// ask once.
func (c *connection) lost() bool {
	began := time.Now()
	select {
	case c.probing <- struct{}{}:
	case <-c.ctx.Done():
		return true
	}
	defer func() { <-c.probing }()
	if c.ctx.Err() != nil || c.lastAnswer().After(began) || c.busy.Load().After(began) {
		return c.ctx.Err() != nil
	}
	ctx, cancel := context.WithTimeout(apply.Once(c.ctx), probeLimit)
	defer cancel()
	uid, err := c.UID(ctx)
	switch {
	case apierrors.IsTooManyRequests(err) && began.Sub(c.lastAnswer()) < busyLimit:
		// It is there: without its watches it would have to list everything again, when it is busiest.
		now := time.Now()
		c.busy.Store(&now)
		return false
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		err = errSilent
	case err == nil && uid != c.uid:
		err = fmt.Errorf("another cluster answers: its identity is %s and was %s", uid, c.uid)
	}
	if err != nil {
		c.cancel(err)
	} else {
		now := time.Now()
		c.answered.Store(&now)
	}
	return err != nil
}

// lastAnswer is when the cluster last said who it is.
func (c *connection) lastAnswer() time.Time { return *c.answered.Load() }

// wait returns true when there is a connection, or false when ctx is done.
func (l *link) wait(ctx context.Context) bool {
	l.mu.Lock()
	up := l.up
	l.mu.Unlock()
	select {
	case <-ctx.Done():
	case <-up:
	}
	return ctx.Err() == nil
}

// use returns the connection, waiting for one if need be; false when ctx is done. Call release afterwards.
func (l *link) use(ctx context.Context) (*connection, bool) {
	for l.wait(ctx) {
		if c, ok := l.current(); ok {
			return c, true
		}
	}
	return nil, false
}

// current returns the connection, false if there is none now. Call release afterwards.
func (l *link) current() (*connection, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn == nil {
		return nil, false
	}
	l.conn.users.Add(1)
	return l.conn, true
}

func (c *connection) release() { c.users.Done() }

func (l *link) set(c *connection) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conn = c
	close(l.up)
}

// unset closes the connection once nobody uses it.
func (l *link) unset(c *connection) {
	l.mu.Lock()
	l.conn, l.up = nil, make(chan struct{})
	l.mu.Unlock()
	c.users.Wait()
	c.end()
}

// endFirst takes that the first visit has ended, or that there is none to make.
func (c *connection) endFirst() {
	c.first.Do(func() {
		c.endTurn()
		close(c.visited)
	})
}

// beyondFirst says whether the first visit has ended, or took so long that the others wait for it no more.
func (c *connection) beyondFirst() bool {
	select {
	case <-c.visited:
		return true
	default:
		return time.Since(c.since) >= longestAlone && !c.Queues()
	}
}

// end closes a connection that nobody uses.
func (c *connection) end() {
	c.endFirst()
	c.cancel(context.Canceled)
	c.Close()
}

// tend renews the credential of the connection, if that is due.
func (c *connection) tend() {
	if way := c.Credential(); way != nil {
		way.Tend(c.ctx, time.Now())
	}
}
