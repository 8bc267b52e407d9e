package apply

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// judged are the built-in kinds of whose objects a version says itself when they are healthy. Watches keep no more of such an
// object than of any other, so it is read anew whenever the watch has seen it change.
type judged struct {
	kinds  map[Owner]map[schema.GroupKind]bool
	bodies map[Object]*live // as they were read last
}

const manyBodies = 10_000 // of which none was forgotten although its object may be gone

// judges records that a version has a health entry for a built-in kind, so that every change of an owner's objects of that
// kind is told from now on.
func (c *Cluster) judges(o Owner, gk schema.GroupKind) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.judged.kinds[o] == nil {
		c.judged.kinds[o] = map[schema.GroupKind]bool{}
	}
	c.judged.kinds[o][gk] = true
}

// judgesBy says whether a version of an owner has a health entry for a built-in kind.
func (c *Cluster) judgesBy(o Owner, gk schema.GroupKind) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.judged.kinds[o][gk]
}

// builtinHealth judges an object of a built-in kind by the version's health entry.
func (p *pass) builtinHealth(ctx context.Context, d *desired, applied bool) (Health, string, error) {
	if applied {
		if d.live.outlook.behind {
			return Progressing, notSeen, nil
		}
		return Healthy, "", nil
	}
	p.judges(p.in.Owner, d.gvk.GroupKind())
	whole, err := p.readBody(ctx, d)
	switch {
	case err != nil:
		return Unknown, "", err
	case whole == nil:
		d.again = true
		return Progressing, "is gone", nil
	case whole.digest != d.digest:
		d.again = true
		return Progressing, "the cluster has another revision of it", nil
	}
	seen := d.live
	d.live = whole
	health, message := p.customHealth(d)
	d.live = seen
	return health, message, nil
}

// readBody reads an object whole, unless it was read as it is known to be now; nil: it does not exist.
func (p *pass) readBody(ctx context.Context, d *desired) (*live, error) {
	p.mu.Lock()
	known := p.judged.bodies[d.object]
	p.mu.Unlock()
	if known != nil && known.uid == d.live.uid && !older(known.version, d.live.version) {
		return known, nil
	}
	var whole *live
	err := p.ask(ctx, func(ctx context.Context) error {
		u, err := p.getWhole(ctx, d)
		if err == nil {
			whole = reduceJudged(u, d.live)
		}
		return err
	})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", d.object, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.judged.bodies) >= manyBodies {
		clear(p.judged.bodies)
	}
	p.judged.bodies[d.object] = whole
	return whole, nil
}

// getWhole asks for an object as a health expression may read it: of a Secret that is its metadata, and no value.
func (p *pass) getWhole(ctx context.Context, d *desired) (*unstructured.Unstructured, error) {
	if d.gvk.GroupKind() == (schema.GroupKind{Kind: "Secret"}) {
		m, err := p.Cluster.objects(d.kind, d.object.Namespace).Get(ctx, d.object.Name, metav1.GetOptions{})
		if err != nil {
			return nil, err
		}
		body, err := runtime.DefaultUnstructuredConverter.ToUnstructured(m)
		u := &unstructured.Unstructured{Object: body}
		u.SetGroupVersionKind(d.gvk)
		return u, err
	}
	objects := p.dynamic.Resource(d.kind.resource)
	if d.kind.namespaced {
		return objects.Namespace(d.object.Namespace).Get(ctx, d.object.Name, metav1.GetOptions{})
	}
	return objects.Get(ctx, d.object.Name, metav1.GetOptions{})
}

// reduceJudged keeps the fields of an object that a health expression may read.
func reduceJudged(u *unstructured.Unstructured, seen *live) *live {
	l := reduceMeta(u.GroupVersionKind().GroupKind(), u)
	l.seenVersion, l.patched = l.version, seen.patched
	l.reported = reportedAt(l.entries)
	l.entries = nil
	l.body = reduceBody(u)
	return l
}
