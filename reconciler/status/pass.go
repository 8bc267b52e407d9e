package status

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"transom.dev/render/event"
	"transom.dev/render/gate"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// Reconciled takes the result of a pass over an environment: the environment, and every instance with the placements that
// its state asks for. Placements whose revision is the one that was known keep their health.
func (b *Board) Reconciled(e Environment, instances []Instance) {
	b.mu.Lock()
	defer b.mu.Unlock()
	listed := make(map[platform.RequestKey]bool, len(instances))
	for i := range instances {
		listed[instances[i].Request] = true
	}
	b.takePass(e, instances)
	for key, in := range b.instances {
		if key.environment == e.Name && !listed[key.request] {
			b.retire(key, in)
		}
	}
	b.notify()
}

// Updated is Reconciled with the instances that a pass changed alone: the others stay as they are. One that the state
// names no more is given as Absent, without placements.
func (b *Board) Updated(e Environment, instances []Instance) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.takePass(e, instances)
	b.notify()
}

// takePass takes the result of a pass; the caller holds the lock.
func (b *Board) takePass(e Environment, instances []Instance) {
	old := b.environments[e.Name]
	if old == nil || old.StateCommit != e.StateCommit || old.Frozen != e.Frozen {
		b.record(passed(old, e))
	}
	b.environments[e.Name] = &e
	if old == nil {
		old = &Environment{}
	}
	e.keepNext(old.Next)
	if e.Error == "" { // else the pass was over the platform of before
		b.succeeded(old, e.Name)
	}
	watched := old.StateCommit != ""
	b.recordProblems(e.Name, old.Problems, e.Problems, !watched)
	b.dropClusters(e.Name, old.Clusters)
	for i := range instances {
		b.takeInstance(e, instances[i], watched)
	}
}

// Problems says which Problems there are, of the platform and of rendering for an environment, where a pass came no further:
// a mended Problem is not shown any longer although the state cannot be written.
func (b *Board) Problems(environment string, all, rendering []platform.Problem) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.environments.named(environment)
	b.recordProblems(environment, e.Problems, rendering, e.StateCommit == "")
	e.setProblems(rendering)
	there := map[string]bool{}
	for _, p := range all {
		there[p.String()] = true
	}
	for key, in := range b.instances {
		if key.environment == environment {
			in.keepProblems(there)
		}
	}
	b.notify()
}

// passed is the event of a pass after which an environment has another state, or is frozen and was not.
func passed(old *Environment, e Environment) Event {
	was := old != nil && old.Frozen != ""
	said := Event{Level: alarm(was, e.Frozen != ""), Environment: e.Name, Message: cmp.Or(e.Frozen, committed(e))}
	switch {
	case e.Frozen != "":
		said.Kind, said.Found = event.Problem, old == nil || old.StateCommit == ""
	case was:
		said.Kind = event.Recovered
	}
	return said
}

// committed is the text of a state commit.
func committed(e Environment) string {
	if e.Did == "" {
		return "committed state " + short(e.StateCommit)
	}
	return short(e.StateCommit) + ": " + e.Did
}

// takeInstance takes one instance of a pass; watched says that its changes happened now. The caller holds the lock.
func (b *Board) takeInstance(e Environment, in Instance, watched bool) {
	key := instanceKey{e.Name, in.Request}
	old := b.instances[key]
	if old == nil {
		old = &instance{placements: map[string]*Placement{}}
		b.instances[key] = old
	}
	want := in.detachPlacements()
	setSince(&old.Instance, &in, watched, b.now())
	if watched {
		b.recordMoves(key, old, &in)
	}
	old.Instance = in
	b.takePlacements(key, old, want, watched)
	if in.Release == "" {
		old.forgetLetGo()
	}
	if in.Absent && len(old.placements) == 0 && len(in.Problems) == 0 {
		delete(b.instances, key)
	}
	b.recordLive(old)
}

// takePlacements takes the placements that the state asks of an instance's clusters; the caller holds the lock.
func (b *Board) takePlacements(key instanceKey, in *instance, want []Placement, watched bool) {
	in.changed()
	asked := map[string]bool{}
	for _, p := range want {
		asked[p.Cluster] = true
		known := in.placements[p.Cluster]
		if known != nil && known.Revision == p.Revision {
			in.edit(p.Cluster).restate(p)
			continue
		}
		p.commit(known, watched, b.now())
		in.placements[p.Cluster] = &p
		b.record(Event{
			Environment: key.environment, Cluster: p.Cluster, Request: &key.request,
			Message: "committed revision " + short(p.Revision),
		})
	}
	for cluster := range in.placements {
		switch {
		case asked[cluster]:
		case !b.environments.has(key.environment, cluster):
			delete(in.placements, cluster) // it was let go: nobody looks there, and nothing goes there
		default:
			in.edit(cluster).remove()
		}
	}
}

// recordMoves records the changes of an instance between two passes; the caller holds the lock.
func (b *Board) recordMoves(key instanceKey, old *instance, in *Instance) {
	record := func(level Level, told event.Kind, kind MilestoneKind, detail, message string) {
		b.milestone(Milestone{Kind: kind, Environment: key.environment, Detail: detail})
		b.record(Event{Level: level, Kind: told, Environment: key.environment, Request: &key.request, Message: message})
	}
	b.recordGates(key, old.Waiting, in)
	if old.Release != in.Release || in.Rollout.begunSince(old.Rollout) {
		cause := state.CauseRelease
		if in.Rollout != nil {
			cause = in.Rollout.Cause
		}
		if old.Release != in.Release && cause != state.CauseRollback && cause != state.CausePin {
			old.entered = in.Release // a release that comes again was merged long ago
		}
		level, promoted := alarm(cause == state.CauseRollback, false), len(in.PromotedFrom) > 0 && old.Release != in.Release
		var told event.Kind
		switch {
		case cause == state.CauseRollback:
			told = event.RolledBack
		case promoted:
			told = event.Promoted
		}
		record(level, told, Entered, string(cause), strings.TrimSpace(fmt.Sprintf("took release %s %s", short(in.Release), entrance(in, cause))))
		if told == event.Promoted {
			b.milestone(Milestone{Kind: Promoted, Environment: key.environment, Detail: strings.Join(in.PromotedFrom, ", ")})
		}
	}
	if why := stopped(&old.Instance, in); why != "" {
		record(Error, event.Failed, Stopped, "", why)
	}
}

// entrance says how a release came to an environment.
func entrance(in *Instance, cause state.Cause) string {
	switch {
	case cause == state.CauseRollback:
		return "back"
	case len(in.PromotedFrom) > 0:
		return "from " + strings.Join(in.PromotedFrom, ", ")
	default:
		return ""
	}
}

// recordGates records which gates closed for an instance between two passes, and which opened; the caller holds the lock.
func (b *Board) recordGates(key instanceKey, before []Gate, in *Instance) {
	after := in.Waiting
	waits := func(list []Gate, name gate.Name) bool {
		return slices.ContainsFunc(list, func(g Gate) bool { return g.Name == name })
	}
	for _, g := range before {
		if !waits(after, g.Name) {
			m := Milestone{Kind: Opened, Environment: key.environment, Detail: string(g.Name)}
			if !g.Since.IsZero() {
				m.Took = max(b.now().Sub(g.Since), 0)
			}
			b.milestone(m)
		}
	}
	for _, g := range after {
		if !waits(before, g.Name) {
			b.record(Event{
				Kind: g.told(), Environment: key.environment, Request: &key.request, About: underway(in),
				Message: "waits: " + string(g.Name) + ": " + g.Reason,
			})
		}
	}
}

// dropClusters drops the records of clusters that an environment had and has no more; the caller holds the lock.
func (b *Board) dropClusters(environment string, before []Cluster) {
	for _, c := range before {
		if b.environments.has(environment, c.Name) {
			continue
		}
		b.record(Event{Environment: environment, Cluster: c.Name, Message: "let go: the environment has no such cluster any more"})
		delete(b.refused, membership{environment, c.Name})
		for key, in := range b.instances {
			if key.environment != environment {
				continue
			}
			delete(in.placements, c.Name)
			in.changed()
			if in.Absent && len(in.placements) == 0 && len(in.Problems) == 0 {
				delete(b.instances, key)
			}
		}
		if !b.environments.anyHas(c.Name) {
			delete(b.clusters, c.Name)
		}
	}
}

// recordLive records once that the release which entered an instance while the Board watched is healthy wherever it belongs.
func (b *Board) recordLive(in *instance) {
	if in.entered == "" || in.entered != in.Release || in.Rollout.pending() {
		return
	}
	for _, p := range in.placements {
		if !p.IsHealthy() {
			return
		}
	}
	in.entered = ""
	if !in.MergedAt.IsZero() && len(in.placements) > 0 {
		b.milestone(Milestone{Kind: Live, Environment: in.Environment, Took: max(b.now().Sub(in.MergedAt), 0)})
	}
}

func (b *Board) milestone(m Milestone) {
	if b.Milestones != nil {
		b.Milestones(m)
	}
}

// retire keeps an instance that its state no longer names until its placements are gone.
func (b *Board) retire(key instanceKey, in *instance) {
	in.leave()
	in.forgetLetGo()
	for cluster := range in.placements {
		in.edit(cluster).remove()
	}
	if len(in.placements) == 0 {
		delete(b.instances, key)
	}
}
