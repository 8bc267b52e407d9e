package notify

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"transom.dev/reconciler/status"
	"transom.dev/render/event"
	"transom.dev/render/platform"
	"transom.dev/render/wording"
)

// A Notifier tells people of events while it runs.
type Notifier struct {
	// Notifications are those of the platform that was loaded last, by name.
	Notifications func() map[string]*platform.Notification

	// Counted, if set, is called for every message that was sent, failed or dropped.
	Counted func(target string, outcome Outcome)

	// Told, if set, is called when a target begins to fail, with why, and with nil when it takes messages again.
	Told func(target string, err error)

	// Send sends a message to a target once; absent: as the target says. Its error is told without the target's secrets.
	Send func(context.Context, Target, *Message) error

	// Console is the address of the console, to which messages lead; absent: they lead nowhere.
	Console string

	// Gather is how long events of a kind are gathered into one message; absent: two seconds.
	Gather time.Duration

	sender  sender
	mu      sync.Mutex
	targets Targets
	inbox   chan status.Event // events to tell
	queues  map[string]*queue // by name of target
}

// Outcome says how the way of a message ended.
type Outcome string

// The outcomes.
const (
	Sent    Outcome = "sent"
	Failed  Outcome = "failed"  // the target refused it, or did not take it for an hour
	Dropped Outcome = "dropped" // too many others wait
)

const (
	inboxLength = 4096
	gatherTime  = 2 * time.Second
)

// New returns a Notifier that knows targets.
func New(targets Targets) *Notifier {
	return &Notifier{sender: newSender(), targets: targets, inbox: make(chan status.Event, inboxLength), queues: map[string]*queue{}}
}

// Use takes other targets from now on, and reports whether they differ.
func (n *Notifier) Use(targets Targets) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	differ := !maps.Equal(n.targets, targets)
	n.targets = targets
	return differ
}

// Names are the names of the targets that it knows now.
func (n *Notifier) Names() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.targets.Names()
}

// Take takes an event. It never waits: it is meant for status.Board's OnEvent.
func (n *Notifier) Take(e status.Event) {
	if e.Kind == "" || e.Found {
		return
	}
	select {
	case n.inbox <- e:
	default:
		n.counted("", Dropped)
	}
}

// Problems are those of a platform's Notifications that only the operator's targets tell.
func (n *Notifier) Problems(p *platform.Platform) (problems []platform.Problem) {
	names := n.Names()
	for _, name := range slices.Sorted(maps.Keys(p.Notifications)) {
		of := p.Notifications[name]
		if of.Broken || slices.Contains(names, of.Target) {
			continue
		}
		problems = append(problems, platform.Problem{
			File: of.File, Rule: "unknown-target", Message: fmt.Sprintf("spec.target: the operator's file (serve --notify) has no target %q%s; nobody is told. It has %s",
				wording.Shorten(of.Target), wording.Suggest(of.Target, names), wording.List(names)),
		}.Cleaned())
	}
	return problems
}

// A bundle is the events of one kind in one environment for one Notification.
type bundle struct {
	notification string
	kind         event.Kind
	environment  string
}

// Run tells of events until ctx is done.
func (n *Notifier) Run(ctx context.Context) error {
	var senders sync.WaitGroup
	defer senders.Wait()
	gather := n.Gather
	if gather == 0 {
		gather = gatherTime
	}
	tick := time.NewTicker(gather)
	defer tick.Stop()
	told, bundles := memory{}, map[bundle]*Message{}
	collect := func(of subject, e status.Event) {
		if to := n.Notifications()[of.notification]; to == nil || !to.Tells(e.Kind) {
			return // it is remembered as the condition that a later event changes
		}
		key := bundle{of.notification, e.Kind, e.Environment}
		if bundles[key] == nil {
			bundles[key] = &Message{Notification: key.notification, Kind: key.kind, Environment: key.environment}
		}
		bundles[key].add(e)
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case e := <-n.inbox:
			for _, of := range n.concerned(e) {
				if told.news(of, e, time.Now()) {
					collect(of, e)
				}
			}
		case now := <-tick.C:
			told.due(now, collect)
			for _, m := range slices.SortedFunc(maps.Values(bundles), func(x, y *Message) int { return x.Events[0].At.Compare(y.Events[0].At) }) {
				m.URL = m.link(n.Console)
				m.seal()
				n.send(ctx, &senders, m)
			}
			clear(bundles)
		}
	}
}

// classes group the kinds that follow one another: a subject is in one condition of each class.
var classes = map[event.Kind]string{
	event.Approval: "way", event.Promoted: "way", event.RolledBack: "way", event.Drift: "drift",
}

// concerned are the subjects of an event, one for each Notification that is about them.
func (n *Notifier) concerned(e status.Event) (subjects []subject) {
	var team, request string
	if e.Request != nil {
		team, request = e.Request.Team, e.Request.Name
	}
	environments := e.In
	if e.Environment != "" {
		environments = []string{e.Environment}
	}
	class := classes[e.Kind]
	if class == "" {
		class = "health"
	}
	for name, of := range n.Notifications() {
		if of.Concerns(team, environments...) {
			subjects = append(subjects, subject{name, class, e.Environment, e.Cluster, team, request, e.About})
		}
	}
	return subjects
}

// send hands a message to the queue of its target, which begins with its first one.
func (n *Notifier) send(ctx context.Context, senders *sync.WaitGroup, m *Message) {
	of := n.Notifications()[m.Notification]
	if of == nil {
		return // it was removed meanwhile
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, known := n.targets[of.Target]; !known {
		return // which is a Problem of the Notification
	}
	q := n.queues[of.Target]
	if q == nil {
		q = &queue{notifier: n, target: of.Target, waiting: make(chan *Message, queueLength), send: n.Send}
		if q.send == nil {
			q.send = n.sender.send
		}
		n.queues[of.Target] = q
		senders.Go(func() { q.run(ctx) })
	}
	select {
	case q.waiting <- m:
	default:
		n.counted(of.Target, Dropped)
	}
}

func (n *Notifier) counted(target string, outcome Outcome) {
	if n.Counted != nil {
		n.Counted(target, outcome)
	}
}

// target is where messages of a name go now; false: nowhere any more.
func (n *Notifier) target(name string) (Target, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	t, known := n.targets[name]
	return t, known
}
