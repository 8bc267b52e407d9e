package fleet

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"k8s.io/client-go/util/flowcontrol"
	"k8s.io/utils/lru"

	"transom.dev/fleet/apply"
	"transom.dev/render/platform"
)

// The bounds of Kubernetes Events: how many wait in all and for one cluster, how many a second a cluster is asked to take in the long run
// and at once, and for how long, and how many, are remembered so that none is repeated.
const (
	mostNews        = 4096
	mostClusterNews = 512
	newsPerSecond   = 2
	newsAtOnce      = 100
	rememberedNews  = 4096
	newsFor         = 10 * time.Minute
	newsAgain       = 2 * time.Second // when news of an instance without an inventory are tried again
	newsLate        = time.Minute     // and for how long
)

// News is a change of an instance that clusters are to have a Kubernetes Event of.
type News struct {
	Placement // without a cluster: all that have the instance
	apply.News
}

// ErrDropped is the error of news for which there was no room.
var ErrDropped = errors.New("too many others wait")

// A Recorder has the clusters of a Fleet create Kubernetes Events. It has goroutines of its own, so that it delays no visit.
type Recorder struct {
	fleet   *Fleet
	told    func(cluster string, err error)
	waiting chan News
}

// NewRecorder returns the Recorder of a Fleet. The function told is called with the outcome on each cluster, without a cluster where
// that is ErrDropped for all of them. It must not block.
func NewRecorder(f *Fleet, told func(cluster string, err error)) *Recorder {
	return &Recorder{fleet: f, told: told, waiting: make(chan News, mostNews)}
}

// Record has clusters create an Event of a change of an instance. It never waits: where too many wait already, or a cluster cannot be
// reached, is not written to or has no inventory of the instance, there is none.
func (r *Recorder) Record(n News) {
	select {
	case r.waiting <- n:
	default:
		r.told(n.Cluster, ErrDropped)
	}
}

// Run works until ctx is done, with a goroutine for each cluster that there was news for.
func (r *Recorder) Run(ctx context.Context) error {
	var recording sync.WaitGroup
	defer recording.Wait()
	queues := map[string]chan News{}
	for {
		select {
		case <-ctx.Done():
			return nil
		case n := <-r.waiting:
			for _, cluster := range r.fleet.clustersOf(n.Environment, n.Cluster) {
				queue := queues[cluster]
				if queue == nil {
					queue = make(chan News, mostClusterNews)
					queues[cluster] = queue
					recording.Go(func() { r.serve(ctx, cluster, queue) })
				}
				select {
				case queue <- n:
				default:
					r.told(cluster, ErrDropped)
				}
			}
		}
	}
}

// clustersOf are the clusters of an environment, or the one of them with a name.
func (f *Fleet) clustersOf(environment, cluster string) (names []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for name, a := range f.agents {
		if (cluster == "" || name == cluster) && a.assignments.of(environment) != nil {
			names = append(names, name)
		}
	}
	return names
}

// lateNews is about an instance that had no inventory yet.
type lateNews struct {
	News
	until time.Time
}

// serve has one cluster create Events until ctx is done, each once in a while.
func (r *Recorder) serve(ctx context.Context, cluster string, queue <-chan News) {
	known := lru.New(rememberedNews)
	pace := flowcontrol.NewTokenBucketRateLimiter(newsPerSecond, newsAtOnce)
	var late []lateNews
	for {
		var again <-chan time.Time
		if len(late) > 0 {
			again = time.After(newsAgain)
		}
		select {
		case <-ctx.Done():
			return
		case n := <-queue:
			last, repeated := known.Get(n)
			if repeated && time.Since(last.(time.Time)) < newsFor {
				continue
			}
			known.Add(n, time.Now())
			if pace.Wait(ctx) == nil && !r.create(cluster, n) && len(late) < mostClusterNews {
				late = append(late, lateNews{n, time.Now().Add(newsLate)})
			}
		case now := <-again:
			late = slices.DeleteFunc(late, func(n lateNews) bool { return r.create(cluster, n.News) || now.After(n.until) })
		}
	}
}

// create has a cluster create one Event, and says whether that is over: the instance may have no inventory yet.
func (r *Recorder) create(cluster string, n News) (over bool) {
	r.fleet.mu.Lock()
	a := r.fleet.agents[cluster]
	r.fleet.mu.Unlock()
	if a == nil {
		return true
	}
	conn, ok := a.link.current()
	if !ok {
		return true
	}
	defer conn.release()
	as := a.assignments.of(n.Environment)
	if as == nil || !as.writesTo(conn.uid) || as.cluster.State == platform.ClusterPaused {
		return true
	}
	err := conn.Record(conn.ctx, apply.Owner{Environment: n.Environment, Team: n.Team, Request: n.Request}, n.News)
	if errors.Is(err, apply.ErrNoInventory) {
		return false
	}
	r.told(cluster, err)
	return true
}
