package promotion

import (
	"cmp"
	"fmt"
	"slices"

	"transom.dev/render/platform"
)

// deletions are the placements that the head wants gone.
type deletions struct {
	placements []platform.DeletedPlacement
	instances  map[platform.RequestKey]bool
	admitted   map[platform.RequestKey]bool // by an Approval of deletions that is on record
}

// deleting notes that placements of an instance are to go.
func (p *Pass) deleting(s *subject, clusters []string) {
	if len(clusters) == 0 {
		return
	}
	d := p.lazy.deletions
	if d == nil {
		d = &deletions{instances: map[platform.RequestKey]bool{}, admitted: map[platform.RequestKey]bool{}}
		p.lazy.deletions = d
	}
	for _, c := range clusters {
		d.placements = append(d.placements, platform.DeletedPlacement{Cluster: c, Team: s.key.Team, Request: s.key.Name})
		d.instances[s.key] = true
	}
	if slices.Contains(s.base.Promotion.Admitted, deletionsAdmitted) {
		d.admitted[s.key] = true
	}
}

// deletionsAdmitted is the mark in a record that an Approval of deletions covered it.
const deletionsAdmitted = "deletions"

// leaving lists the clusters that an instance is to go from while it stays on others: they drain, left the selector, or
// the version is not placed there. A cluster that cannot be read keeps its placement; one whose file is gone is let go.
func (p *Pass) leaving(r *platform.Release, i *platform.Instance) (clusters []string) {
	for cluster := range r.Clusters {
		c := p.view.Platform.Clusters[cluster]
		if c != nil && !c.Broken && !slices.ContainsFunc(i.Clusters, func(placed *platform.Cluster) bool { return placed.Name == cluster }) {
			clusters = append(clusters, cluster)
		}
	}
	slices.Sort(clusters)
	return clusters
}

// ofDeletions returns the Approval of exactly these deletions, or nil.
func (d decisions) ofDeletions(digest string) *platform.Decision {
	i := slices.IndexFunc(d.approvals, func(a *platform.Decision) bool { return a.Deletions == digest })
	if i < 0 {
		return nil
	}
	return d.approvals[i]
}

// tooMany returns why deletions wait, and the Approval that lets them through if there is one.
func (p *Pass) tooMany(d *deletions) (gate *Gate, approval *platform.Decision) {
	limit, wanted, all := p.view.Environment.DeletionLimit, 0, 0
	for k := range d.instances {
		if !d.admitted[k] {
			wanted++
		}
	}
	for _, r := range p.view.Releases {
		if runs(r) {
			all++
		}
	}
	if wanted <= limit.Instances || 100*wanted <= limit.Percent*all {
		return nil, nil
	}
	digest := platform.DeletionsDigest(p.view.Environment.Name, d.placements)
	if a := p.decisions.ofDeletions(digest); a != nil {
		return nil, a
	}
	p.Deletions = cmp.Or(p.Deletions, digest) // that of clusters to be left now is approved first
	return &Gate{
		Name:   "deletions",
		Reason: fmt.Sprintf("%d of %d instances would lose placements at once", wanted, all),
		Opens:  fmt.Sprintf("an Approval in decisions/%s of {deletions: %s}", p.view.Environment.Name, digest),
	}, nil
}

// limitDeletions makes the deletions of a pass wait where there are too many: all of them, and nothing else.
func (p *Pass) limitDeletions() {
	p.approveUrgent()
	d := p.lazy.deletions
	if d == nil {
		return
	}
	gate, approval := p.tooMany(d)
	if approval != nil {
		for k := range d.instances {
			p.admitDeletion(k)
			if m := p.moves[k]; m != nil {
				m.gates = append(m.gates, p.by("approval", approval))
			}
		}
	}
	if gate == nil {
		return
	}
	p.deletionsWait = gate
	for k, m := range p.moves {
		if m.removal && !d.admitted[k] {
			p.stayRemoved(k, m, *gate)
		}
	}
}

// admitDeletion records that a person let an instance's deletions through.
func (p *Pass) admitDeletion(k platform.RequestKey) {
	r := p.Records[k]
	if r == nil {
		r = clone(p.view.Releases[k])
		p.Records[k] = r
	}
	if !slices.Contains(r.Promotion.Admitted, deletionsAdmitted) {
		r.Promotion.Admitted = append(r.Promotion.Admitted, deletionsAdmitted)
	}
}
