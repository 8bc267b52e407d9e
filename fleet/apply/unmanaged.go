package apply

import (
	"context"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"transom.dev/render/state"
)

// An object that the watch of its kind does not have may exist all the same, without our label. A visit asks for it before it
// writes anything of the instance. Where visits of several instances ask for objects of one kind in one namespace at the
// same time, as in a first apply, the names of all objects there without our label are listed once for all of them.
//
// A list may be a moment old. It therefore decides about no write: one that is to make an object is refused by the API
// server where the object exists, see writer.patch. The list of before counts for nothing then.

const (
	unmanagedKept  = 3 * time.Second  // for how long a list is used
	unmanagedMost  = 250              // how many objects a list may have; where there are more, each is asked for by its name
	unmanagedRests = 10 * time.Minute // for how long that is remembered
)

// unmanaged are lists of the objects that do not carry our label, by kind and namespace.
type unmanaged struct {
	client *client

	mu         sync.Mutex
	byLocation map[location]*namesThere
}

// location is the objects of one kind in one namespace.
type location struct {
	kind      *kind
	namespace string
}

// namesThere is what is known of a location.
type namesThere struct {
	asked   Owner // whose visit asked for one object there
	askedAt time.Time
	list    *namesList // nil: none was made
}

// namesList is a list that is complete, or under way.
type namesList struct {
	began time.Time
	done  chan struct{}   // closed once it has ended; what follows is set by then
	names map[string]bool // nil: they are too many, or could not be read
	many  bool
}

func newUnmanaged(c *client) *unmanaged {
	return &unmanaged{client: c, byLocation: map[location]*namesThere{}}
}

// lacks says whether an object without our label is known not to exist. It makes a request only where the instances of several
// owners ask for objects of the same location.
func (u *unmanaged) lacks(ctx context.Context, d *desired, by Owner) (bool, error) {
	if !d.kind.namespaced {
		return false, nil
	}
	at := location{d.kind, d.object.Namespace}
	list, begins := u.use(at, by)
	if list == nil {
		return false, nil
	}
	if begins {
		u.fill(ctx, at, list)
	}
	leaveDesk(ctx)
	select {
	case <-list.done:
	case <-ctx.Done():
		return false, ctx.Err()
	}
	known := list.names != nil && !list.names[d.object.Name]
	return known && !d.watch.lostSince(d.object, list.began), nil
}

// use returns the list to go by, nil for none, and says whether the caller is to fill it.
func (u *unmanaged) use(at location, by Owner) (list *namesList, begins bool) {
	now := time.Now()
	u.mu.Lock()
	defer u.mu.Unlock()
	there := u.byLocation[at]
	if there == nil {
		u.forgetOld(now)
		there = &namesThere{}
		u.byLocation[at] = there
	}
	several := there.asked != by && now.Sub(there.askedAt) < unmanagedKept
	if there.list != nil && there.list.valid(now) {
		return there.list, false
	}
	there.list, there.asked, there.askedAt = nil, by, now
	if !several {
		return nil, false
	}
	there.list = &namesList{began: now, done: make(chan struct{})}
	return there.list, true
}

// valid says whether a list is still used. The caller holds the lock of unmanaged.
func (l *namesList) valid(now time.Time) bool {
	kept := unmanagedKept
	select {
	case <-l.done:
		if l.many {
			kept = unmanagedRests
		}
	default:
		return true // it is under way
	}
	return now.Sub(l.began) < kept
}

// forgetOld drops the locations that nobody has asked about for a while. The caller holds the lock.
func (u *unmanaged) forgetOld(now time.Time) {
	for at, there := range u.byLocation {
		unused := now.Sub(there.askedAt) >= unmanagedKept
		if unused && (there.list == nil || !there.list.valid(now)) {
			delete(u.byLocation, at)
		}
	}
}

// fill makes a list. Where it cannot be made, every object is asked for by its name, which tells why.
func (u *unmanaged) fill(ctx context.Context, at location, list *namesList) {
	defer close(list.done)
	var found *metav1.PartialObjectMetadataList
	err := u.client.request(ctx, func(ctx context.Context) (err error) {
		found, err = u.client.metadataOf(at.kind, at.namespace).List(ctx, metav1.ListOptions{
			LabelSelector: state.LabelManagedBy + "!=" + manager, Limit: unmanagedMost,
		})
		return err
	})
	if err != nil || found.ResourceVersion == "" {
		return
	}
	if list.many = found.Continue != ""; list.many {
		return
	}
	list.names = make(map[string]bool, len(found.Items))
	for i := range found.Items {
		list.names[found.Items[i].Name] = true
	}
}

// forget drops the list of a location, because an object that it does not have exists.
func (u *unmanaged) forget(d *desired) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.byLocation, location{d.kind, d.object.Namespace})
}
