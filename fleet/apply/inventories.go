package apply

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
)

// inventoryWatch has every inventory of the cluster and every environment's fence, by name.
type inventoryWatch struct {
	*stream
	client      *client
	subscribers *subscribers
	shared      *Shared

	mu         sync.Mutex
	byName     map[key]*inventory
	signed     map[string]map[signature]signed // by environment
	turned     map[string]int                  // by environment: how often a signature came or went
	verdicts   map[string]verdict              // by environment: the last
	expected   map[string]signature            // by environment: the last signature that we gave its fence
	counts     map[string]int                  // by environment: its inventories
	recognized map[Owner]bool                  // whose inventories name no commit and listed the objects that the state has
}

func newInventoryWatch(c *client, s *subscribers, shared *Shared) *inventoryWatch {
	w := &inventoryWatch{
		client: c, subscribers: s, shared: shared, byName: map[key]*inventory{}, signed: map[string]map[signature]signed{}, turned: map[string]int{},
		verdicts: map[string]verdict{}, expected: map[string]signature{}, counts: map[string]int{}, recognized: map[Owner]bool{},
	}
	w.stream = newStream("inventories", source{
		list: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			o.LabelSelector = inventoryLabel
			o.ResourceVersion = "" // as it is now: an object that no inventory lists is said to be gone
			return c.core.ConfigMaps(systemNamespace).List(ctx, o)
		},
		watch: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			o.LabelSelector = inventoryLabel
			return c.core.ConfigMaps(systemNamespace).Watch(ctx, o)
		},
	}, w)
	return w
}

func (w *inventoryWatch) reduce(object any) any { return w.read(object.(*v1.ConfigMap)) }

// read reads an inventory whose lists may be those of other clusters too.
func (w *inventoryWatch) read(m *v1.ConfigMap) *inventory { return readInventoryWith(m, w.shared.list) }

// get returns nil if the owner has no inventory.
func (w *inventoryWatch) get(o Owner) *inventory { return w.at(key{systemNamespace, inventoryName(o)}) }

// fence returns nil if the environment has none here.
func (w *inventoryWatch) fence(environment string) *inventory { return w.at(fenceKey(environment)) }

func (w *inventoryWatch) at(k key) *inventory {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.byName[k]
}

func (w *inventoryWatch) owners(environment string) []Owner {
	w.mu.Lock()
	defer w.mu.Unlock()
	var owners []Owner
	for k := range w.byName {
		if o := inventoryOwner(k.name); o.Environment == environment && o.Request != "" {
			owners = append(owners, o)
		}
	}
	return owners
}

// signatures are those of an environment, none where it has no inventory: then there is nothing that a fence could guard.
func (w *inventoryWatch) signatures(environment string) map[signature]signed {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.counts[environment] == 0 {
		return nil
	}
	return maps.Clone(w.signed[environment])
}

// earliest lists the owners of an environment's inventories by how late the state is that they name.
func (w *inventoryWatch) earliest(environment string) []Owner {
	owners := w.owners(environment)
	w.mu.Lock()
	defer w.mu.Unlock()
	sequence := map[Owner]int64{}
	for _, o := range owners {
		if inv := w.byName[key{systemNamespace, inventoryName(o)}]; inv != nil {
			sequence[o] = inv.signature.Sequence
		}
	}
	slices.SortFunc(owners, func(a, b Owner) int { return cmp.Or(cmp.Compare(sequence[a], sequence[b]), a.Compare(b)) })
	return owners
}

// verdict is the last about an environment, and how often its signatures had changed by now.
func (w *inventoryWatch) verdict(environment string) (last verdict, turned int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.verdicts[environment], w.turned[environment]
}

func (w *inventoryWatch) setVerdict(environment string, v verdict) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.verdicts[environment] = v
}

// recognize records that an inventory that names no commit is the instance's, and tells whether it is.
func (w *inventoryWatch) recognize(o Owner, same bool) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.recognized[o] = w.recognized[o] || same
	return w.recognized[o]
}

// expectSignature records that an environment's fence is about to be signed like this.
func (w *inventoryWatch) expectSignature(environment string, s signature) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.expected[environment] = s
}

// putAnswer takes in the API server's answer to a write of ours, before the watch sees it.
func (w *inventoryWatch) putAnswer(m *v1.ConfigMap) {
	w.update(key{m.Namespace, m.Name}, w.read(m))
}

// put is called by the watch: a fence that somebody else signed concerns all instances of its environment.
func (w *inventoryWatch) put(k key, value any) {
	inv := value.(*inventory)
	if news := w.update(k, inv); news && inventoryOwner(k.name).Request == "" {
		w.subscribers.notifyEnvironment(inventoryOwner(k.name))
	}
}

// update takes an inventory in, and tells whether it has a signature that was neither there before nor expected.
func (w *inventoryWatch) update(k key, inv *inventory) (news bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	old := w.byName[k]
	if old != nil && older(inv.version, old.version) {
		return false
	}
	w.set(k, inv)
	return w.isNews(k, old, inv)
}

// isNews says whether an inventory has a signature that was neither there before nor expected. The caller holds the lock.
func (w *inventoryWatch) isNews(k key, old, inv *inventory) bool {
	changed := old == nil || old.signature != inv.signature
	return changed && w.expected[inventoryOwner(k.name).Environment] != inv.signature
}

// set replaces the inventory of before; either may be nil. The caller holds the lock.
func (w *inventoryWatch) set(k key, inv *inventory) {
	o := inventoryOwner(k.name)
	environment := o.Environment
	if there := w.byName[k] != nil; o.Request != "" && there != (inv != nil) {
		if w.counts[environment]++; there {
			w.counts[environment] -= 2
		}
		if w.counts[environment] <= 1 {
			w.turned[environment]++
		}
	}
	if inv != nil {
		w.count(environment, inv.signature, 1)
	}
	if old := w.byName[k]; old != nil {
		w.count(environment, old.signature, -1)
	}
	if w.byName[k] = inv; inv == nil {
		delete(w.byName, k)
	}
}

// count adds to the number of inventories with a signature, and records when a signature came or went. The caller holds the lock.
func (w *inventoryWatch) count(environment string, s signature, by int) {
	if s.Commit == "" {
		return
	}
	all := w.signed[environment]
	if all == nil {
		all = map[signature]signed{}
		w.signed[environment] = all
	}
	now, known := all[s]
	if now.count += by; !known {
		now.since = time.Now()
	}
	if all[s] = now; now.count == 0 {
		delete(all, s)
	}
	if !known || now.count == 0 {
		w.turned[environment]++
	}
}

// remove is called by the watch: if an inventory was removed by someone else, its owner writes it anew.
func (w *inventoryWatch) remove(k key, version string) {
	w.mu.Lock()
	old := w.byName[k]
	if old == nil || older(version, old.version) {
		w.mu.Unlock()
		return
	}
	w.set(k, nil)
	w.mu.Unlock()
	w.subscribers.notify(inventoryOwner(k.name))
}

// drop removes an inventory that is known to be gone.
func (w *inventoryWatch) drop(k key) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.set(k, nil)
}

// replace takes the whole list in. A list after the first one may tell of events that the watch missed.
func (w *inventoryWatch) replace(all map[key]any, version string) {
	removed, signed := w.list(all, version)
	for _, o := range removed {
		w.subscribers.notify(o)
	}
	for _, o := range signed {
		w.subscribers.notifyEnvironment(o)
	}
}

// list takes a list in, and tells the owners of inventories that are gone since the list before, and those of fences that
// somebody else has signed since.
func (w *inventoryWatch) list(all map[key]any, version string) (removed, signed []Owner) {
	w.mu.Lock()
	defer w.mu.Unlock()
	first := len(w.byName) == 0
	for k, value := range all {
		old, inv, o := w.byName[k], value.(*inventory), inventoryOwner(k.name)
		if old != nil && !older(old.version, version) {
			continue
		}
		foreign := w.isNews(k, old, inv)
		if w.set(k, inv); foreign && !first && o.Request == "" {
			signed = append(signed, o)
		}
	}
	for k, old := range w.byName {
		if all[k] == nil && !older(version, old.version) {
			w.set(k, nil)
			removed = append(removed, inventoryOwner(k.name))
		}
	}
	return removed, signed
}
