package apply

import (
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/metadata"

	"transom.dev/render/platform"
)

// look reads the inventory, the kinds, and each object as the watch knows it. Only an object that the watch does not know
// costs a call, because it could exist without our label.
func (p *pass) look(ctx context.Context) error {
	p.begin(p.inventories.stream)
	if err := p.inventories.ready(ctx); err != nil {
		return err
	}
	if inv := p.inventories.get(p.in.Owner); inv != nil {
		p.listed, p.adopted, p.admitted, p.checkpoint = inv.objects, inv.adopted, inv.admitted, inv.checkpoint
		if inv.fault != "" {
			p.refuse("%s", inv.fault)
		}
	}
	defer p.claimed()
	for i, d := range p.all() {
		if d.fault != "" {
			continue
		}
		found, err := p.kinds.find(ctx, d.gvk)
		if err != nil {
			return err
		}
		if found == nil {
			p.waitFor(d)
			continue
		}
		d.kind, d.watch = found, p.watch(found)
		p.place(d, i < len(p.around))
	}
	if err := each(ctx, p.around, p.findAround); err != nil {
		return err
	}
	return each(ctx, p.objects, p.find)
}

// find reads the live object of a desired one, and refuses it if it belongs to somebody else. An object that is nobody's
// is taken over if the request says so.
func (p *pass) find(ctx context.Context, d *desired) error {
	err := p.see(ctx, d)
	if err != nil || d.live == nil || p.owns(d) {
		return err
	}
	if d.left, err = p.leftBehind(ctx, d.object, d.live); err != nil {
		return err
	}
	if d.left && d.live.entries == nil {
		if d.live, err = p.fetch(ctx, d.kind, d.object); err != nil || d.live == nil {
			return err
		}
	}
	if p.adopt(d, false) {
		return nil
	}
	p.disown(d, d.live.unclaimed() || d.left)
	return nil
}

// adopt marks an object as one to be taken over, if it may be.
func (p *pass) adopt(d *desired, around bool) bool {
	if d.adopts = p.adoptable(d, around); d.adopts {
		d.found = d.live.entries
	}
	return d.adopts
}

func (p *pass) findAround(ctx context.Context, d *desired) error {
	err := p.see(ctx, d)
	if err == nil && d.live != nil && !p.ownsAround(d) && !p.adopt(d, true) {
		p.disown(d, false)
	}
	return err
}

// disown refuses an object that is somebody else's. Where another agent applies, that is its to decide: it has not applied
// ours yet.
func (p *pass) disown(d *desired, adoptable bool) {
	if p.in.External {
		d.live = nil
		return
	}
	d.fault = foreign(d, adoptable)
}

func (p *pass) see(ctx context.Context, d *desired) error {
	if d.fault != "" || d.kind == nil {
		return nil
	}
	if err := d.watch.ready(ctx); err != nil {
		return err
	}
	if d.live = d.watch.get(d.object); d.live != nil {
		return nil
	}
	var err error
	d.live, err = p.fetch(ctx, d.kind, d.object)
	if errors.Is(err, errUnserved) {
		d.kind = nil
		p.waitFor(d)
		return nil
	}
	return err
}

// fetch reads an object's metadata from the API server; nil if it does not exist.
func (c *Cluster) fetch(ctx context.Context, k *kind, o Object) (*live, error) {
	var found *live
	err := c.ask(ctx, func(ctx context.Context) error {
		m, err := c.objects(k, o.Namespace).Get(ctx, o.Name, metav1.GetOptions{})
		switch err := c.notServed(k, err); {
		case apierrors.IsNotFound(err):
			return nil
		case err != nil:
			return err
		}
		found = reduceMeta(k.gvk.GroupKind(), m)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", o, err)
	}
	return found, nil
}

// notServed tells apart that an object does not exist from that the server does not serve its kind at all, as while
// a CRD changes. That says nothing about the object; it is errUnserved.
func (c *Cluster) notServed(k *kind, err error) error {
	if apierrors.IsNotFound(err) && apierrors.HasStatusCause(err, metav1.CauseTypeUnexpectedServerResponse) {
		c.kinds.forget(k)
		return errUnserved
	}
	return err
}

// objects is the client for one kind's objects that speaks of metadata only, in and out.
func (c *Cluster) objects(k *kind, namespace string) metadata.ResourceInterface {
	if k.namespaced {
		return c.metadata.Resource(k.resource).Namespace(namespace)
	}
	return c.metadata.Resource(k.resource)
}

// waitFor leaves an object for later because the cluster does not serve its kind, or not in that version.
func (p *pass) waitFor(d *desired) {
	kind := d.object.Kind
	if d.object.Group != "" {
		kind += "." + d.object.Group
	}
	d.again = true
	d.status = ObjectStatus{Object: d.object}
	message := fmt.Sprintf("the cluster serves no %s in version %s", kind, d.gvk.Version)
	switch unserved := platform.Unserved(d.object.Group, d.gvk.Version, d.object.Kind); {
	case unserved != "":
		message += ": " + unserved
	case platform.BuiltinGroup(d.object.Group):
		message += ", which is a kind of Kubernetes itself: its API servers are too old, too new or have it switched off; write another apiVersion"
	default:
		message = "waiting for a CRD: " + message
	}
	d.status.Health, d.status.Message = p.behind(message)
	p.await(p.in.Owner)
	p.begin(p.arrivals.stream)
}
