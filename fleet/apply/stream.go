package apply

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
	"unique"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
)

// key names an object within its kind.
type key struct{ namespace, name string }

// sink takes the objects that a stream sees, already reduced. Its methods are called by one goroutine at a time.
type sink interface {
	reduce(object any) any
	replace(all map[key]any, version string) // all there was at version; objects known from later stay
	put(k key, value any)
	remove(k key, version string)
}

// source lists and watches one kind.
type source struct {
	list  func(context.Context, metav1.ListOptions) (runtime.Object, error)
	watch func(context.Context, metav1.ListOptions) (watch.Interface, error)
}

// stream keeps a sink up to date with the cluster: one list, then one watch, again and again until its context ends.
type stream struct {
	name    string
	source  source
	sink    sink
	reached func(*stream, error) // told of every failure and of every end of one
	unknown func()               // told that the cluster does not serve the kind, and the stream ended; nil: try on
	limits  Limits
	shared  *Shared

	relistAfter time.Duration

	budget *budget // of the list under way; only run uses it
	page   int64   // how many objects of a list are asked for at a time; less where so many are too large

	listed func() // ends the turn of the attempt under way; only run uses it
	begin  sync.Once
	begun  chan struct{} // closed when the first attempt has its turn, or there will be none

	mu     sync.Mutex
	synced bool
	err    error
	turned chan struct{} // closed when synced or err change
}

// newStream does not start anything; run does.
func newStream(name string, from source, to sink) *stream {
	return &stream{
		name: name, source: from, sink: to, relistAfter: relistAfter,
		listed: func() {}, begun: make(chan struct{}), turned: make(chan struct{}),
	}
}

// attach prepares a stream for its cluster.
func (s *stream) attach(w *watches) {
	s.reached, s.limits, s.shared, s.relistAfter = w.reached, w.client.limits, w.shared, w.relistAfter
}

// whenUnknown sets the function that is called once the cluster does not serve the kind and the stream ended.
func (s *stream) whenUnknown(do func()) { s.unknown = do }

// ready waits until the sink has the objects that the cluster has. It fails while the cluster cannot be watched.
func (s *stream) ready(ctx context.Context) error {
	if mayRequest(ctx) == nil && !s.hasSynced() { // waiting for a turn does not count against the cluster's timeout
		leaveDesk(ctx)
		select {
		case <-s.begun:
		case <-ctx.Done():
			return fmt.Errorf("watch %s: %w", s.name, ctx.Err())
		}
	}
	ctx, cancel := context.WithTimeout(ctx, s.limits.Timeout+time.Second) // the stream itself knows more of why
	defer cancel()
	for {
		s.mu.Lock()
		synced, err, turned := s.synced, s.err, s.turned
		s.mu.Unlock()
		if err != nil {
			return fmt.Errorf("watch %s: %w", s.name, err)
		}
		if synced {
			return nil
		}
		if err := mayRequest(ctx); err != nil {
			return err
		}
		leaveDesk(ctx)
		select {
		case <-turned:
		case <-ctx.Done():
			return fmt.Errorf("watch %s: %w", s.name, ctx.Err())
		}
	}
}

// hasBegun lets those go on who wait for the first attempt.
func (s *stream) hasBegun() { s.begin.Do(func() { close(s.begun) }) }

func (s *stream) hasSynced() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.synced
}

// turn records that the sink is up to date, or why it cannot be, and wakes those who wait for either.
func (s *stream) turn(err error) {
	s.mu.Lock()
	s.err = err
	s.synced = s.synced || err == nil
	close(s.turned)
	s.turned = make(chan struct{})
	s.mu.Unlock()
	s.reached(s, err)
}

// goOn records that a watch which the server was too busy for goes on from where it was.
func (s *stream) goOn() {
	s.mu.Lock()
	resumes := apierrors.IsTooManyRequests(s.err)
	s.mu.Unlock()
	if resumes {
		s.turn(nil)
	}
}

// run blocks until ctx ends or the cluster stops serving the kind.
func (s *stream) run(ctx context.Context) {
	quiet := logr.Discard() // its errors are told by ready and reached
	ctx = klog.NewContext(ctx, quiet)
	reflector := cache.NewReflectorWithOptions(s.listWatch(), nil, reflected{s}, cache.ReflectorOptions{
		Name: s.name, TypeDescription: s.name, Logger: &quiet, Backoff: pauses(),
	})
	s.page = s.limits.PageObjects
	reflector.WatchListPageSize = s.page
	defer s.hasBegun()
	failed := false
	for pause := pauses(); ctx.Err() == nil; pauseFor(ctx, pause.Step()) {
		s.listed = s.shared.turn(ctx, failed, s.hasSynced())
		s.hasBegun()
		begun := time.Now()
		s.budget = newBudget(s.limits.ListBytes, "--cluster-list-bytes")
		s.budget.pages, s.budget.cut = true, s.turn
		trusting, listAnew := context.WithTimeout(ctx, wait.Jitter(s.relistAfter, 1))
		err := plain(reflector.ListAndWatchWithContext(spending(trusting, s.budget)))
		anew := trusting.Err() != nil
		listAnew()
		s.listed()
		failed = err != nil && !anew
		if ctx.Err() != nil {
			return
		}
		if apierrors.IsNotFound(err) && s.unknown != nil {
			s.unknown()
			return
		}
		if failed && !apierrors.IsResourceExpired(err) && !apierrors.IsGone(err) {
			s.turn(err)
		}
		if time.Since(begun) > time.Minute {
			pause = pauses()
		}
	}
}

// relistAfter is for how long the events of a watch are believed to be all there were, up to twice as long: then everything is listed anew,
// so that an event that an API server lost is not unknown for ever.
const relistAfter = 4 * time.Hour

// pauses are those between two attempts to watch.
func pauses() *wait.Backoff {
	return &wait.Backoff{Duration: 200 * time.Millisecond, Factor: 2, Jitter: 0.3, Steps: 8, Cap: 8 * time.Second}
}

// pauseFor waits for d, or until ctx ends.
func pauseFor(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// refused hides the kind of an error from the reflector, because it would wait out some of them in silence, and
// ask again at once after others.
type refused struct{ error }

// listWatch is the source as the reflector wants it: its lists are reduced, and its errors are told at once.
func (s *stream) listWatch() *cache.ListWatch {
	return &cache.ListWatch{
		ListWithContextFunc: s.list,
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			lists := o.SendInitialEvents != nil && *o.SendInitialEvents
			if lists {
				o.ResourceVersion = "" // as in list
			}
			w, err := s.source.watch(ctx, o)
			switch {
			case err == nil && lists:
				return w, nil
			case err == nil:
				s.goOn()
				return w, nil
			case apierrors.IsTooManyRequests(err) && !lists:
				s.turn(err) // the reflector asks again from where it was: a list would cost a busy server more
				return nil, err
			}
			var status apierrors.APIStatus
			atOnce := lists && (apierrors.IsResourceExpired(err) || apierrors.IsGone(err)) // the reflector would ask again without a pause
			if !errors.As(err, &status) || apierrors.IsTooManyRequests(err) || atOnce {
				err = refused{err}
			}
			return nil, err
		},
	}
}

// errNoList is an answer that could be taken for an empty list: nothing may be concluded from it.
var errNoList = errors.New("the answer is no list; is this the cluster's API server?")

// leastOfPage is how many bytes of the budget a page takes at least, so that pages of little or nothing have an end, too.
const leastOfPage = 16 << 10

// list returns one page of a list, reduced. A page that is too large is asked for again in smaller ones.
func (s *stream) list(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
	if o.Continue == "" {
		o.ResourceVersion = "" // a server answers any other from a cache, which may be behind, and "0" all at once however much it is
	}
	s.budget.spend(leastOfPage) // where too little remains, the answer says so
	for rest := s.budget.rest(); ; s.budget.restore(rest) {
		o.Limit = min(o.Limit, s.page)
		page, err := s.source.list(ctx, o)
		var limit *limitError
		if errors.As(err, &limit) && limit.flag == answerFlag && o.Limit > 1 {
			s.page = max(1, o.Limit/4)
			continue
		}
		if err != nil {
			return nil, err
		}
		return s.reduced(page)
	}
}

// reduced is a page with its objects reduced.
func (s *stream) reduced(page runtime.Object) (runtime.Object, error) {
	about, err := meta.ListAccessor(page)
	if err != nil || about.GetResourceVersion() == "" {
		return nil, errNoList
	}
	list := &internalversion.List{ListMeta: metav1.ListMeta{
		ResourceVersion: about.GetResourceVersion(), Continue: about.GetContinue(), RemainingItemCount: about.GetRemainingItemCount(),
	}}
	err = meta.EachListItem(page, func(object runtime.Object) error {
		it, err := s.item(object)
		list.Items = append(list.Items, it)
		return err
	})
	return list, err
}

// item is a reduced object on its way through the reflector, which asks for nothing but its key.
type item struct {
	metav1.ObjectMeta
	value any
}

// GetObjectKind is part of runtime.Object.
func (*item) GetObjectKind() schema.ObjectKind { return schema.EmptyObjectKind }

// DeepCopyObject is part of runtime.Object. A reduced object never changes.
func (i *item) DeepCopyObject() runtime.Object {
	return &item{ObjectMeta: *i.ObjectMeta.DeepCopy(), value: i.value}
}

// item reduces an object, unless it is reduced already.
func (s *stream) item(object any) (*item, error) {
	if ready, ok := object.(*item); ok {
		return ready, nil
	}
	m, err := meta.Accessor(object)
	if err != nil {
		return nil, err
	}
	named := metav1.ObjectMeta{ // names of many clusters are in memory once for a list, and not beyond the next collection of garbage
		Namespace: unique.Make(m.GetNamespace()).Value(), Name: unique.Make(m.GetName()).Value(), ResourceVersion: m.GetResourceVersion(),
	}
	return &item{ObjectMeta: named, value: s.sink.reduce(object)}, nil
}

// reflected is the stream as the reflector sees it.
type reflected struct{ *stream }

func (r reflected) Transformer() cache.TransformFunc {
	return func(object any) (any, error) { return r.item(object) }
}

func (r reflected) Add(object any) error {
	it, err := r.item(object)
	if err == nil {
		r.sink.put(key{it.Namespace, it.Name}, it.value)
	}
	return err
}

func (r reflected) Update(object any) error { return r.Add(object) }

func (r reflected) Delete(object any) error {
	m, err := meta.Accessor(object)
	if err == nil {
		r.sink.remove(key{m.GetNamespace(), m.GetName()}, m.GetResourceVersion())
	}
	return err
}

func (r reflected) Replace(objects []any, version string) error {
	all := make(map[key]any, len(objects))
	for _, object := range objects {
		it, err := r.item(object)
		if err != nil {
			return err
		}
		all[key{it.Namespace, it.Name}] = it.value
	}
	r.sink.replace(all, version)
	r.listed()
	r.budget.finish()
	r.turn(nil)
	return nil
}

func (r reflected) Resync() error { return nil }
