package lease

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// clocks are two clocks that a test sets.
type clocks struct{ reading }

func (c *clocks) pass(wall, running time.Duration) {
	c.wall, c.running = c.wall.Add(wall), c.running+running
}

// fakeLock is a Lease whose requests take time and may fail.
type fakeLock struct {
	resourcelock.Interface
	holder string
	during func()
	err    error // of all requests
	refuse error // of those that write
}

func (f *fakeLock) Get(context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	return &resourcelock.LeaderElectionRecord{HolderIdentity: f.holder}, nil, f.err
}

func (f *fakeLock) Update(_ context.Context, r resourcelock.LeaderElectionRecord) error {
	if f.during != nil {
		f.during()
	}
	err := cmp.Or(f.err, f.refuse)
	if err == nil {
		f.holder = r.HolderIdentity
	}
	return err
}

// newTerm is the Lease of a process with the identity "me", good for nine seconds.
func newTerm() (*Lease, *fakeLock, *termLock, *clocks) {
	c := &clocks{reading{wall: time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC)}}
	l := &Lease{namespace: "n", name: "l", identity: "me"}
	l.term = term{identity: "me", limit: 9 * time.Second, now: func() reading { return c.reading }, lost: make(chan struct{})}
	f := &fakeLock{}
	return l, f, &termLock{Interface: f, term: &l.term}, c
}

func renew(t *testing.T, l *termLock) error {
	t.Helper()
	return l.Update(t.Context(), resourcelock.LeaderElectionRecord{HolderIdentity: "me"})
}

func TestOnlyTheHolderMayWriteAndOnlyForAsLongAsItRenews(t *testing.T) {
	l, f, lock, c := newTerm()
	require.ErrorContains(t, l.MayWrite(), "this process is a standby")
	require.NoError(t, renew(t, lock))
	require.NoError(t, l.MayWrite())
	c.pass(8*time.Second, 8*time.Second)
	require.NoError(t, l.MayWrite())
	require.NoError(t, renew(t, lock))
	c.pass(8*time.Second, 8*time.Second)
	f.err = errors.New("no answer")
	require.Error(t, renew(t, lock))
	require.NoError(t, l.MayWrite(), "the Lease has not ended yet")
	c.pass(time.Second, time.Second)
	require.ErrorIs(t, l.MayWrite(), ErrLost)
	f.err = nil
	require.ErrorIs(t, renew(t, lock), ErrLost, "a term does not begin again")
	require.Equal(t, "me", f.holder)
	require.ErrorIs(t, l.MayWrite(), ErrLost)
	<-l.term.lost
}

func TestAClockThatStandsStillDoesNotLengthenATerm(t *testing.T) {
	for _, passed := range []struct{ wall, running time.Duration }{{9 * time.Second, 0}, {0, 9 * time.Second}, {-time.Hour, 9 * time.Second}} {
		l, _, lock, c := newTerm()
		require.NoError(t, renew(t, lock))
		c.pass(passed.wall, passed.running)
		require.ErrorIs(t, l.MayWrite(), ErrLost, passed)
	}
}

func TestATermCountsFromWhenARenewalBegan(t *testing.T) {
	l, f, lock, c := newTerm()
	f.during = func() { c.pass(5*time.Second, 5*time.Second) }
	require.NoError(t, renew(t, lock))
	c.pass(4*time.Second, 4*time.Second)
	require.ErrorIs(t, l.MayWrite(), ErrLost)
}

func TestAnotherHolderEndsATerm(t *testing.T) {
	l, f, lock, _ := newTerm()
	require.NoError(t, renew(t, lock))
	f.holder = "http://10.0.0.2:7460#other"
	_, _, err := lock.Get(t.Context())
	require.NoError(t, err)
	require.ErrorIs(t, l.MayWrite(), ErrLost)
	address, name := l.Leader()
	require.Equal(t, []string{"http://10.0.0.2:7460", "other"}, []string{address, name})
	f.holder = "somebody_else"
	_, _, err = lock.Get(t.Context())
	require.NoError(t, err)
	address, name = l.Leader()
	require.Equal(t, []string{"", "somebody_else"}, []string{address, name}, "a holder that is none of ours has no address")
}

// TestAClusterThatDoesNotAnswerIsToldOnce: a process that cannot take over says so, and why.
func TestAClusterThatDoesNotAnswerIsToldOnce(t *testing.T) {
	l, f, lock, c := newTerm()
	var told []error
	lock.told = func(err error) { told = append(told, err) }
	require.NoError(t, l.Unreached(), "nothing was asked yet")
	get := func() { _, _, _ = lock.Get(t.Context()) }

	f.err = apierrors.NewNotFound(leases, "l")
	get()
	require.Empty(t, told, "one that is not there yet can be made")
	refused := apierrors.NewForbidden(leases, "l", errors.New("no right"))
	f.err = refused
	get()
	get()
	require.Equal(t, []error{refused}, told)
	require.ErrorIs(t, l.Unreached(), refused, "it was never reached")

	f.err = nil
	get()
	require.Equal(t, []error{refused, nil}, told)
	require.NoError(t, l.Unreached())
	f.err = apierrors.NewConflict(leases, "l", errors.New("another wrote it first"))
	require.Error(t, renew(t, lock))
	require.Len(t, told, 2, "which is an answer")
	f.err = io.ErrUnexpectedEOF
	get()
	require.Len(t, told, 3)
	c.pass(8*time.Second, 8*time.Second)
	require.NoError(t, l.Unreached(), "for less long than the Lease lasts")
	c.pass(time.Second, time.Second)
	require.ErrorIs(t, l.Unreached(), io.ErrUnexpectedEOF)
	var none *Lease
	require.NoError(t, none.Unreached())
}

var leases = schema.GroupResource{Group: "coordination.k8s.io", Resource: "leases"}

func TestWithoutALeaseOneProcessMayAlwaysWrite(t *testing.T) {
	var l *Lease
	require.NoError(t, l.MayWrite())
	require.Empty(t, l.Name())
	led := false
	require.NoError(t, l.Run(t.Context(), nil, func(context.Context) error { led = true; return nil }))
	require.True(t, led)
}

// roundTrips is a transport that counts.
type roundTrips int

func (n *roundTrips) RoundTrip(*http.Request) (*http.Response, error) {
	*n++
	return &http.Response{Body: io.NopCloser(strings.NewReader(""))}, nil
}

func TestAGuardedTransportReadsAndDoesNotWrite(t *testing.T) {
	l, _, lock, _ := newTerm()
	var sent roundTrips
	guarded := l.Guard(&sent)
	ask := func(method string) error {
		r, err := http.NewRequestWithContext(t.Context(), method, "https://cluster.example", strings.NewReader("{}"))
		require.NoError(t, err)
		answer, err := guarded.RoundTrip(r)
		if err == nil {
			_ = answer.Body.Close()
		}
		return err
	}
	require.NoError(t, ask(http.MethodGet))
	for _, method := range []string{http.MethodPost, http.MethodPatch, http.MethodPut, http.MethodDelete} {
		require.ErrorContains(t, ask(method), "nothing is written: Lease n/l: this process is a standby")
	}
	require.Equal(t, 1, int(sent))
	require.NoError(t, renew(t, lock))
	require.NoError(t, ask(http.MethodPatch))
}

// TestALeaseThatMayBeReadAndNotWrittenIsToldOnce, however often it is tried, and this process is no standby to rely on; until another leads.
func TestALeaseThatMayBeReadAndNotWrittenIsToldOnce(t *testing.T) {
	l, f, lock, c := newTerm()
	var told []error
	lock.told = func(err error) { told = append(told, err) }
	f.refuse = apierrors.NewForbidden(leases, "l", errors.New("no right to update"))
	try := func() {
		_, _, err := lock.Get(t.Context())
		require.NoError(t, err)
		require.Error(t, renew(t, lock))
	}
	for range 3 {
		try()
	}
	require.Equal(t, []error{f.refuse}, told)
	require.NoError(t, l.Unreached(), "it has been so for less long than a Lease lasts")
	c.pass(9*time.Second, 9*time.Second)
	try()
	require.ErrorIs(t, l.Unreached(), f.refuse, "reading the Lease is no way to lead")

	f.holder = "http://10.0.0.2:7460#other"
	_, _, err := lock.Get(t.Context())
	require.NoError(t, err)
	require.Equal(t, []error{f.refuse, nil}, told)
	require.NoError(t, l.Unreached(), "another leads, and whether this one could is not known")
}
