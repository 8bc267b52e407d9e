package status

import (
	"fmt"
	"slices"
	"strings"

	"transom.dev/render/event"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// Placed takes a cluster's report about a placement. A report about another revision than the one that the state asks for is
// old news and changes nothing.
func (b *Board) Placed(environment string, request platform.RequestKey, p Placement) {
	b.mu.Lock()
	defer b.mu.Unlock()
	key := instanceKey{environment, request}
	in := b.instances[key]
	if in == nil {
		return
	}
	old := in.placements[p.Cluster]
	if old == nil || old.Revision != p.Revision {
		return
	}
	p.share(in)
	p.succeed(old, b.refused[membership{environment, p.Cluster}], b.now())
	like := Event{Environment: environment, Cluster: p.Cluster, Request: &key.request, Found: !old.reported}
	if old.Stage != p.Stage || old.Health != p.Health || old.Message != p.Message {
		said := like
		said.Level, said.Message = alarm(old.ill(), p.ill()), describe(p)
		switch {
		case p.ill() && !old.ill():
			said.Kind = p.told(in.Rollout)
		case p.endAlarm():
			said.Kind = event.Recovered
		}
		b.record(said)
	}
	b.recordDrift(like, old.Drift, p.Drift)
	for _, e := range []*Event{setByHand(like, old.Added, p.Added), hangs(like, old.Leaving, p.Leaving)} {
		if e != nil {
			b.record(*e)
		}
	}
	in.placements[p.Cluster] = &p
	in.changed()
	b.recordLive(in)
	b.notify()
}

// told is the kind of event that it is when a placement becomes ill; empty: people are not told. Within a rollout they are told of the
// rollout's end.
func (p *Placement) told(rollout *Rollout) event.Kind {
	switch {
	case p.Adoption != nil:
		return event.Approval
	case len(p.Problems) > 0:
		return event.Problem
	case rollout != nil:
		return ""
	default:
		return event.Failed
	}
}

// recordDrift records that others began to change objects which are not touched, or that none differs any more; the caller holds the
// lock.
func (b *Board) recordDrift(like Event, before, after []ObjectProblem) {
	like.Level = Warning
	switch {
	case len(before) == 0 && len(after) > 0:
		like.Kind = event.Drift
		like.Message = fmt.Sprintf("others changed %s: %s", after[0].Object, after[0].Message)
		if n := len(after) - 1; n > 0 {
			like.Message += fmt.Sprintf("; and %d more objects", n)
		}
	case len(before) > 0 && len(after) == 0:
		like.Kind, like.Message = event.Recovered, "no object differs from its state any more"
	default:
		return
	}
	b.record(like)
}

// setByHand is the event that fields were set by hand, or that none is there any more; nil: there is no news.
func setByHand(like Event, before, after []Added) *Event {
	i := slices.IndexFunc(after, func(a Added) bool { return !slices.Contains(before, a) })
	switch {
	case i >= 0:
		like.Level, like.Kind = Warning, event.Drift
		like.Message = fmt.Sprintf("set by hand: %s %s by %s", after[i].Object, after[i].Field, after[i].Manager)
		if after[i].Agent {
			like.Message = after[i].Object + ": " + after[i].Told()
		}
		if n := len(after) - 1; n > 0 {
			like.Message += fmt.Sprintf("; and %d more fields", n)
		}
	case len(before) > 0 && len(after) == 0:
		like.Message = "nothing is set by hand beside its manifests any more"
	default:
		return nil
	}
	return &like
}

// hangs is the event that a leftover began to hang while it is being deleted; nil: there is no news.
func hangs(like Event, before, after []ObjectProblem) *Event {
	if len(before) > 0 || len(after) == 0 {
		return nil
	}
	like.Level, like.Message = Warning, after[0].Object+": "+after[0].Message
	return &like
}

// Corrected records that an object was made again as its manifest says, because somebody else had changed or deleted it.
func (b *Board) Corrected(environment string, request platform.RequestKey, cluster, what string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.record(Event{Level: Warning, Kind: event.Drift, Environment: environment, Cluster: cluster, Request: &request, Message: what})
}

// Removed says that a cluster has no object of an instance any more, but for adopted ones that were let go. These are
// shown for as long as the state records the removal.
func (b *Board) Removed(environment string, request platform.RequestKey, cluster string, letGo ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	key := instanceKey{environment, request}
	in := b.instances[key]
	if in == nil || in.placements[cluster] == nil || in.placements[cluster].Revision != "" {
		return
	}
	if len(letGo) > 0 {
		b.keepLetGo(key, in, cluster, letGo)
		return
	}
	delete(in.placements, cluster)
	in.changed()
	b.record(Event{Environment: environment, Cluster: cluster, Request: &key.request, Message: "removed"})
	if in.Absent && len(in.placements) == 0 {
		delete(b.instances, key)
	}
}

// keepLetGo keeps a placement that has no objects but those that are nobody's now; the caller holds the lock.
func (b *Board) keepLetGo(key instanceKey, in *instance, cluster string, objects []string) {
	old := in.placements[cluster]
	if slices.Equal(old.LetGo, objects) {
		return
	}
	message := "removed; what it had adopted is let go and stays: " + strings.Join(objects, ", ")
	in.placements[cluster] = &Placement{Cluster: cluster, Stage: Healthy, Health: state.Healthy, Message: message, LetGo: objects}
	in.changed()
	b.record(Event{Environment: key.environment, Cluster: cluster, Request: &key.request, Message: message})
}

// forgetLetGo drops the placements of a removal that has ended.
func (in *instance) forgetLetGo() {
	for cluster, p := range in.placements {
		if p.Revision == "" && len(p.LetGo) > 0 {
			delete(in.placements, cluster)
			in.changed()
		}
	}
}

// Lost says that a placement could not be looked at, and why. Its stage stays; its health is no longer known.
func (b *Board) Lost(environment string, request platform.RequestKey, cluster, why string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	key := instanceKey{environment, request}
	in := b.instances[key]
	if in == nil || in.placements[cluster] == nil {
		return
	}
	if p := in.placements[cluster]; p.Health == state.Unknown && p.Message == why {
		return
	}
	p := in.edit(cluster)
	p.lose(why)
	var level Level
	if b.clusters[cluster].Reachable {
		level = Error
	}
	b.record(Event{Level: level, Environment: environment, Cluster: cluster, Request: &key.request, Message: describe(*p)})
}

func describe(p Placement) string {
	text := fmt.Sprintf("%s, %s", p.Stage, p.Health)
	if p.Stage == Healthy {
		text = string(p.Health)
	}
	if p.Message != "" {
		text += ": " + p.Message
	}
	return text
}
