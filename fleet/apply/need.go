package apply

import (
	"cmp"
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// writeIfNeeded makes one object as it should be.
func (w writer) writeIfNeeded(ctx context.Context, d *desired) error {
	if d.fault != "" || d.kind == nil {
		return nil
	}
	needed, reason := w.needsWrite(d)
	if needed {
		if err := w.patch(ctx, d, reason); err != nil {
			return err
		}
	}
	if err := w.generateValues(ctx, d); err != nil {
		return err
	}
	return w.takeBack(ctx, d)
}

// needsWrite says whether an object must be written, and if somebody took fields of it, who. One that was refused and is not to be tried
// is kept as it is.
func (w writer) needsWrite(d *desired) (bool, string) {
	needed, reason := w.differs(d)
	if needed && w.leave(d) {
		return false, ""
	}
	return needed, reason
}

// differs says whether an object is not as it shall be.
func (w writer) differs(d *desired) (bool, string) {
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
	return w.findDrift(d)
}

// findDrift compares our entry in managedFields with the desired fields.
func (w writer) findDrift(d *desired) (bool, string) {
	own := ownEntry(d.live.entries)
	missing := w.findMissing(d, own)
	if missing == nil {
		if d.whole.Load() == d.live.fields {
			w.cluster.shared.recordWhole(d.live.traits)
		}
		d.watch.markCovered(key{d.object.Namespace, d.object.Name}, d.live)
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
	case w.in.ReportDrift:
		d.drift = reason
		return false, ""
	case own != nil && !d.live.corrections.allow(time.Now()):
		d.fault = fmt.Sprintf("%s keeps changing %s. It is corrected more and more seldom: make it stop, leave the field "+
			"out of the version, or list it under the version's spec.ignore", who, missing)
		d.again = true
		return false, ""
	}
	return true, reason
}

// findMissing returns the path to the first desired field that our entry in managedFields does not own; nil if it owns all. Clusters that
// have the same manifest have the same entry as a rule, which is then compared once for all of them.
func (w writer) findMissing(d *desired, own *metav1.ManagedFieldsEntry) path {
	shared := !d.emptyList && len(w.fieldsOfOthers(d)) == 0 // nothing but the content and our entry counts
	if shared && d.live.fields != 0 && d.whole.Load() == d.live.fields {
		return nil
	}
	applied := w.appliedFields(d)
	missing := uncovered(fieldSet(own), applied)
	if missing == nil && d.emptyList {
		missing = takenList(d.live.entries, applied, nil)
	}
	if missing == nil && shared {
		d.whole.Store(d.live.fields)
	}
	return missing
}

// corrections counts how often fields of an object were claimed back, so that a fight with a controller that wants
// something else is lost rather than fought at full speed.
type corrections struct {
	count int
	last  time.Time
}

const (
	freeCorrections  = 3
	correctionsReset = 15 * time.Minute
)

// allow lets the first few through, and then ever fewer: after 8 s, 16 s, … up to five minutes.
func (c *corrections) allow(now time.Time) bool {
	if c == nil {
		return true
	}
	since := now.Sub(c.last)
	return c.count < freeCorrections || since > min(time.Second<<min(c.count, 20), 5*time.Minute)
}

// next counts one correction more.
func (c *corrections) next(now time.Time) *corrections {
	if c == nil || now.Sub(c.last) > correctionsReset {
		return &corrections{1, now}
	}
	return &corrections{c.count + 1, now}
}
