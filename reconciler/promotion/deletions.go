package promotion

import (
	"cmp"
	"fmt"
	"slices"

	"transom.dev/render/gate"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// deletionsAdmitted is the mark in a record that an Approval of deletions covered it.
const deletionsAdmitted = "deletions"

// deletions are the placements that are to go in a pass, and the instances that leave clusters.
type deletions struct {
	departures map[platform.RequestKey]*departure
	placements []state.DeletedPlacement
	instances  map[platform.RequestKey]bool
	admitted   map[platform.RequestKey]bool // by an Approval of deletions that is on record
	urgent     []urgent                     // that may go at once if a person approves that

	digest string // that a person has to approve
	gate   *Gate  // closed while there are too many
}

// urgent is a placement on a cluster that is to be left at once.
type urgent struct {
	state.DeletedPlacement
	subject *subject
}

func newDeletions() *deletions {
	return &deletions{
		departures: map[platform.RequestKey]*departure{}, instances: map[platform.RequestKey]bool{}, admitted: map[platform.RequestKey]bool{},
	}
}

// add has placements of an instance go.
func (d *deletions) add(s *subject, clusters []string) {
	if len(clusters) == 0 {
		return
	}
	for _, c := range clusters {
		d.placements = append(d.placements, placementOn(c, s.key))
	}
	d.instances[s.key] = true
	if slices.Contains(s.base.Promotion.Admitted, deletionsAdmitted) {
		d.admitted[s.key] = true
	}
}

func placementOn(cluster string, k platform.RequestKey) state.DeletedPlacement {
	return state.DeletedPlacement{Cluster: cluster, Team: k.Team, Request: k.Name}
}

// depart has an instance leave clusters when it becomes another one, and reports whether it leaves any.
func (d *deletions) depart(s *subject, i *platform.Instance) bool {
	leaves := newDeparture(s, i)
	if leaves == nil {
		return false
	}
	d.departures[s.key] = leaves
	d.add(s, leaves.due)
	if len(leaves.staying()) == 0 {
		return true
	}
	for _, cluster := range leaves.leaving {
		if s.leavesNow(cluster) {
			d.urgent = append(d.urgent, urgent{placementOn(cluster, s.key), s})
		}
	}
	return true
}

// letUrgentGo lets those placements go that a person let go at once, and sets otherwise the digest that there is to approve. It
// returns the instances that the Approval of this pass admits.
func (d *deletions) letUrgentGo(p *people) (admitted []platform.RequestKey) {
	if len(d.urgent) == 0 {
		return nil
	}
	var all []state.DeletedPlacement
	for _, u := range d.urgent {
		all = append(all, u.DeletedPlacement)
	}
	digest := state.DeletionsDigest(p.environment, all)
	approval := p.ofDeletions(digest)
	for _, u := range d.urgent {
		s, leaves := u.subject, d.departures[u.subject.key]
		if slices.Contains(leaves.due, u.Cluster) {
			continue
		}
		if approval != nil {
			admitted = append(admitted, s.key)
		} else if !slices.Contains(s.base.Promotion.Admitted, deletionsAdmitted) {
			leaves.digest, d.digest = digest, digest
			continue
		}
		leaves.due = append(leaves.due, u.Cluster)
		slices.Sort(leaves.due)
		d.add(s, []string{u.Cluster})
		d.admitted[s.key] = true
	}
	return admitted
}

// limit makes the deletions of a pass wait where there are too many: all of them, and nothing else. It returns the Approval that
// lets them through, if there is one.
func (d *deletions) limit(f *facts) *platform.Decision {
	wanted, all := 0, 0
	for k := range d.instances {
		if !d.admitted[k] {
			wanted++
		}
	}
	if wanted == 0 {
		return nil
	}
	for _, r := range f.Releases.All() {
		if runs(r) {
			all++
		}
	}
	limit := f.Environment.DeletionLimit
	if wanted <= limit.Instances || 100*wanted <= limit.Percent*all {
		return nil
	}
	digest := state.DeletionsDigest(f.Environment.Name, d.placements)
	if approval := f.people.ofDeletions(digest); approval != nil {
		return approval
	}
	d.digest = cmp.Or(d.digest, digest) // that of clusters to be left now is approved first
	d.gate = &Gate{
		Name:   gate.Deletions,
		Reason: fmt.Sprintf("%d of %d instances would lose placements at once", wanted, all),
		Opens:  fmt.Sprintf("an Approval in decisions/%s of {deletions: %s}", f.Environment.Name, digest),
	}
	return nil
}
