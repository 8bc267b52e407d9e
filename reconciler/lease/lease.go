package lease

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coordination "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/klog/v2"
)

// ErrLost says that another process may lead by now: this one has to end.
var ErrLost = errors.New("the Lease is lost")

// A Lease is one that this process stands for. A nil Lease is held for ever: there is no other process.
type Lease struct {
	// Told is told when the cluster with the Lease does not answer or refuses, and with nil when it answers again. It does not wait.
	Told func(error)

	namespace, name string
	duration        time.Duration
	identity        string // of this process, as the holder of the Lease: its address, and its name as the fragment
	client          coordination.LeasesGetter
	term            term
}

// Open makes a client for a Lease. It makes no request. The address is the URL at which other processes reach this one.
func Open(config *rest.Config, namespace, name, address string, duration time.Duration) (*Lease, error) {
	config = rest.CopyConfig(config)
	config.Timeout = max(renewDeadline(duration)/2, time.Second)
	config.NextProtos = []string{"http/1.1"} // a connection that hangs ends with its request
	client, err := coordination.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("connect to the cluster of Lease %s/%s: %w", namespace, name, err)
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("read the name of this machine: %w", err)
	}
	l := &Lease{namespace: namespace, name: name, duration: duration, client: client}
	l.identity = address + "#" + host + "-" + strings.ToLower(rand.Text()[:6]) // a process that is started again is another one
	l.term = term{identity: l.identity, limit: duration - duration/10, now: sinceNow(), lost: make(chan struct{})}
	return l, nil
}

// The intervals of an election. Takeover takes at most the duration and twice the longest pause between two attempts, which is 2.2
// times the retry period.
func renewDeadline(duration time.Duration) time.Duration { return duration * 7 / 10 }
func retryPeriod(duration time.Duration) time.Duration   { return duration / 10 }

// String names the Lease.
func (l *Lease) String() string { return l.namespace + "/" + l.name }

// Name is the name of this process; empty where there is no other.
func (l *Lease) Name() string {
	if l == nil {
		return ""
	}
	_, name := split(l.identity)
	return name
}

// Leader is the address and the name of the process that leads, as this one saw it last; both are empty where nobody does. The
// address is empty where the holder gives none.
func (l *Lease) Leader() (address, name string) { return split(l.term.leader()) }

// split takes the identity of a holder apart. One that has no address was not made by Open.
func split(identity string) (address, name string) {
	u, err := url.Parse(identity)
	if err != nil || u.Host == "" || u.Fragment == "" {
		return "", identity
	}
	return u.Scheme + "://" + u.Host, u.Fragment
}

// Unreached says why this process could not take over: nothing is known of the Lease for as long as it lasts. Nil: it could.
func (l *Lease) Unreached() error {
	if l == nil {
		return nil
	}
	return l.term.unreached()
}

// MayWrite fails unless this process leads at this moment. It asks nobody: the Lease was renewed so lately that no other process
// can have taken it.
func (l *Lease) MayWrite() error {
	if l == nil {
		return nil
	}
	if err := l.term.check(); err != nil {
		return fmt.Errorf("nothing is written: Lease %s: %w", l, err)
	}
	return nil
}

// Run stands for the Lease until ctx is done. While another process holds it, stand runs; once this one does, stand is ended and lead
// runs in its place. The context of lead ends with ctx, and when the Lease is lost. When lead has returned, the Lease is given
// back. The error is ErrLost where it was lost.
func (l *Lease) Run(ctx context.Context, stand, lead func(context.Context) error) error {
	if l == nil {
		return lead(ctx)
	}
	elected, over, end, err := l.elect(ctx)
	if err != nil {
		return err
	}
	defer func() {
		end()
		<-over
		l.release(ctx)
	}()
	if err := standing(ctx, elected, stand); err != nil || ctx.Err() != nil {
		return err
	}
	leading, lose := context.WithCancelCause(ctx)
	defer lose(nil)
	go func() {
		select {
		case <-over:
		case <-l.term.lost:
		case <-leading.Done():
		}
		lose(ErrLost)
	}()
	err = lead(leading)
	if errors.Is(context.Cause(leading), ErrLost) {
		return fmt.Errorf("Lease %s: %w: this process has written its last, and is a standby when it is started again", l, ErrLost)
	}
	return err
}

// standing runs stand until this process is elected, or ctx is done.
func standing(ctx context.Context, elected <-chan struct{}, stand func(context.Context) error) error {
	ctx, leave := context.WithCancel(ctx)
	defer leave()
	go func() {
		select {
		case <-elected:
		case <-ctx.Done():
		}
		leave()
	}()
	if err := stand(ctx); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// elect takes part in the election until end is called. The channel elected is closed when this process leads, and over when it
// takes part no more. The election outlasts ctx: a leader renews its Lease until its last write has ended.
func (l *Lease) elect(ctx context.Context) (elected, over chan struct{}, end context.CancelFunc, err error) {
	elected, over = make(chan struct{}), make(chan struct{})
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: &termLock{l.lock(), &l.term, l.Told}, Name: l.String(),
		LeaseDuration: l.duration, RenewDeadline: renewDeadline(l.duration), RetryPeriod: retryPeriod(l.duration),
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(context.Context) { close(elected) },
			OnStoppedLeading: func() {},
		},
	})
	if err != nil {
		return nil, nil, nil, fmt.Errorf("stand for Lease %s: %w", l, err)
	}
	ctx, end = context.WithCancel(klog.NewContext(context.WithoutCancel(ctx), logr.Discard())) // serve tells who leads
	go func() {
		defer close(over)
		elector.Run(ctx)
	}()
	return elected, over, end, nil
}

func (l *Lease) lock() *resourcelock.LeaseLock {
	return &resourcelock.LeaseLock{
		LeaseMeta: metav1.ObjectMeta{Namespace: l.namespace, Name: l.name}, Client: l.client,
		LockConfig: resourcelock.ResourceLockConfig{Identity: l.identity},
	}
}

// releaseLimit bounds giving the Lease back. Where that fails, others wait for its end.
const releaseLimit = 3 * time.Second

// release gives the Lease back, if this process holds it. Nothing is written after it.
func (l *Lease) release(ctx context.Context) {
	if !l.term.end() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseLimit)
	defer cancel()
	lock := l.lock()
	record, _, err := lock.Get(ctx)
	if err != nil || record.HolderIdentity != l.identity {
		return
	}
	record.HolderIdentity, record.LeaseDurationSeconds = "", 1
	_ = lock.Update(ctx, *record)
}

// sinceNow is a clock of two readings: the machine's, which may be set, and one that may stand still while the machine is suspended.
func sinceNow() func() reading {
	began := time.Now()
	return func() reading {
		now := time.Now()
		return reading{wall: now.Round(0), running: now.Sub(began)}
	}
}
