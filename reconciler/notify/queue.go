package notify

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	queueLength = 200 // messages
	giveUpAfter = time.Hour
	firstRetry  = time.Second
	mostRetry   = 5 * time.Minute
	sendTime    = 20 * time.Second // of one attempt
)

// A queue sends the messages of one target, one after the other. There are as many as targets that were ever told something.
type queue struct {
	notifier *Notifier
	target   string
	waiting  chan *Message

	send    func(context.Context, Target, *Message) error
	failing bool
}

// run sends until ctx is done.
func (q *queue) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case m := <-q.waiting:
			q.deliver(ctx, m)
		}
	}
}

// deliver sends a message, again and again with growing pauses, until the target takes or refuses it or time is up.
func (q *queue) deliver(ctx context.Context, m *Message) {
	until, pause := time.Now().Add(giveUpAfter), firstRetry
	for {
		t, known := q.notifier.target(q.target)
		if !known {
			return
		}
		err := q.attempt(ctx, t, m)
		if ctx.Err() != nil {
			return
		}
		q.tell(err)
		var refused *refusal
		final := errors.As(err, &refused) && !refused.again
		switch {
		case err == nil:
			q.notifier.counted(q.target, Sent)
			return
		case final, time.Now().After(until):
			q.notifier.counted(q.target, Failed)
			return
		}
		wait := pause
		if refused != nil {
			wait = max(wait, min(refused.after, giveUpAfter))
		}
		pause = min(2*pause, mostRetry)
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// attempt sends a message once, within a bound.
func (q *queue) attempt(ctx context.Context, t Target, m *Message) error {
	ctx, cancel := context.WithTimeoutCause(ctx, sendTime, fmt.Errorf("no answer within %s", sendTime))
	defer cancel()
	return q.send(ctx, t, m)
}

// tell says that the target begins to fail, or takes messages again.
func (q *queue) tell(err error) {
	if q.failing == (err != nil) {
		return
	}
	q.failing = err != nil
	if q.notifier.Told != nil {
		q.notifier.Told(q.target, err)
	}
}
