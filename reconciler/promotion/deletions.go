package promotion

import (
	"cmp"
	"fmt"
	"slices"

	"transom.dev/render/platform"
)

// deletions are the placements that the head wants gone.
type deletions struct {
	placements []deletion
	instances  map[platform.RequestKey]bool
	admitted   map[platform.RequestKey]bool // by an Approval of deletions that is on record
}

type deletion struct {
	Cluster string `json:"cluster"`
	Team    string `json:"team"`
	Request string `json:"request"`
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
		d.placements = append(d.placements, deletion{c, s.key.Team, s.key.Name})
		d.instances[s.key] = true
	}
	if slices.Contains(s.base.Promotion.Admitted, deletionsAdmitted) {
		d.admitted[s.key] = true
	}
}

// deletionsAdmitted is what a record remembers of an Approval of deletions that covered it.
const deletionsAdmitted = "deletions"

// leaving lists the clusters that an instance is to go from while it stays on others: they drain, left the selector, or
// the version is not placed there. A cluster that cannot be read keeps what it has; one whose file is gone is let go.
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

// digest names the deletions that wait, for a person to approve.
func (d *deletions) digest(environment string) string {
	slices.SortFunc(d.placements, func(a, b deletion) int {
		return cmp.Or(cmp.Compare(a.Cluster, b.Cluster), cmp.Compare(a.Team, b.Team), cmp.Compare(a.Request, b.Request))
	})
	return platform.Digest(map[string]any{"environment": environment, "deletions": d.placements})
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
	digest := d.digest(p.view.Environment.Name)
	p.Deletions = digest
	for _, a := range p.decisions.approvals {
		if a.Deletions == digest {
			return nil, a
		}
	}
	return &Gate{
		Name:   "deletions",
		Reason: fmt.Sprintf("%d of %d instances would lose placements at once", wanted, all),
		Opens:  fmt.Sprintf("an Approval in decisions/%s of {deletions: %s}", p.view.Environment.Name, digest),
	}, nil
}

// limitDeletions makes the deletions of a pass wait where there are too many: all of them, and nothing else.
func (p *Pass) limitDeletions() {
	d := p.lazy.deletions
	if d == nil {
		return
	}
	gate, approval := p.tooMany(d)
	if approval != nil {
		p.Deletions = ""
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
