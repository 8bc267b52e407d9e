package apply

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

// An object that holds data outlives its request. It is let go with the removal, so that it stands in nobody's way, and names
// the request and the offering that it was of in annotations: the same request of the same offering takes it back, and anybody
// else adopts it.
const (
	keptFromAnnotation = "transom.dev/kept-from" // TEAM/REQUEST@COMMIT, of the state that does not desire it any more
	keptOfAnnotation   = "transom.dev/kept-of"   // ENVIRONMENT/OFFERING
	keptOnAnnotation   = "transom.dev/kept-on"   // RFC 3339

	keepingManager = "transom-kept" // of these annotations
)

// kept is the instance that an object was of, as its annotations name it.
type kept struct {
	owner    Owner
	offering string
	on       string // a date; empty: not known
}

func readKept(annotations map[string]string) *kept {
	from, of := annotations[keptFromAnnotation], annotations[keptOfAnnotation]
	if from == "" {
		return nil
	}
	k := &kept{}
	from, _, _ = strings.Cut(from, "@")
	k.owner.Team, k.owner.Request, _ = strings.Cut(from, "/")
	k.owner.Environment, k.offering, _ = strings.Cut(of, "/")
	k.on, _, _ = strings.Cut(annotations[keptOnAnnotation], "T")
	return k
}

// String names the request, such as "orders-db of team payments, on 2026-11-28".
func (k *kept) String() string {
	text := k.owner.Request + " of team " + k.owner.Team
	if k.on != "" {
		text += ", on " + k.on
	}
	return text
}

// keep lets an object go that stays because it holds data, or because its offering retains it.
func (p *pass) keep(ctx context.Context, k *kind, o Object, l *live, reason string) (outcome, string, error) {
	if p.in.External || l.deleting {
		return letGo, reason, nil
	}
	if err := p.fence(ctx); err != nil {
		return pending, "", err
	}
	from := p.in.Team + "/" + p.in.Request
	if p.in.State.Commit != "" {
		from += "@" + p.in.State.Commit
	}
	return p.release(ctx, k, o, l, reason, map[string]string{
		keptFromAnnotation: from,
		keptOfAnnotation:   p.in.Environment + "/" + l.offering,
		keptOnAnnotation:   time.Now().UTC().Format(time.RFC3339),
	})
}

// takesBack says whether the live object of a desired one was kept when this very request was removed.
func (p *pass) takesBack(d *desired) bool {
	k := d.live.kept
	return k != nil && !p.in.External && d.live.unclaimed() && k.owner == p.in.Owner && k.offering == d.labels()[offeringLabel]
}

// resumes tells of data that an instance starts on.
func (k *kept) resumes() string {
	on := k.on
	if on == "" {
		on = "a day that is not known"
	}
	return "starts on the data kept on " + on
}

// unmark removes the annotations of kept from an object, once it is an instance's again.
func (p *pass) unmark(ctx context.Context, d *desired) error {
	if d.live == nil || d.live.kept == nil {
		return nil
	}
	if err := p.patchAs(ctx, d, keepingManager, types.MergePatchType, map[string]any{"metadata": map[string]any{
		"uid": d.live.uid, "annotations": map[string]any{keptFromAnnotation: nil, keptOfAnnotation: nil, keptOnAnnotation: nil},
	}}); err != nil {
		return err
	}
	d.live = d.watch.answered(key{d.object.Namespace, d.object.Name}, d.live)
	return nil
}

// leftBehind says whether an object that holds data was left by a request that is gone, as daemons before left it: with its labels.
// An inventory lists an object from before it is made, so that without one nobody keeps it.
func (p *pass) leftBehind(ctx context.Context, o Object, l *live) (bool, error) {
	owner := l.labels.owner
	precious := spared[schema.GroupKind{Group: o.Group, Kind: o.Kind}] || l.generated
	if !precious || !l.labels.managed || owner.Environment == "" || owner.Team == "" || owner.Request == "" || l.deleting {
		return false, nil
	}
	if owner == p.in.Owner {
		return true, nil
	}
	if inv := p.inventories.get(owner); inv.lists() || p.passes(owner) {
		return false, nil
	}
	var inv *inventory
	err := p.ask(ctx, func(ctx context.Context) error {
		m, err := p.core.ConfigMaps(systemNamespace).Get(ctx, inventoryName(owner), metav1.GetOptions{})
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

// lists says whether an inventory may list something.
func (inv *inventory) lists() bool { return inv != nil && (len(inv.objects) > 0 || inv.fault != "") }

// another says whether the live object of a desired one, which holds data, was left by a request of the same name for another
// offering.
func (p *pass) another(d *desired) bool {
	of := d.labels()[offeringLabel]
	return d.precious() && !p.listed[d.object] && d.live.labels.owner == p.in.Owner && d.live.offering != "" && of != "" && d.live.offering != of
}

// passes says whether passes are made for an owner.
func (c *Cluster) passes(o Owner) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, known := c.known[o.Team][o]
	return known
}

// resumed are the objects that the instance takes back.
func (p *pass) resumed() (all []Problem) {
	for _, d := range p.objects {
		if d.live != nil && d.fault == "" && p.takesBack(d) {
			all = append(all, Problem{d.object, d.live.kept.resumes()})
		}
	}
	slices.SortFunc(all, func(a, b Problem) int { return strings.Compare(a.Object.line(), b.Object.line()) })
	return all
}
