package console

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// modelPace is how often a model is made at most: of a large fleet it costs as much as a pass.
	modelPace = 200 * time.Millisecond
	// fewInstances are as many as a page waits for: a model of them is made in less time than the page.
	fewInstances = 1000
	// renewedFor is how long the model of many instances is renewed after somebody looked at it.
	renewedFor = time.Minute
)

// A cache keeps the model of the latest status. It is safe for concurrent use.
//
// A page waits for the model of few instances. That of many is renewed by a goroutine of its own for as long as people look: they get
// the newest one that is finished, and are told if the Board knows more. The goroutine ends by itself once nobody looks any more.
type cache struct {
	board   Board
	now     func() time.Time
	giveWay func() // to work that is more urgent than a model; nil: there is none

	kept   atomic.Pointer[model]
	making sync.Mutex // of those who make a model while a page waits

	mu       sync.Mutex // of the following, never held while a model is made
	news     <-chan struct{}
	heard    int // how often there were news
	has      int // how many of them are in the model that is kept
	made     time.Time
	looked   time.Time
	renewing bool // a goroutine renews the model
}

// model returns a model of all that the Board knew when it was called, or says that it is behind that. Calls that come together share
// one.
func (c *cache) model(ctx context.Context) (m *model, behind bool) {
	if m, behind := c.ready(); m != nil {
		return m, behind
	}
	c.making.Lock()
	defer c.making.Unlock()
	if m, behind := c.ready(); m != nil {
		return m, behind
	}
	c.mu.Lock()
	made := c.made
	c.mu.Unlock()
	if !made.IsZero() {
		pause(ctx, modelPace-c.now().Sub(made))
	}
	m = c.renew()
	if len(m.Instances) > fewInstances {
		c.keepRenewed()
	}
	return m, false
}

// ready is the model that nobody has to wait for; nil: there is none. A model that is behind is one only while it is renewed.
func (c *cache) ready() (m *model, behind bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.looked = c.now()
	if m = c.kept.Load(); m == nil {
		return nil, false
	}
	if behind = c.isBehind(); behind && !c.renewing {
		return nil, false
	}
	return m, behind
}

// isBehind says whether the Board knows more than the model that is kept; the caller holds the lock.
func (c *cache) isBehind() bool {
	if c.heard == 0 {
		c.news, _ = c.board.Subscribe() // for as long as the process lives
		c.heard++
	}
	select {
	case <-c.news:
		c.heard++
	default:
	}
	return c.has < c.heard
}

// renew makes the model of all that the Board knows now. Its callers take care that no other one is made meanwhile.
func (c *cache) renew() *model {
	c.mu.Lock()
	c.isBehind()
	has := c.heard // news that come while the model is made may be in it or not, and make another one
	c.mu.Unlock()
	m := newModel(c.board.Status())
	c.mu.Lock()
	defer c.mu.Unlock()
	c.has, c.made = has, c.now()
	c.kept.Store(m)
	return m
}

// keepRenewed begins to renew the model.
func (c *cache) keepRenewed() {
	c.mu.Lock()
	defer c.mu.Unlock()
	changed, end := c.board.Subscribe()
	c.renewing = true
	go func() {
		defer end()
		for c.goesOn() {
			c.mu.Lock()
			behind := c.isBehind()
			c.mu.Unlock()
			if !behind {
				idle := time.NewTimer(renewedFor)
				select {
				case <-changed:
				case <-idle.C:
				}
				idle.Stop()
				continue
			}
			if c.giveWay != nil {
				c.giveWay()
			}
			began := time.Now()
			c.renew()
			time.Sleep(max(modelPace, time.Since(began))) // half of the time, at most, is spent on models
		}
	}()
}

// goesOn says whether somebody looked of late. If not, it ends the renewing.
func (c *cache) goesOn() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.renewing = c.now().Sub(c.looked) < renewedFor
	return c.renewing
}

// pause waits for a while, unless ctx ends before.
func pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(min(d, modelPace))
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// latest is the model that was made last; nil: none was yet.
func (c *cache) latest() *model { return c.kept.Load() }
