package promotion

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"transom.dev/render/platform"
)

// Clusters that an instance leaves while it stays on others, or comes to others, are its last wave: their placements stay as
// they are until all others have the bytes that they are to have and have been healthy for as long as their waves ask. So
// there is always something that serves, and something to go back to.

// A departure names the clusters that an instance is to leave.
type departure struct {
	due    []string // clusters that it may leave now, sorted
	well   bool     // they are due because all others have their bytes, and are well
	stands bool     // the others keep their bytes, also when the environment changes
	why    string   // the others are not well yet; empty: they are, or nobody asks
	at     time.Time
	digest string // of the deletions that a person may approve so that they do not wait; empty: there are none
}

// depart notes which clusters an instance is to leave when it becomes another one, and which of them now.
func (p *Pass) depart(s *subject, i *platform.Instance) (leaving []string) {
	leaving = p.leaving(s.base, i)
	if len(leaving) == 0 {
		return nil
	}
	d := &departure{}
	p.departures[s.key] = d
	if len(p.staying(s.base, i)) == 0 {
		d.due = leaving
		p.deleting(s, leaving)
		return leaving
	}
	if p.overridden("leave", s.key, i.Release, i.Offering.Name, i.Version.Number.String()) != nil {
		d.due = leaving
	} else if p.await(s, i, d); d.why == "" {
		d.due, d.well = leaving, true
	}
	p.deleting(s, d.due)
	p.hurry(s, leaving)
	return leaving
}

// staying lists the clusters that an instance is to be on, sorted: those that it is placed on, and those whose file cannot be
// read, where it stays.
func (p *Pass) staying(base *platform.Release, i *platform.Instance) (clusters []string) {
	for _, c := range i.Clusters {
		clusters = append(clusters, c.Name)
	}
	for cluster := range base.Clusters {
		if c := p.view.Platform.Clusters[cluster]; c != nil && c.Broken && !slices.Contains(clusters, cluster) {
			clusters = append(clusters, cluster)
		}
	}
	slices.Sort(clusters)
	return clusters
}

// await finds out the reason why an instance has to wait for the clusters that it stays on or comes to, before it leaves
// others. Of those that do not count nobody can say anything; one that joined counts here, because it may take over from the
// cluster that is left.
func (p *Pass) await(s *subject, i *platform.Instance, d *departure) {
	keys, problems := p.view.Prospects.Keys(i)
	if len(problems) > 0 {
		d.why = problems[0].String()
		return
	}
	d.stands = p.remains(s, i, keys)
	counting := 0
	for _, cluster := range p.staying(s.base, i) {
		if !p.view.counts(p.view.Environment, cluster) {
			continue
		}
		counting++
		placed, there := s.base.Clusters[cluster]
		if !there || placed.Release != "" || placed.RenderKey != keys[cluster] && !d.stands {
			d.why = cluster + " does not have it yet"
			return
		}
		said := p.view.observe(p.view.Environment, s.key, cluster, placed)
		if said.Health != Healthy {
			d.why = cluster + " is not healthy: " + said.text()
			return
		}
		if soak := p.soakOf(cluster); said.Soaked < soak {
			d.why = fmt.Sprintf("%s soaks, %s of %s", cluster, said.Soaked.Round(time.Second), soak)
			d.at = p.view.Now.in(soak - said.Soaked)
		}
	}
	if counting == 0 {
		d.why = "no cluster that it stays on counts"
	}
}

// remains reports whether an instance stays as it is though the environment puts in something else: a pin freezes it, or the
// bytes that it would get have failed here. Then nothing is on its way that its last clusters would have to wait for.
func (p *Pass) remains(s *subject, i *platform.Instance, keys map[string]string) bool {
	if !runs(s.base) || s.base.Digest != i.Release {
		return false
	}
	if p.frozen(s.key, s.base) != nil {
		return true
	}
	moving := map[string]string{}
	for cluster, key := range keys {
		if has, there := s.base.Clusters[cluster]; there && has.RenderKey != key {
			moving[cluster] = key
		}
	}
	return rejected(s.base, moving, p.approvalsOf(s, s.base)) != nil
}

// soakOf is for how long the wave of a cluster soaks.
func (p *Pass) soakOf(cluster string) time.Duration {
	if i := p.view.waveOf(cluster); i >= 0 {
		return waves(p.view.Environment)[i].Soak
	}
	return 0
}

// hurry notes which of the clusters are to be left at once, if a person approves that.
func (p *Pass) hurry(s *subject, leaving []string) {
	for _, cluster := range leaving {
		if c := p.view.Platform.Clusters[cluster]; !c.Now || c.State != platform.ClusterDraining {
			continue
		}
		if p.lazy.urgentOf == nil {
			p.lazy.urgentOf = map[platform.RequestKey]*subject{}
		}
		p.lazy.urgentOf[s.key] = s
		p.lazy.urgent = append(p.lazy.urgent, platform.DeletedPlacement{Cluster: cluster, Team: s.key.Team, Request: s.key.Name})
	}
}

// approveUrgent lets those go that a person let go at once, and sets otherwise the digest that there is to approve.
func (p *Pass) approveUrgent() {
	if len(p.lazy.urgent) == 0 {
		return
	}
	digest := platform.DeletionsDigest(p.view.Environment.Name, p.lazy.urgent)
	approval := p.decisions.ofDeletions(digest)
	for _, gone := range p.lazy.urgent {
		k := platform.RequestKey{Team: gone.Team, Name: gone.Request}
		s, d := p.lazy.urgentOf[k], p.departures[k]
		if slices.Contains(d.due, gone.Cluster) {
			continue
		}
		if approval != nil {
			p.admitDeletion(k)
		} else if !slices.Contains(s.base.Promotion.Admitted, deletionsAdmitted) {
			d.digest, p.Deletions = digest, digest
			continue
		}
		d.due = append(d.due, gone.Cluster)
		slices.Sort(d.due)
		p.deleting(s, []string{gone.Cluster})
		p.lazy.deletions.admitted[k] = true
	}
}

// mayGo returns the clusters that may lose their bytes now, and adds the gate that the others wait for.
func (p *Pass) mayGo(c *change) []string {
	d := p.departures[c.key]
	if d == nil || len(c.gone) == 0 {
		return nil
	}
	due := intersect(c.gone, d.due)
	first := func(cluster string) bool { return p.view.counts(p.view.Environment, cluster) }
	if d.well && !d.stands && slices.ContainsFunc(slices.Concat(c.joining, c.moving), first) {
		due = nil // rendering knows of more to do first than could be seen before
	}
	if last := without(c.gone, due); len(last) > 0 {
		p.wait(c.key, d.gate(last))
	}
	if p.deletionsWait != nil && !p.lazy.deletions.admitted[c.key] {
		if len(due) > 0 {
			p.wait(c.key, *p.deletionsWait)
		}
		return nil
	}
	return slices.DeleteFunc(due, func(cluster string) bool {
		held := p.holdOf(cluster, c.Next)
		if held != nil {
			p.wait(c.key, *held)
		}
		return held != nil
	})
}

// urgent reports whether a person approved that an instance leaves exactly these clusters at once.
func (p *Pass) urgent(c *change) bool {
	return slices.Contains(c.Base.Promotion.Admitted, deletionsAdmitted) && !slices.ContainsFunc(c.gone, func(cluster string) bool {
		at := p.view.Platform.Clusters[cluster]
		return at == nil || !at.Now || at.State != platform.ClusterDraining
	})
}

// gate is the gate that the clusters wait for that an instance leaves.
func (d *departure) gate(last []string) Gate {
	g := Gate{
		Name: "leave", Reason: "leaves " + strings.Join(last, ", ") + " last, after all others",
		Opens: "their health, or an Override that skips leave", At: d.at,
	}
	if d.why != "" {
		g.Reason += ": " + d.why
	}
	if d.digest != "" {
		g.Opens = fmt.Sprintf("their health, or an Approval of {deletions: %s}, because the cluster is to be left now", d.digest)
	}
	return g
}

// last are the approved steps that a record remembers when a rollout is over: those of the clusters that the instance has
// yet to leave.
func last(r *platform.Release) (admitted []string) {
	for _, placed := range r.Clusters {
		if m := mark(platform.PlanStep{Before: placed.RenderKey}); slices.Contains(r.Promotion.Admitted, m) {
			admitted = append(admitted, m)
		}
	}
	slices.Sort(admitted)
	return admitted
}

// dropped is a record without the approved steps of the clusters that are left now.
func dropped(to, base *platform.Release, leaving []string) *platform.Release {
	for _, cluster := range leaving {
		to.Promotion.Admitted = without(to.Promotion.Admitted, []string{mark(platform.PlanStep{Before: base.Clusters[cluster].RenderKey})})
	}
	return to
}
