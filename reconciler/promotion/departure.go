package promotion

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// Clusters that an instance leaves while it stays on others, or comes to others, are its last wave: their placements stay as
// they are until all others have the bytes that they are to have and have been healthy for as long as their waves ask. So
// there is always something that serves, and something to go back to.

// A departure names the clusters that an instance is to leave.
type departure struct {
	*subject
	instance *platform.Instance // that it is to be

	leaving []string // sorted
	due     []string // those of them that it may leave now, sorted
	well    bool     // they are due because all others have their bytes, and are well
	stands  bool     // the others keep their bytes, also when the environment changes
	others  *Gate    // closed while the others are not well; nil: they are, or nobody asks
	digest  string   // of the deletions that a person may approve so that they do not wait; empty: there are none
}

// newDeparture finds out which clusters an instance is to leave when it becomes another one, and which of them now; nil: none.
func newDeparture(s *subject, i *platform.Instance) *departure {
	d := &departure{subject: s, instance: i, leaving: leavingFor(s, i)}
	if len(d.leaving) == 0 {
		return nil
	}
	if len(d.staying()) > 0 {
		q := &question{subject: s, to: refOfInstance(i), instance: i, leaves: d}
		d.others = q.first(leaving)
	}
	if d.others == nil {
		d.due = d.leaving
	}
	return d
}

// beforeTheOthers is closed for the clusters that an instance leaves until all others have its bytes and are well.
func beforeTheOthers(q *question) []Gate {
	if q.skips() {
		return nil
	}
	others := q.leaves.awaitOthers()
	q.leaves.well = others == nil
	return one(others)
}

// leavingFor lists the clusters that an instance is to go from while it stays on others: they drain, left the selector, or
// the version is not placed there. A cluster that cannot be read keeps its placement; one whose file is gone is let go.
func leavingFor(s *subject, i *platform.Instance) (clusters []string) {
	for cluster := range s.base.Clusters {
		c := s.Platform.Clusters[cluster]
		if c != nil && !c.Broken && !slices.ContainsFunc(i.Clusters, func(placed *platform.Cluster) bool { return placed.Name == cluster }) {
			clusters = append(clusters, cluster)
		}
	}
	slices.Sort(clusters)
	return clusters
}

// staying lists the clusters that an instance is to be on, sorted: those that it is placed on, and those whose file cannot be
// read, where it stays.
func (d *departure) staying() (clusters []string) {
	for _, c := range d.instance.Clusters {
		clusters = append(clusters, c.Name)
	}
	for cluster := range d.base.Clusters {
		if c := d.Platform.Clusters[cluster]; c != nil && c.Broken && !slices.Contains(clusters, cluster) {
			clusters = append(clusters, cluster)
		}
	}
	slices.Sort(clusters)
	return clusters
}

// awaitOthers returns the gate that is closed until the clusters that an instance stays on or comes to are well; nil: they are. Of those that do not count nobody can say anything; one that joined counts here, because it may take over from the
// cluster that is left.
func (d *departure) awaitOthers() (closed *Gate) {
	closedBy := func(why string, args ...any) *Gate { return &Gate{Name: "leave", Reason: fmt.Sprintf(why, args...)} }
	keys, problems := d.Lookup.Keys(d.instance)
	if len(problems) > 0 {
		return closedBy("%s", problems[0])
	}
	d.stands = d.remains(keys)
	counting := 0
	for _, cluster := range d.staying() {
		if !d.counts(d.Environment, cluster) {
			continue
		}
		counting++
		placed, there := d.base.Clusters[cluster]
		differs := placed.RenderKey != keys[cluster] && !d.stands
		if !there || outdated(placed) || differs {
			return closedBy("%s does not have it yet", cluster)
		}
		said := d.observe(d.Environment, d.key, cluster, placed)
		if said.Health != state.Healthy {
			return closedBy("%s is not healthy: %s", cluster, said.text())
		}
		if soak := d.waves.soakOf(cluster); said.Soaked < soak {
			at := d.Now.in(soak - said.Soaked)
			if closed == nil || at.After(closed.At) {
				closed = closedBy("%s soaks, %s of %s", cluster, said.Soaked.Round(time.Second), soak)
				closed.At = at
			}
		}
	}
	if counting == 0 {
		return closedBy("no cluster that it stays on counts")
	}
	return closed
}

// remains reports whether an instance stays as it is though the environment puts in something else: a pin freezes it, or the
// bytes that it would get have failed here. Then nothing is on its way that its last clusters would have to wait for.
func (d *departure) remains(keys map[string]string) bool {
	if !runs(d.base) || d.base.Digest != d.instance.Release {
		return false
	}
	if d.people.freeze(d.base) != nil {
		return true
	}
	moving := map[string]string{}
	for cluster, key := range keys {
		if has, there := d.base.Clusters[cluster]; there && has.RenderKey != key {
			moving[cluster] = key
		}
	}
	return len(rejected(&question{subject: d.subject, keys: moving, readmits: d.people.running(refOf(d.base))})) > 0
}

// gate is the gate of the clusters that an instance leaves last.
func (d *departure) gate(last []string) Gate {
	g := Gate{
		Name: "leave", Reason: "leaves " + strings.Join(last, ", ") + " last, after all others",
		Opens: "their health, or an Override that skips leave",
	}
	if d.others != nil {
		g.Reason, g.At = g.Reason+": "+d.others.Reason, d.others.At
	}
	if d.digest != "" {
		g.Opens = fmt.Sprintf("their health, or an Approval of {deletions: %s}, because the cluster is to be left now", d.digest)
	}
	return g
}
