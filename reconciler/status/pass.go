package status

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"transom.dev/render/platform"
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
	b.pass(e, instances)
	for key, in := range b.instances {
		if key.environment == e.Name && !listed[key.request] {
			b.retire(key, in)
		}
	}
	b.changed()
}

// Updated is Reconciled with the instances that a pass changed alone: the others stay as they are. One that the state
// names no more is given as Absent, without placements.
func (b *Board) Updated(e Environment, instances []Instance) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pass(e, instances)
	b.changed()
}

// pass takes the result of a pass; the caller holds the lock.
func (b *Board) pass(e Environment, instances []Instance) {
	old := b.environments[e.Name]
	if old == nil || old.StateCommit != e.StateCommit || old.Frozen != e.Frozen {
		b.record(Event{Level: alarm(old != nil && old.Frozen != "", e.Frozen != ""), Environment: e.Name, Message: cmp.Or(e.Frozen, committed(e))})
	}
	b.environments[e.Name] = &e
	if old == nil {
		old = &Environment{}
	}
	if e.Next.Sub(old.Next).Abs() < time.Second {
		e.Next = old.Next // it is counted from the clock anew in each pass, and is the same time
	}
	b.succeeded(old, e.Name)
	b.problems(e.Name, old.Problems, e.Problems)
	b.letGoClusters(e.Name, old.Clusters)
	watched := old.StateCommit != ""
	for i := range instances {
		b.reconciled(e, instances[i], watched)
	}
}

// Problems says which Problems there are, of the platform and of rendering for an environment, where a pass came no further:
// a mended Problem is not shown any longer although the state cannot be written.
func (b *Board) Problems(environment string, all, rendering []platform.Problem) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.environment(environment)
	b.problems(environment, e.Problems, rendering)
	e.Problems = rendering
	there := map[string]bool{}
	for _, p := range all {
		there[p.String()] = true
	}
	for key, in := range b.instances {
		if key.environment == environment {
			in.Problems = slices.DeleteFunc(slices.Clone(in.Problems), func(p platform.Problem) bool { return !there[p.String()] })
		}
	}
	b.changed()
}

// committed is the event of a state commit.
func committed(e Environment) string {
	if e.Did == "" {
		return "committed state " + short(e.StateCommit)
	}
	return short(e.StateCommit) + ": " + e.Did
}

// reconciled takes one instance of a pass; watched says that the changes of it happened now. The caller holds the lock.
func (b *Board) reconciled(e Environment, in Instance, watched bool) {
	key := instanceKey{e.Name, in.Request}
	old := b.instances[key]
	if old == nil {
		old = &instance{placements: map[string]*Placement{}}
		b.instances[key] = old
	}
	want := in.Placements
	in.Placements = nil
	if in.Release == "" && in.Candidate != nil {
		in.Absent = false // it is not gone but has not come yet
	}
	b.since(&old.Instance, &in, watched)
	if watched {
		b.moved(key, old, &in)
	}
	old.Instance = in
	b.ask(key, old, want, watched)
	if in.Release == "" {
		old.forgetLetGo()
	}
	if in.Absent && len(old.placements) == 0 && len(in.Problems) == 0 {
		delete(b.instances, key)
	}
	b.live(old)
}

// ask notes the placements that the state asks of an instance's clusters.
func (b *Board) ask(key instanceKey, in *instance, want []Placement, watched bool) {
	asked := map[string]bool{}
	for _, p := range want {
		asked[p.Cluster] = true
		known := in.placements[p.Cluster]
		if known != nil && known.Revision == p.Revision {
			known.StateCommit = cmp.Or(p.StateCommit, known.StateCommit)
			known.Release, known.Version = p.Release, p.Version
			continue
		}
		if p.CommittedAt.IsZero() && watched {
			p.CommittedAt = b.now()
		}
		in.placements[p.Cluster] = &p
		b.record(Event{
			Environment: key.environment, Cluster: p.Cluster, Request: &key.request,
			Message: "committed revision " + short(p.Revision),
		})
	}
	for cluster, p := range in.placements {
		switch {
		case asked[cluster]:
		case !b.member(key.environment, cluster):
			delete(in.placements, cluster) // it was let go: nobody looks there, and nothing goes there
		default:
			leave(p)
		}
	}
}

// moved records the changes between two passes; the caller holds the lock.
func (b *Board) moved(key instanceKey, old *instance, in *Instance) {
	tell := func(level Level, kind MilestoneKind, detail, message string) {
		b.milestone(Milestone{Kind: kind, Environment: key.environment, Detail: detail})
		b.record(Event{Level: level, Environment: key.environment, Request: &key.request, Message: message})
	}
	b.opened(key, old.Waiting, in.Waiting)
	if old.Release != in.Release || in.Rollout != nil && (old.Rollout == nil || !old.Rollout.Entered.Equal(in.Rollout.Entered)) {
		cause := "release"
		if in.Rollout != nil {
			cause = in.Rollout.Cause
		}
		if old.Release != in.Release && cause != "rollback" && cause != "pin" {
			old.entered = in.Release // a release that comes again was merged long ago
		}
		level := alarm(cause == "rollback", false)
		tell(level, Entered, cause, strings.TrimSpace(fmt.Sprintf("took release %s %s", short(in.Release), entrance(in, cause))))
		if len(in.PromotedFrom) > 0 && old.Release != in.Release && cause != "rollback" {
			b.milestone(Milestone{Kind: Promoted, Environment: key.environment, Detail: strings.Join(in.PromotedFrom, ", ")})
		}
	}
	if why := stopped(&old.Instance, in); why != "" {
		tell(Error, Stopped, "", why)
	}
}

// entrance says how a release came to an environment.
func entrance(in *Instance, cause string) string {
	switch {
	case cause == "rollback":
		return "back"
	case len(in.PromotedFrom) > 0:
		return "from " + strings.Join(in.PromotedFrom, ", ")
	default:
		return ""
	}
}

// stopped says which failure is new since the last pass; empty: none.
func stopped(old, in *Instance) string {
	if in.Rollout != nil && in.Rollout.Stopped != "" && (old.Rollout == nil || old.Rollout.Stopped != in.Rollout.Stopped) {
		return "stopped: " + in.Rollout.Stopped
	}
	for _, f := range in.Rejected {
		known := func(o Failure) bool { return o.Release == f.Release && o.Cluster == f.Cluster && o.At.Equal(f.At) }
		if !slices.ContainsFunc(old.Rejected, known) {
			return "rejected: " + f.String()
		}
	}
	return ""
}

// String says where a failure was and how it showed. A message that names the object names its cluster, too: a release that
// failed on one is rejected on all.
func (f Failure) String() string {
	text := f.Message
	if f.Object != "" && strings.Contains(text, f.Object) {
		return text
	}
	if f.Object != "" {
		text = f.Object + ": " + text
	}
	if f.Cluster != "" {
		text = f.Cluster + ": " + text
	}
	return text
}

// opened tells which gates closed for an instance between two passes, and which opened.
func (b *Board) opened(key instanceKey, before, after []Gate) {
	waits := func(list []Gate, name string) bool {
		return slices.ContainsFunc(list, func(g Gate) bool { return g.Name == name })
	}
	for _, g := range before {
		if !waits(after, g.Name) {
			m := Milestone{Kind: Opened, Environment: key.environment, Detail: g.Name}
			if !g.Since.IsZero() {
				m.Took = max(b.now().Sub(g.Since), 0)
			}
			b.milestone(m)
		}
	}
	for _, g := range after {
		if !waits(before, g.Name) {
			b.record(Event{Environment: key.environment, Request: &key.request, Message: "waits: " + g.Name + ": " + g.Reason})
		}
	}
}

// live records once that the release which entered an instance while the Board watched is healthy wherever it belongs.
func (b *Board) live(in *instance) {
	if in.entered == "" || in.entered != in.Release || in.Rollout != nil && len(in.Rollout.Pending) > 0 {
		return
	}
	for _, p := range in.placements {
		if p.Stage != Healthy || p.Health != "Healthy" {
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
	in.Absent, in.Problems = true, nil
	in.forgetLetGo()
	for _, p := range in.placements {
		leave(p)
	}
	if len(in.placements) == 0 {
		delete(b.instances, key)
	}
}

// leave marks a placement that its cluster is still to prune.
func leave(p *Placement) {
	if p.Revision != "" {
		*p = Placement{Cluster: p.Cluster, Stage: Committed, Health: "Progressing", Message: "being removed", Objects: p.Objects}
	}
}
