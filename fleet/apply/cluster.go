package apply

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	corev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
)

const defaultConcurrency = 16

// errUnserved is the error of a watch whose kind the cluster stopped serving.
var errUnserved = errors.New("the cluster does not serve this kind any more")

// Options bound the requests of a Cluster and say whom it tells. The zero value works.
type Options struct {
	// Concurrency bounds the requests that are under way to the cluster at one time, over all its instances; 0 is 16.
	Concurrency int

	// Limits bound the answers of the cluster.
	Limits Limits

	// OnEvent is called when a watch saw something about an object of that owner that a pass should look at. An
	// owner is named only after its first Apply or Observe on this Cluster. It must not block.
	OnEvent func(Owner)

	// OnReachable is called with an error when the cluster stops answering watches, and with nil when it answers
	// again. It must not block.
	OnReachable func(error)
}

// Cluster is the connection to one cluster. It is safe for concurrent use, but for two passes over one instance.
type Cluster struct {
	opt      Options
	uid      string
	kinds    *kinds
	metadata metadata.Interface
	dynamic  dynamic.Interface
	core     corev1.CoreV1Interface
	slots    chan struct{} // one per request that may be under way
	rules    rules

	inventories *inventoryWatch
	pods        *podWatch
	strays      *podWatch
	arrivals    *arrivalWatch
	classes     storageClasses
	judged      judged
	namespaces  locks // per team's namespace, so that its instances do not all write it
	fences      locks // per environment, likewise

	unstartedFor time.Duration // how long a pod must have been without a container before it may be deleted

	mu      sync.Mutex
	watches map[schema.GroupVersionKind]*objectWatch
	known   map[string]map[Owner]bool // owners that a pass was made for, by team; true while they wait for a kind
	broken  map[*stream]error         // streams that the cluster does not answer
	started map[*stream]bool
	cancels []context.CancelFunc
	closed  bool
	running sync.WaitGroup
}

// Connect reads the identity of the cluster and the kinds that it serves. Watches start later, with the first instance that
// needs them, and end with Close.
func Connect(ctx context.Context, cfg *rest.Config, opt Options) (*Cluster, error) {
	cfg = rest.CopyConfig(cfg)
	cfg.QPS = -1 // bounded by Concurrency and by the server's own priority and fairness
	cfg.WarningHandlerWithContext = rest.NoWarnings{}
	c := newCluster(opt)
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper { return &boundTransport{next, c.opt.Limits} })
	client, err := rest.HTTPClientFor(cfg)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	if err := c.dial(cfg, client); err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	if c.uid, err = c.Identify(ctx); err != nil {
		return nil, fmt.Errorf("read the identity of the cluster: %w", err)
	}
	if err := c.kinds.refresh(ctx); err != nil {
		return nil, err
	}
	return c, nil
}

// Identify asks the cluster who it is: the UID of its kube-system namespace, which lives as long as the cluster.
func (c *Cluster) Identify(ctx context.Context) (string, error) {
	var system *v1.Namespace
	err := c.within(ctx, func(ctx context.Context) (err error) {
		ctx = spending(ctx, newBudget(c.opt.Limits.IdentityBytes, "--cluster-identity-bytes"))
		system, err = c.core.Namespaces().Get(ctx, metav1.NamespaceSystem, metav1.GetOptions{})
		return err
	})
	if err != nil {
		return "", err
	}
	if system.Name != metav1.NamespaceSystem || system.UID == "" {
		return "", errors.New("the answer is not the namespace kube-system; is this the cluster's API server?")
	}
	return string(system.UID), nil
}

func newCluster(opt Options) *Cluster {
	opt.Limits = opt.Limits.orDefault()
	if opt.Concurrency <= 0 {
		opt.Concurrency = defaultConcurrency
	}
	c := &Cluster{
		opt:     opt,
		slots:   make(chan struct{}, opt.Concurrency),
		watches: map[schema.GroupVersionKind]*objectWatch{},
		known:   map[string]map[Owner]bool{},
		broken:  map[*stream]error{},
		started: map[*stream]bool{},
		classes: storageClasses{byName: map[string]storageClass{}},
		judged:  judged{kinds: map[Owner]map[schema.GroupKind]bool{}, bodies: map[Object]*live{}},

		unstartedFor: unstartedFor,
	}
	c.inventories = newInventoryWatch(c)
	c.pods, c.strays = newPodWatch(c), newPods(c)
	c.arrivals = newArrivalWatch(c)
	return c
}

func (c *Cluster) dial(cfg *rest.Config, client *http.Client) error {
	disco, err := discovery.NewDiscoveryClientForConfigAndClient(cfg, client)
	if err != nil {
		return err
	}
	c.kinds = &kinds{client: disco, limit: c.opt.Limits.DiscoveryBytes}
	if c.metadata, err = metadata.NewForConfigAndClient(cfg, client); err != nil {
		return err
	}
	if c.dynamic, err = dynamic.NewForConfigAndClient(cfg, client); err != nil {
		return err
	}
	typed := rest.CopyConfig(cfg)
	typed.ContentType = "application/vnd.kubernetes.protobuf"
	typed.AcceptContentTypes = "application/vnd.kubernetes.protobuf,application/json"
	c.core, err = corev1.NewForConfigAndClient(typed, client)
	return err
}

// UID is the identity of the cluster: the UID of its kube-system namespace.
func (c *Cluster) UID() string { return c.uid }

// Close ends all watches and waits for them.
func (c *Cluster) Close() {
	c.mu.Lock()
	c.closed = true
	for _, cancel := range c.cancels {
		cancel()
	}
	c.mu.Unlock()
	c.running.Wait()
}

// Owners lists whose inventories of an environment the cluster holds, sorted.
func (c *Cluster) Owners(ctx context.Context, environment string) ([]Owner, error) {
	c.begin(c.inventories.stream)
	if err := c.inventories.ready(ctx); err != nil {
		return nil, err
	}
	owners := c.inventories.owners(environment)
	slices.SortFunc(owners, Owner.Compare)
	return owners, nil
}

// begin starts a stream if it is not yet running.
func (c *Cluster) begin(s *stream) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.start(s)
}

// start is begin for a caller that holds c.mu.
func (c *Cluster) start(s *stream) {
	if c.started[s] || c.closed {
		return
	}
	c.started[s] = true
	ctx, cancel := context.WithCancel(context.Background())
	c.cancels = append(c.cancels, cancel)
	s.reached, s.limits = c.reached, c.opt.Limits
	c.running.Go(func() { s.run(ctx) })
}

// ask makes one request: it waits for a free slot, and bounds the time the request may take.
func (c *Cluster) ask(ctx context.Context, request func(context.Context) error) error {
	if err := asks(ctx); err != nil {
		return err
	}
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return ctx.Err()
	}
	return c.within(ctx, request)
}

// within bounds the time that a request may take as a whole.
func (c *Cluster) within(ctx context.Context, request func(context.Context) error) error {
	limit := c.opt.Limits.Timeout
	bounded, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err := plain(request(bounded))
	var known *limitError
	if err != nil && bounded.Err() != nil && ctx.Err() == nil && !errors.As(err, &known) {
		return fmt.Errorf("no answer within %s (%w): is this the cluster's API server, and is it well? If it is, raise --cluster-timeout", limit, err)
	}
	return err
}

// reached keeps count of the streams that get no answer, and tells when the first falls silent and the last is back.
func (c *Cluster) reached(s *stream, err error) {
	c.mu.Lock()
	before := len(c.broken)
	if err != nil && !answered(err) {
		c.broken[s] = err
	} else {
		delete(c.broken, s)
	}
	after := len(c.broken)
	c.mu.Unlock()
	if c.opt.OnReachable != nil && (before == 0) != (after == 0) {
		if after == 0 {
			err = nil
		}
		c.opt.OnReachable(err)
	}
}

// answered says whether an error is an answer of a working API server to this one request, rather than a sign that
// it cannot be asked now.
func answered(err error) bool {
	var status apierrors.APIStatus
	if errors.Is(err, errUnserved) {
		return true
	}
	if !errors.As(err, &status) {
		return false
	}
	code := status.Status().Code
	if strings.HasPrefix(status.Status().Message, "failed to create typed patch object") {
		return true // an object that does not fit its schema is answered with 500
	}
	return code >= 400 && code < 500 && code != http.StatusUnauthorized && code != http.StatusTooManyRequests &&
		code != http.StatusRequestTimeout
}

// meet records that a pass is made for an owner, so that events about it are told from now on.
func (c *Cluster) meet(o Owner) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known[o.Team] == nil {
		c.known[o.Team] = map[Owner]bool{}
	}
	c.known[o.Team][o] = false
}

// await records that an owner waits for a kind that the cluster does not serve.
func (c *Cluster) await(o Owner) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known[o.Team][o] = true
}

// part forgets an owner of which nothing is left.
func (c *Cluster) part(o Owner) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.known[o.Team], o)
	delete(c.judged.kinds, o)
}

// notify tells that something about an owner's objects changed. A change around a team's namespace concerns
// every instance of the team.
func (c *Cluster) notify(o Owner) {
	c.tell(o.Team, func(known Owner) bool {
		return known == o || (o.Request == "" && known.Environment == o.Environment)
	})
}

// notifyRequest is notify where the environment is not known, as with pods.
func (c *Cluster) notifyRequest(team, request string) {
	c.tell(team, func(known Owner) bool { return known.Request == request })
}

// notifyWaiting is notify for all that wait for a kind.
func (c *Cluster) notifyWaiting() {
	c.mu.Lock()
	teams := slices.Collect(maps.Keys(c.known))
	waiting := map[Owner]bool{}
	for _, owners := range c.known {
		for o, waits := range owners {
			waiting[o] = waits
		}
	}
	c.mu.Unlock()
	for _, team := range teams {
		c.tell(team, func(o Owner) bool { return waiting[o] })
	}
}

func (c *Cluster) tell(team string, concerned func(Owner) bool) {
	if c.opt.OnEvent == nil {
		return
	}
	var told []Owner
	c.mu.Lock()
	for o := range c.known[team] {
		if concerned(o) {
			told = append(told, o)
		}
	}
	c.mu.Unlock()
	for _, o := range told {
		c.opt.OnEvent(o)
	}
}

// locks are mutexes by name. They are few, one for each namespace, and stay.
type locks struct{ byName sync.Map }

func (l *locks) lock(name string) (unlock func()) {
	m, _ := l.byName.LoadOrStore(name, &sync.Mutex{})
	m.(*sync.Mutex).Lock()
	return m.(*sync.Mutex).Unlock
}
