package memory

import (
	"context"
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/apiserver/pkg/storage"
)

// bookmarkEvery is how often a watch that wants bookmarks is told the revision.
const bookmarkEvery = time.Minute

// watcher is one watch. It ends with its context or by Stop.
type watcher struct {
	store     *store
	cluster   *Cluster
	begin     string // of the keys that are watched
	predicate storage.SelectionPredicate
	bookmarks bool
	events    chan watch.Event
	cancel    context.CancelFunc
	first     []change // the objects that were there, if they are wanted
	initial   bool     // a bookmark says that the first objects were told

	// pending has the changes that were not told yet; the cluster's lock is held for it.
	pending []change
	wake    chan struct{}
}

// newWatcher begins a watch of all changes after a revision; from 0 on, of the objects that are there as well.
func newWatcher(ctx context.Context, s *store, begin string, since uint64, o storage.ListOptions) (*watcher, error) {
	ctx, cancel := context.WithCancel(ctx)
	w := &watcher{
		store: s, cluster: of(ctx), begin: begin, predicate: o.Predicate, bookmarks: o.Predicate.AllowWatchBookmarks,
		events: make(chan watch.Event), cancel: cancel, wake: make(chan struct{}, 1),
		initial: o.SendInitialEvents != nil && *o.SendInitialEvents,
	}
	c := w.cluster
	c.mu.Lock()
	defer c.mu.Unlock()
	if since == 0 || w.initial {
		for key, found := range c.objects[s.prefix] {
			w.first = append(w.first, change{key: key, after: found.data, revision: found.revision})
		}
	} else {
		missed, ok := c.since(since)
		if !ok {
			cancel()
			return nil, apierrors.NewResourceExpired(fmt.Sprintf("too old resource version: %d (%d)", since, c.revision))
		}
		w.first = missed
	}
	if c.watchers == nil {
		c.watchers = map[*watcher]bool{}
	}
	c.watchers[w] = true
	go w.run(ctx, max(c.revision, 1))
	return w, nil
}

// take has a change wait to be told. The cluster's lock is held.
func (w *watcher) take(ch change) {
	if !strings.HasPrefix(ch.key, w.begin) {
		return
	}
	w.pending = append(w.pending, ch)
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// Stop is part of watch.Interface, as all below.
func (w *watcher) Stop() { w.cancel() }

func (w *watcher) ResultChan() <-chan watch.Event { return w.events }

// run tells of changes until the context ends. It begins with those that were before, up to a revision.
func (w *watcher) run(ctx context.Context, upTo uint64) {
	defer close(w.events)
	defer func() {
		w.cluster.mu.Lock()
		defer w.cluster.mu.Unlock()
		delete(w.cluster.watchers, w)
	}()
	first := w.first
	w.first = nil
	if !w.tell(ctx, first) || (w.initial && !w.bookmark(ctx, upTo, true)) {
		return
	}
	ticker := time.NewTicker(bookmarkEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.wake:
			if pending, _ := w.drain(); !w.tell(ctx, pending) {
				return
			}
		case <-ticker.C:
			pending, revision := w.drain()
			if !w.tell(ctx, pending) || (w.bookmarks && !w.bookmark(ctx, revision, false)) {
				return
			}
		}
	}
}

// drain takes the changes that wait to be told, and the revision that is reached with it.
func (w *watcher) drain() ([]change, uint64) {
	w.cluster.mu.Lock()
	defer w.cluster.mu.Unlock()
	pending := w.pending
	w.pending = nil
	return pending, w.cluster.revision
}

// tell is false once nobody listens any more.
func (w *watcher) tell(ctx context.Context, changes []change) bool {
	for _, ch := range changes {
		if !strings.HasPrefix(ch.key, w.begin) {
			continue
		}
		event, err := w.event(ch)
		if err != nil {
			status := apierrors.NewInternalError(err).Status()
			event = &watch.Event{Type: watch.Error, Object: &status}
		}
		if event != nil && !w.send(ctx, *event) {
			return false
		}
	}
	return true
}

// event is the change as the watch sees it through its selector; nil if it sees nothing.
func (w *watcher) event(ch change) (*watch.Event, error) {
	before, was, err := w.selected(ch.before, ch.revision)
	if err != nil {
		return nil, err
	}
	after, is, err := w.selected(ch.after, ch.revision)
	switch {
	case err != nil:
		return nil, err
	case is && was:
		return &watch.Event{Type: watch.Modified, Object: after}, nil
	case is:
		return &watch.Event{Type: watch.Added, Object: after}, nil
	case was:
		return &watch.Event{Type: watch.Deleted, Object: before}, nil
	default:
		return nil, nil
	}
}

// selected decodes an object, and says whether the watch selects it.
func (w *watcher) selected(data []byte, revision uint64) (object runtime.Object, matches bool, err error) {
	if data == nil {
		return nil, false, nil
	}
	if object, err = w.store.decoded(data, revision); err == nil {
		matches, err = w.predicate.Matches(object)
	}
	return object, matches, err
}

// bookmark tells the revision that the watch has reached.
func (w *watcher) bookmark(ctx context.Context, revision uint64, initial bool) bool {
	object := w.store.newObject()
	if err := w.store.versioner.UpdateObject(object, revision); err != nil {
		return false
	}
	if m, ok := object.(metav1.Object); ok && initial {
		m.SetAnnotations(map[string]string{metav1.InitialEventsAnnotationKey: "true"})
	}
	return w.send(ctx, watch.Event{Type: watch.Bookmark, Object: object})
}

func (w *watcher) send(ctx context.Context, event watch.Event) bool {
	select {
	case w.events <- event:
		return true
	case <-ctx.Done():
		return false
	}
}
