package fleet_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"transom.dev/fleet"
	"transom.dev/fleet/apply"
	"transom.dev/fleet/credential"
	"transom.dev/render/sealed"
	"transom.dev/render/state"
)

// fakeCluster is a cluster in memory: it has instances whole and remembers who was worked on. It exists because a
// thousand API servers do not fit a test; the suite in suite_test.go checks it against the behaviour of a real one.
type fakeCluster struct {
	mu       sync.Mutex
	uid      string
	hung     chan struct{}                                               // nobody is answered before it is closed; nil: all are
	away     error                                                       // the error of every call, if set
	held     map[apply.Owner]string                                      // revision by whose inventory is there
	visits   []visit                                                     // in the order they began
	looks    int                                                         // of them, those that began as a look
	vain     int                                                         // looks that would have had to make requests
	on       func(context.Context, apply.Instance) (apply.Result, error) // instead of doing it; nil result and error: do it
	dials    int
	asked    int // who it is
	written  []apply.Checkpoint
	misused  bool // a session was closed during a visit
	sessions map[*session]bool
	soaked   map[apply.Owner]apply.Checkpoint // on the inventories
	others   map[apply.Owner]time.Time        // when another daemon wrote the held revision
	taken    map[apply.Owner]bool             // whose names somebody else's objects have
	write    func(apply.Owner)                // before a visit changes held
	health   func(apply.Owner) state.Health   // of the held revision; nil: healthy
	laden    map[apply.Owner]bool             // and would lose something if they were taken over
	adopted  map[apply.Owner]bool             // that were taken over
	stays    map[apply.Owner]string           // revision of those that were let go
	fences   map[string]fence                 // by environment
	tries    []apply.Owner                    // in the order they began
	try      func(apply.Instance, *apply.Refusal) bool

	meanwhile func()                       // while the Job of a check runs
	keys      func() (*sealed.Keys, error) // that it got

	recorded []string // instance and reason of Kubernetes Events
	refuses  error    // the answer to one

	credential *credential.Credential // nil: nothing is known about it
}

// fence is the state commit that an environment was last written for.
type fence struct {
	commit string
	at     time.Time
}

// visit is one Apply or Observe.
type visit struct {
	owner    apply.Owner
	revision string
	absent   bool
	observed bool
	leaves   bool // objects that were refused
}

var errAway = errors.New("connection refused")

func newFakeCluster(uid string) *fakeCluster {
	return &fakeCluster{
		uid: uid, held: map[apply.Owner]string{}, sessions: map[*session]bool{}, soaked: map[apply.Owner]apply.Checkpoint{},
		others: map[apply.Owner]time.Time{}, taken: map[apply.Owner]bool{}, fences: map[string]fence{},
		laden: map[apply.Owner]bool{}, adopted: map[apply.Owner]bool{}, stays: map[apply.Owner]string{},
	}
}

// session is one connection to a fakeCluster.
type session struct {
	*fakeCluster
	event func(apply.Owner)
	doubt func()
	busy  int // visits under way
}

func (c *fakeCluster) connect(event func(apply.Owner), doubt func()) (fleet.Member, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dials++
	if c.away != nil {
		return nil, c.away
	}
	s := &session{fakeCluster: c, event: event, doubt: doubt}
	c.sessions[s] = true
	return s, nil
}

// hang has the cluster take connections and requests, and answer none of them until the function is called that it returns.
func (c *fakeCluster) hang() (answer func()) {
	hung := make(chan struct{})
	c.set(func(c *fakeCluster) { c.hung = hung })
	return func() { close(hung) }
}

// answers waits until the cluster answers, or the context ends.
func (c *fakeCluster) answers(ctx context.Context) {
	c.mu.Lock()
	hung := c.hung
	c.mu.Unlock()
	if hung == nil {
		return
	}
	select {
	case <-hung:
	case <-ctx.Done():
	}
}

// Credential is that of the cluster, and Version unknown.
func (s *session) Credential() *credential.Credential {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.credential
}

func (s *session) Version() string { return "" }

// Width lets eight instances be worked on.
func (s *session) Width() int { return 16 }

// Queues is false: there are no lists.
func (s *session) Queues() bool { return false }

func (s *session) UID(ctx context.Context) (string, error) {
	s.set(func(c *fakeCluster) { c.asked++ })
	s.answers(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.uid, errors.Join(s.away, ctx.Err())
}

func (s *session) Apply(ctx context.Context, in apply.Instance) (apply.Result, error) {
	return s.visit(ctx, in, false)
}

// Try asks the function that stands in for visits.
func (s *session) Try(ctx context.Context, in apply.Instance, r *apply.Refusal) (refused bool, err error) {
	s.mu.Lock()
	s.tries = append(s.tries, in.Owner)
	try := s.try
	s.mu.Unlock()
	return try != nil && try(in, r), ctx.Err()
}

// Look says how the instance is that is as it shall be.
func (s *session) Look(ctx context.Context, in apply.Instance) (apply.Result, error) {
	s.mu.Lock()
	due := s.on != nil || in.Absent || s.held[in.Owner] != in.Revision || s.taken[in.Owner]
	if due {
		s.vain++
	}
	s.mu.Unlock()
	if due {
		return apply.Result{}, apply.ErrRequests
	}
	s.set(func(c *fakeCluster) { c.looks++ })
	return s.visit(ctx, in, false)
}

func (s *session) Observe(ctx context.Context, in apply.Instance) (apply.Result, error) {
	return s.visit(ctx, in, true)
}

func (s *session) visit(ctx context.Context, in apply.Instance, observed bool) (apply.Result, error) {
	s.mu.Lock()
	s.visits = append(s.visits, visit{in.Owner, in.Revision, in.Absent, observed, in.Refused != nil})
	on := s.on
	s.busy++
	write := s.write
	writes := write != nil && !observed && s.held[in.Owner] != in.Revision
	s.mu.Unlock()
	defer s.set(func(*fakeCluster) { s.busy-- })
	if on != nil {
		if result, err := on(ctx, in); err != nil || result.Health != "" {
			return result, err
		}
	}
	if writes {
		write(in.Owner)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := errors.Join(s.away, ctx.Err()); err != nil {
		return apply.Result{}, err
	}
	if result, err := s.stand(ctx, in, observed); err != nil || result.Health != "" {
		return result, err
	}
	if in.External && !in.Absent && s.held[in.Owner] != in.Revision {
		return apply.Result{Health: state.Unknown, Settled: true}, nil
	}
	if wrote := s.others[in.Owner]; !observed && !in.Absent && !in.Fetched.IsZero() && s.held[in.Owner] != in.Revision && wrote.After(in.Fetched) {
		return apply.Result{Health: state.Progressing, Overtaken: true}, nil
	}
	observed = observed || in.External
	if s.taken[in.Owner] && !in.Absent && !in.Adopt {
		return apply.Result{Health: state.Failed, Problems: []apply.Problem{{Message: "it is not Transom's; adopt: true takes it over"}}}, nil
	}
	if waits := (&apply.Adoption{Digest: digest([]byte(in.Request))}); s.laden[in.Owner] && !in.Absent && !slices.Contains(in.Approved, waits.Digest) {
		return apply.Result{Health: state.Unknown, Adoption: waits}, nil
	}
	if !observed {
		s.adopted[in.Owner] = s.adopted[in.Owner] || s.taken[in.Owner]
		delete(s.laden, in.Owner)
		delete(s.others, in.Owner)
		delete(s.taken, in.Owner)
	}
	result, revision := apply.Result{Health: state.Healthy, Settled: true}, in.Revision
	if before, ok := s.held[in.Owner]; in.Absent && ok && !observed {
		s.held[in.Owner] = ""
		if s.adopted[in.Owner] {
			s.stays[in.Owner], s.adopted[in.Owner] = before, false
			result.LetGo = []apply.Object{{Kind: "ConfigMap", Namespace: in.Team, Name: in.Request + "-settings"}}
		}
		if before != "" {
			delete(s.soaked, in.Owner)
		}
		if !in.Recorded {
			delete(s.held, in.Owner)
			delete(s.soaked, in.Owner)
		}
	} else if !in.Absent && !observed {
		s.held[in.Owner] = in.Revision
	}
	if in.Absent && s.held[in.Owner] == "" {
		revision = apply.Removed
	}
	if s.health != nil {
		result.Health = s.health(in.Owner)
	}
	if soaked := s.soaked[in.Owner]; soaked.Revision == revision {
		result.Checkpoint = soaked
	}
	return result, nil
}

// stand is the result of a visit whose state may not write here, and zero where it may: then that is noted.
func (s *session) stand(ctx context.Context, in apply.Instance, observed bool) (apply.Result, error) {
	if in.Lineage == nil || in.State.Commit == "" {
		return apply.Result{}, nil
	}
	there := s.fences[in.Environment]
	known, err := in.Lineage.Contains(ctx, there.commit)
	takes := slices.Contains(in.Lineage.Takeover, there.commit)
	guarded := slices.ContainsFunc(slices.Collect(maps.Keys(s.held)), func(o apply.Owner) bool { return o.Environment == in.Environment })
	switch {
	case err != nil:
		return apply.Result{}, err
	case guarded && there.commit != "" && !known && there.at.After(in.Fetched) && !in.Fetched.IsZero():
		return apply.Result{Health: state.Progressing, Overtaken: true}, nil
	case guarded && there.commit != "" && !known && !takes:
		return apply.Result{Health: state.Unknown, Foreign: &apply.Foreign{Commit: there.commit}, Settled: true}, nil
	}
	if revision := s.held[in.Owner]; !observed && (revision != in.Revision || takes && !known) {
		s.fences[in.Environment] = fence{in.State.Commit, time.Now()}
	}
	return apply.Result{}, nil
}

func (s *session) Checkpoint(ctx context.Context, in apply.Instance, checkpoint apply.Checkpoint) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := in.Owner
	if result, err := s.stand(ctx, in, true); err != nil || result.Health != "" {
		return err
	}
	if err := errors.Join(s.away, ctx.Err()); err != nil {
		return err
	}
	if _, ok := s.held[o]; ok {
		s.soaked[o] = checkpoint
		s.written = append(s.written, checkpoint)
	}
	return nil
}

func (s *session) Record(ctx context.Context, o apply.Owner, n apply.News) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := errors.Join(s.away, s.refuses, ctx.Err()); err != nil {
		return err
	}
	if _, ok := s.held[o]; !ok {
		return apply.ErrNoInventory
	}
	s.recorded = append(s.recorded, o.Request+" "+n.Reason)
	return nil
}

func (s *session) Owners(ctx context.Context, environment string) ([]apply.Owner, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var owners []apply.Owner
	for _, o := range slices.SortedFunc(maps.Keys(s.held), apply.Owner.Compare) {
		if o.Environment == environment {
			owners = append(owners, o)
		}
	}
	return owners, errors.Join(s.away, ctx.Err())
}

func (s *session) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, s)
	s.misused = s.misused || s.busy > 0
}

// set changes something about the cluster.
func (c *fakeCluster) set(change func(*fakeCluster)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(c)
}

// take returns the visits since it was last called.
func (c *fakeCluster) take() []visit {
	c.mu.Lock()
	defer c.mu.Unlock()
	visits := c.visits
	c.visits = nil
	return visits
}

// holds returns the revisions that the cluster has, by TEAM/REQUEST.
func (c *fakeCluster) holds() map[string]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	held := map[string]string{}
	for o, revision := range c.held {
		held[o.Team+"/"+o.Request] = revision
	}
	return held
}

// happen has a watch see something about an instance.
func (c *fakeCluster) happen(o apply.Owner) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for s := range c.sessions {
		s.event(o)
	}
}

// lose has the cluster go away and its watches notice.
func (c *fakeCluster) lose() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.away = errAway
	for s := range c.sessions {
		s.doubt()
	}
}
