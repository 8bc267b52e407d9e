package apply

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"transom.dev/fleet/credential"
)

const defaultConcurrency = 16

// Options bound the requests of a Cluster and say whom it tells. The zero value works.
type Options struct {
	// Concurrency is how many requests are under way to the cluster at one time at first, over all its instances; 0 is 16. There
	// are more where the network is slow, and fewer where the API server says that there are too many.
	Concurrency int

	// Limits bound the answers of the cluster.
	Limits Limits

	// Shared, if set, is shared with other Clusters.
	Shared *Shared

	// OnEvent is called when a watch saw something about an object of that owner that a visit should look at. An
	// owner is named only after its first Apply or Observe on this Cluster. It must not block.
	OnEvent func(Owner)

	// OnReachable is called with an error when the cluster stops answering watches, and with nil when it answers
	// again. It must not block.
	OnReachable func(error)
}

// Cluster is the connection to one cluster, and all that visits of its instances share. It is safe for concurrent use, but
// for two visits of one instance.
type Cluster struct {
	*showing
	*checks
	uid         string
	version     string // of Kubernetes; empty: it does not say
	client      *client
	subscribers *subscribers
	watches     *watches
	inventories *inventoryWatch
	arrivals    *arrivalWatch
	pods        *podWatch // with the labels of an instance
	unlabelled  *podWatch // without
	unmanaged   *unmanaged
	shared      *Shared
	leave       func() // ends sharing
	health      healthCache
	trials      trials
	namespaces  locks    // per team's namespace, so that its instances do not all write it
	fences      locks    // per environment, likewise
	granted     sync.Map // when an object of a namespace file was last written, by namespace

	unstartedFor time.Duration // how long a pod must have been without a container before it may be deleted
}

// Connect reads the identity of the cluster and the kinds that it serves. Watches start later, with the first instance that
// needs them, and end with Close.
func Connect(ctx context.Context, cfg *rest.Config, opt Options) (*Cluster, error) {
	opt.Limits = opt.Limits.orDefault()
	if opt.Concurrency <= 0 {
		opt.Concurrency = defaultConcurrency
	}
	cfg = rest.CopyConfig(cfg)
	cfg.QPS = -1 // bounded by pace and by the server's own priority and fairness
	cfg.WarningHandlerWithContext = rest.NoWarnings{}
	pace := newPace(opt.Concurrency)
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return &boundTransport{credential.NoRedirects(next), opt.Limits, pace}
	})
	over, err := rest.HTTPClientFor(cfg)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	connection := &client{limits: opt.Limits, pace: pace}
	if err := connection.dial(cfg, over); err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	uid, err := connection.identify(ctx)
	var answer apierrors.APIStatus
	if errors.As(err, &answer) && answer.Status().Reason == metav1.StatusReasonBadRequest {
		return nil, fmt.Errorf("read the identity of the cluster: %w; is %s the address of its API server, which begins with https?", err, cfg.Host)
	}
	if err != nil {
		return nil, fmt.Errorf("read the identity of the cluster: %w", err)
	}
	if err := connection.kinds.refresh(ctx); err != nil {
		return nil, err
	}
	c := newCluster(uid, connection, opt)
	c.version = connection.version(ctx)
	return c, nil
}

func newCluster(uid string, c *client, opt Options) *Cluster {
	subscribers := newSubscribers(opt.OnEvent)
	made := &Cluster{
		showing:     &showing{c},
		uid:         uid,
		client:      c,
		subscribers: subscribers,
		watches:     newWatches(c, subscribers, opt.Shared, opt.OnReachable),
		inventories: newInventoryWatch(c, subscribers, opt.Shared),
		arrivals:    newArrivalWatch(c, subscribers),
		pods:        newPodWatch(c, subscribers),
		unlabelled:  newPods(),
		unmanaged:   newUnmanaged(c),
		shared:      opt.Shared,
		leave:       opt.Shared.join(),
		health:      newHealthCache(),

		unstartedFor: unstartedFor,
	}
	made.checks = &checks{cluster: made}
	return made
}

// UID is the identity of the cluster: the UID of its kube-system namespace.
func (c *Cluster) UID() string { return c.uid }

// Version is that of Kubernetes, such as v1.36.3; empty where the cluster does not say it.
func (c *Cluster) Version() string { return c.version }

// Identify asks the cluster who it is: the UID of its kube-system namespace, which lives as long as the cluster.
func (c *Cluster) Identify(ctx context.Context) (string, error) { return c.client.identify(ctx) }

// Width is how many requests may be under way to the cluster at present.
func (c *Cluster) Width() int { return c.client.pace.width() }

// Queues says whether objects of the cluster wait to be listed for the first time, because those of others are listed.
func (c *Cluster) Queues() bool { return c.watches.queue() }

// Close ends all watches and waits for them.
func (c *Cluster) Close() {
	c.watches.close()
	c.leave()
}

// Owners lists the owners whose inventories of an environment are on the cluster, sorted.
func (c *Cluster) Owners(ctx context.Context, environment string) ([]Owner, error) {
	c.watches.begin(c.inventories.stream)
	if err := c.inventories.ready(ctx); err != nil {
		return nil, err
	}
	owners := c.inventories.owners(environment)
	slices.SortFunc(owners, Owner.Compare)
	return owners, nil
}

// locks are mutexes by name. They are few, one for each namespace, and stay.
type locks struct{ byName sync.Map }

// lock waits for a mutex. A visit waits without a desk: whoever has the mutex waits for the cluster.
func (l *locks) lock(ctx context.Context, name string) (unlock func()) {
	leaveDesk(ctx)
	m, _ := l.byName.LoadOrStore(name, &sync.Mutex{})
	m.(*sync.Mutex).Lock()
	return m.(*sync.Mutex).Unlock
}
