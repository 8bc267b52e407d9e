package apply

import (
	"context"
	"errors"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"transom.dev/render/builtin"
	"transom.dev/render/state"
)

// reader finds the live objects of the desired ones, and refuses those that are somebody else's.
type reader struct{ *target }

// readObjects reads the inventory, the kinds, and each object as the watch knows it. Only an object that the watch does not know
// may cost a call, because it could exist without our label.
func (r reader) readObjects(ctx context.Context) error {
	r.cluster.watches.begin(r.cluster.inventories.stream)
	if err := r.cluster.inventories.ready(ctx); err != nil {
		return err
	}
	if fault := r.inventory.read(); fault != "" {
		r.refuse("%s", fault)
	}
	defer r.requireSigned()
	for i, d := range r.all() {
		if d.fault != "" {
			continue
		}
		found, err := r.client.kinds.find(ctx, d.gvk)
		if err != nil {
			return err
		}
		if found == nil {
			r.waitForKind(d)
			continue
		}
		d.kind, d.watch = found, r.cluster.watches.of(found)
		r.checkScope(d, i < len(r.teamObjects))
	}
	if err := each(ctx, r.teamObjects, r.readTeamObject); err != nil {
		return err
	}
	isNew := r.namespaceIsNew()
	return each(ctx, r.objects, func(ctx context.Context, d *desired) error { return r.readObject(ctx, d, isNew) })
}

// readObject reads the live object of a desired one, and refuses it if it belongs to somebody else. An object that is nobody's
// is taken over if the request says so. Nothing is in a namespace that is new.
func (r reader) readObject(ctx context.Context, d *desired, namespaceIsNew bool) error {
	err := r.readLive(ctx, d, namespaceIsNew && d.object.Namespace == r.in.Namespace)
	if err != nil || d.live == nil || r.owns(d) {
		return err
	}
	if d.wasKept, err = r.wasKept(ctx, d.object, d.live); err != nil {
		return err
	}
	if d.wasKept && d.live.entries == nil {
		if d.live, err = r.client.readMetadata(ctx, d.kind, d.object); err != nil || d.live == nil {
			return err
		}
	}
	if r.markAdopted(d, false) {
		return nil
	}
	r.refuseForeign(d, d.live.unclaimed() || d.wasKept)
	return nil
}

// markAdopted marks an object as one to be taken over, if it may be.
func (r reader) markAdopted(d *desired, ofTeam bool) bool {
	if d.adopts = r.adoptable(d, ofTeam); d.adopts {
		d.found = d.live.entries
	}
	return d.adopts
}

// readTeamObject is readObject for an object of the namespace file, which belongs to the team.
func (r reader) readTeamObject(ctx context.Context, d *desired) error {
	err := r.readLive(ctx, d, false)
	if err == nil && d.live != nil && !r.ownedByTeam(d) && !r.markAdopted(d, true) {
		r.refuseForeign(d, false)
	}
	return err
}

// refuseForeign refuses an object that is somebody else's. Where another agent applies, that is its to decide: it has not applied
// ours yet.
func (r reader) refuseForeign(d *desired, adoptable bool) {
	if r.in.External {
		d.live = nil
		return
	}
	d.fault = foreign(d, adoptable)
}

// readLive takes the live object from the watch of its kind. Where the watch has none, and it is not known to be absent, it is asked for.
func (r reader) readLive(ctx context.Context, d *desired, absent bool) error {
	if d.fault != "" || d.kind == nil {
		return nil
	}
	if err := d.watch.ready(ctx); err != nil {
		return err
	}
	if d.live = d.watch.get(d.object); d.live != nil {
		return nil
	}
	if _, waits := r.in.Refused.of(d.object); waits && !r.mayAdopt(d, r.isTeamObject(d)) {
		return nil // it is not written, whosever it is; one to be adopted keeps the whole instance from being written
	}
	err := mayRequest(ctx)
	if err == nil && !absent {
		absent, err = r.cluster.unmanaged.lacks(ctx, d, r.in.Owner)
	}
	if err != nil || absent {
		return err
	}
	d.live, err = r.client.readMetadata(ctx, d.kind, d.object)
	if errors.Is(err, errUnserved) {
		d.kind = nil
		r.waitForKind(d)
		return nil
	}
	return err
}

// namespaceIsNew says whether the team's namespace does not exist, so that nothing in it does.
func (r reader) namespaceIsNew() bool {
	return !r.in.External && slices.ContainsFunc(r.teamObjects, func(d *desired) bool {
		absent := d.fault == "" && d.kind != nil && d.live == nil
		return absent && d.isNamespace() && d.object.Name == r.in.Namespace
	})
}

// waitForKind leaves an object for later because the cluster does not serve its kind, or not in that version.
func (r reader) waitForKind(d *desired) {
	kind := d.object.Kind
	if d.object.Group != "" {
		kind += "." + d.object.Group
	}
	d.again = true
	d.status = ObjectStatus{Object: d.object}
	message := fmt.Sprintf("the cluster serves no %s in version %s", kind, d.gvk.Version)
	switch unserved := builtin.Unserved(d.object.Group, d.gvk.Version, d.object.Kind); {
	case unserved != "":
		message += ": " + unserved
	case builtin.Group(d.object.Group):
		message += ", which is a kind of Kubernetes itself: its API servers are too old, too new or have it switched off; write another apiVersion"
	default:
		message = "waiting for a CRD: " + message
	}
	d.status.Health, d.status.Message = r.behind(message)
	r.cluster.subscribers.waitForKind(r.in.Owner)
	r.cluster.watches.begin(r.cluster.arrivals.stream)
}

// wasKept says whether an object with data was kept when its request was removed, as earlier versions of the daemon kept it: with its labels.
// An inventory lists an object from before it is made, so that without one nobody keeps it.
func (r reader) wasKept(ctx context.Context, o Object, l *live) (bool, error) {
	owner := l.labels.owner
	precious := state.NeverPruned(o.Group, o.Kind) || l.generated
	if !precious || !l.labels.managed || owner.Environment == "" || owner.Team == "" || owner.Request == "" || l.deleting {
		return false, nil
	}
	if owner == r.in.Owner {
		return true, nil
	}
	if inv := r.cluster.inventories.get(owner); inv.lists() || r.cluster.subscribers.has(owner) {
		return false, nil
	}
	var inv *inventory
	err := r.client.request(ctx, func(ctx context.Context) error {
		m, err := r.client.core.ConfigMaps(systemNamespace).Get(ctx, inventoryName(owner), metav1.GetOptions{})
		if err == nil {
			inv = readInventory(m)
		}
		return err
	})
	if err != nil && !apierrors.IsNotFound(err) {
		return false, fmt.Errorf("read the inventory of %s: %w", owner, err)
	}
	return !inv.lists(), nil
}

// requireSigned refuses an inventory that names no state commit, as those of before there were any, unless it lists the very objects
// that the state has: whose it is nobody can tell.
func (r reader) requireSigned() {
	inv := r.cluster.inventories.get(r.in.Owner)
	if !r.in.hasLineage() || inv == nil || inv.signature.Commit != "" || len(inv.objects) == 0 {
		return
	}
	same := len(r.objects) == len(inv.objects)
	for _, d := range r.objects {
		same = same && inv.objects[d.object]
	}
	if r.cluster.inventories.recognize(r.in.Owner, same) {
		return
	}
	r.refuse("ConfigMap %s/%s names no state commit, and does not list the objects that this state has, so it may be of another "+
		"installation and nothing is written; if it is of this one, say so: kubectl -n %s annotate configmap %s '%s=%s'",
		systemNamespace, inventoryName(r.in.Owner), systemNamespace, inventoryName(r.in.Owner), stateAnnotation, r.in.State)
}
