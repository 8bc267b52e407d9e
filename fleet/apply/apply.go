package apply

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"
)

// enter makes ready the team's namespace, which the instance's objects need, and the inventory, which lists an object
// before it is created.
func (p *pass) enter(ctx context.Context) error {
	if err := p.enterNamespace(ctx); err != nil {
		return err
	}
	if p.hindered(p.around) != "" {
		return nil
	}
	return p.enlist(ctx)
}

// enlist has the inventory list all that is desired.
func (p *pass) enlist(ctx context.Context) error {
	if !slices.ContainsFunc(p.objects, p.unrecorded) {
		return nil
	}
	return p.record(ctx, p.in, func(inv *inventory) {
		inv.admitted = map[Object]string{}
		for _, d := range p.objects {
			inv.objects[d.object] = true
			delete(inv.released, d.object)
			if d.effect != nil {
				inv.admitted[d.object] = d.admits()
			}
			if d.adopts {
				inv.adopted[d.object] = true
			} else if d.live == nil {
				delete(inv.adopted, d.object) // it is made by nobody but us
			}
		}
	})
}

// unrecorded says whether the inventory must be written before an object is.
func (p *pass) unrecorded(d *desired) bool {
	adopted := p.adopted[d.object]
	return !p.listed[d.object] || d.adopts && !adopted || d.effect != nil && p.admitted[d.object] != d.admits() || d.kind != nil && d.live == nil && adopted
}

// enterNamespace applies the namespace file. The team's instances come here at the same time; one of them writes.
func (p *pass) enterNamespace(ctx context.Context) error {
	if !slices.ContainsFunc(p.around, p.unfinished) {
		return nil
	}
	if err := asks(ctx); err != nil {
		return err
	}
	defer p.namespaces.lock(p.in.Namespace)()
	for _, d := range p.around {
		if d.watch != nil {
			if seen := d.watch.get(d.object); seen != nil {
				d.live = seen
				d.adopts = d.adopts && !p.ownsAround(d) // another instance may have taken it over
			}
		}
	}
	return p.applyInOrder(ctx, p.around)
}

func (p *pass) unfinished(d *desired) bool {
	needed, _ := p.need(d)
	return needed || len(missingKeys(d)) > 0
}

// apply writes the objects that need it.
func (p *pass) apply(ctx context.Context) error {
	if cause := p.hindered(p.around); cause != "" {
		hold(p.objects, cause)
		return nil
	}
	return p.applyByStep(ctx)
}

// applyInOrder goes from phase to phase, and no further once something stands in the way of the next.
func (p *pass) applyInOrder(ctx context.Context, all []*desired) error {
	sets := phases(all)
	for i, set := range sets {
		if err := each(ctx, set, p.put); err != nil {
			return err
		}
		if cause := p.hindered(set); cause != "" {
			hold(slices.Concat(sets[i+1:]...), cause)
			return nil
		}
	}
	return nil
}

// put makes one object as it should be.
func (p *pass) put(ctx context.Context, d *desired) error {
	if d.fault != "" || d.kind == nil {
		return nil
	}
	needed, reason := p.need(d)
	if needed {
		if err := p.patch(ctx, d, reason); err != nil {
			return err
		}
	}
	return p.generate(ctx, d)
}

// hindered names the object of a phase that stands in the way of the next: one that was refused, is being deleted, or is
// a CRD that the cluster does not serve yet.
func (p *pass) hindered(set []*desired) string {
	for _, d := range set {
		switch {
		case d.fault != "":
			return d.object.String()
		case d.object.Kind == "CustomResourceDefinition" && d.live != nil:
			if !d.live.seen() || d.live.outlook.health != Healthy {
				return d.object.String()
			}
		case d.kind != nil && (d.live == nil || d.live.deleting):
			return d.object.String()
		}
	}
	return ""
}

// hold leaves objects for a later pass.
func hold(all []*desired, cause string) {
	for _, d := range all {
		if d.fault == "" && (d.live == nil || d.live.digest != d.digest) {
			d.again = true
			d.status = ObjectStatus{Object: d.object, Health: Progressing, Message: fmt.Sprintf("waiting for %s", cause)}
		}
	}
}

// need says whether an object must be written, and if somebody took fields of it, who.
func (p *pass) need(d *desired) (bool, string) {
	switch l := d.live; {
	case d.fault != "" || d.kind == nil:
		return false, ""
	case l == nil:
		return true, ""
	case l.deleting:
		d.again = true
		return false, ""
	case d.adopts || l.digest != d.digest:
		return true, ""
	case l.covered != 0 && l.covered == l.fields:
		return false, ""
	}
	return p.taken(d)
}

// taken compares our entry in managedFields with the desired fields.
func (p *pass) taken(d *desired) (bool, string) {
	own := ownEntry(d.live.entries)
	missing := uncovered(fieldSet(own), p.asked(d))
	if missing == nil {
		d.watch.passed(key{d.object.Namespace, d.object.Name}, d.live)
		return false, ""
	}
	who, did := cmp.Or(taker(d.live.entries, missing), "somebody"), "changed"
	if who == "somebody" {
		did = "removed"
	}
	reason := fmt.Sprintf("%s had %s %s", who, did, missing)
	if own == nil {
		reason = "it was no longer applied by " + manager
	}
	switch {
	case p.in.ReportDrift:
		d.drift = reason
		return false, ""
	case own != nil && !d.live.claims.allow(time.Now()):
		d.fault = fmt.Sprintf("%s keeps changing %s. It is corrected more and more seldom: make it stop, leave the field "+
			"out of the version, or list it under the version's spec.ignore", who, missing)
		d.again = true
		return false, ""
	}
	return true, reason
}

// claims counts how often fields of an object were claimed back, so that a fight with a controller that wants
// something else is lost rather than fought at full speed.
type claims struct {
	count int
	last  time.Time
}

const (
	freeClaims  = 3
	claimsReset = 15 * time.Minute
)

// allow lets the first few through, and then ever fewer: after 8 s, 16 s, … up to five minutes.
func (c claims) allow(now time.Time) bool {
	since := now.Sub(c.last)
	return c.count < freeClaims || since > min(time.Second<<min(c.count, 20), 5*time.Minute)
}

func (c claims) next(now time.Time) claims {
	if now.Sub(c.last) > claimsReset {
		return claims{1, now}
	}
	return claims{c.count + 1, now}
}
