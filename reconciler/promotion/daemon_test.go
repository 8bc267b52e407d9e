package promotion_test

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"transom.dev/reconciler/promotion"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

func (w *world) wall() time.Time { return began.Add(w.clock + w.skew) }

func (w *world) now() promotion.Clock {
	return promotion.Clock{Wall: w.wall(), Steady: w.bootAt.Add(w.clock - w.booted)}
}

// restart forgets all that a daemon has in memory.
func (w *world) restart() {
	w.note("the daemon restarts")
	w.booted, w.bootAt = w.clock, w.wall()
	w.parties.restart(w.clock)
	for _, s := range w.stages {
		for _, on := range s.live {
			on.forget()
		}
		s.tried, s.memory = nil, promotion.Memory{}
	}
}

// view is all that the daemon knows of an environment.
func (w *world) view(environment string) *promotion.View {
	s := w.stages[environment]
	elsewhere := make(map[string]state.Records, len(w.stages))
	for name, other := range w.stages {
		if name != environment {
			elsewhere[name] = state.RecordsOf(other.releases)
		}
	}
	w.platform.Graph = platform.NewGraph(w.platform.Environments)
	return &promotion.View{
		Platform: w.platform, Environment: w.platform.Environments[environment], Head: platform.NewInstanceSet(w.asked(environment)),
		Lookup: lookup{w, environment}, State: s.id(), Releases: state.RecordsOf(s.releases), Elsewhere: elsewhere,
		Observe: w.observe, Now: w.now(),
		Failures: func(k platform.RequestKey) int { return s.tried[k] },
		Check:    w.answer(environment),
		Told:     w.tellers(s),
	}
}

func (s *stage) id() string { return fmt.Sprintf("%s-%d", s.name, s.commit) }

// pass is one of the daemon over an environment. Where the race is lost nothing of it is committed.
func (w *world) pass(environment string, raced bool) bool {
	s := w.stages[environment]
	if w.judge != nil {
		w.judge.watch()
	}
	view := w.view(environment)
	view.Memory = &s.memory
	p := &pass{Choice: view.Choose()}
	proposals := w.render(s, p.Choice)
	p.admission = p.Admit(proposals)
	w.compareWithoutMemory(view, p, proposals)
	w.forgetTrials(environment)
	records := p.admission.Records
	s.last = p
	for _, k := range p.admission.Unrendered {
		if s.tries++; s.tried == nil {
			s.tried = map[platform.RequestKey]int{}
		}
		s.tried[k] = s.tries
	}
	if w.judge != nil {
		w.judge.deletes(s, p)
	}
	if raced {
		w.note("%s loses a race", environment)
		return false
	}
	return w.commit(s, p, proposals, records)
}

// compareWithoutMemory checks a pass against the same one without a memory, which looks at every request.
func (w *world) compareWithoutMemory(v *promotion.View, p *pass, proposals []state.Proposal) {
	if w.judge == nil {
		return
	}
	without := *v
	without.Memory = nil
	whole := without.Choose()
	admission := whole.Admit(proposals)
	w.judge.same("instances", p.Instances.List(), whole.Instances.List())
	w.judge.same("kept requests", p.Keep, whole.Keep)
	w.judge.same("records", p.Records, whole.Records)
	w.judge.same("restorations", p.Restore, whole.Restore)
	w.judge.same("forgotten tombstones", p.Forget, whole.Forget)
	w.judge.same("deletions", p.Deletions, whole.Deletions)
	w.judge.same("admitted records", p.admission.Records, admission.Records)
	w.judge.same("standings", p.admission.Standings, admission.Standings)
	w.judge.same("next pass", p.admission.Next, admission.Next)
	w.judge.same("plan", p.admission.Plan, admission.Plan)
	w.judge.same("unrendered requests", p.admission.Unrendered, admission.Unrendered)
}

// same breaks R100 where a pass comes to other results with a memory than without.
func (o *oracle) same(what string, with, without any) {
	if !reflect.DeepEqual(with, without) {
		o.breaks("R100: %s are %v with a memory, and %v without", what, with, without)
	}
}

// render makes the proposals of the instances of a pass.
func (w *world) render(s *stage, p *promotion.Choice) (list []state.Proposal) {
	has := make(map[platform.RequestKey]bool, p.Instances.Len())
	w.claims.chosen = p.Records
	defer func() { w.claims.chosen = nil }()
	for i := range p.Instances.All() {
		k := i.Request.Key
		has[k] = true
		base := p.Records[k]
		if base == nil {
			base = s.releases[k]
		}
		base = w.letGo(base)
		made := w.make(i)
		next := keeping(anew(joining(made.record, base), base), base)
		if w.wrong[k.Name] && next.Version != "1.0.0" || len(made.waits) > 0 {
			continue
		}
		if base == nil || base.Absent || base.Digest != next.Digest || !sameKeys(base, next) {
			list = append(list, state.Proposal{Base: base, Next: next, Instance: i})
		}
	}
	for _, k := range slices.SortedFunc(maps.Keys(s.releases), platform.RequestKey.Compare) {
		if _, restored := p.Restore[k]; has[k] || p.Keep[k] || restored || slices.Contains(p.Forget, k) {
			continue
		}
		base := p.Records[k]
		if base == nil {
			base = s.releases[k]
		}
		if base = w.letGo(base); base.Absent {
			continue
		}
		list = append(list, state.Proposal{Base: base, Next: &state.Release{
			Key: k, Digest: "gone:" + base.Digest, Absent: true, Offering: base.Offering, Version: base.Version, VersionDigest: base.VersionDigest,
			Commit: w.platform.Commit, Deletion: base.Deletion,
		}})
	}
	return list
}

// joining is a record that knows, as its base does, which clusters joined.
func joining(next, base *state.Release) *state.Release {
	if base == nil || base.Absent {
		return next
	}
	for c, placed := range next.Clusters {
		if base.Clusters[c].Joining {
			known := *next
			known.Clusters = maps.Clone(next.Clusters)
			placed.Joining = true
			known.Clusters[c] = placed
			next = &known
		}
	}
	return next
}

// anew is a record that says, as rendering does, of which bytes its version is not the first to bring them.
func anew(next, base *state.Release) *state.Release {
	if base == nil || base.Absent {
		return next
	}
	known := *next
	known.Clusters = maps.Clone(next.Clusters)
	for c, placed := range known.Clusters {
		before := base.Clusters[c]
		if before.Revision != placed.Revision {
			continue
		}
		if placed.Anew = before.Anew; cmp.Or(before.Version, base.Version) != next.Version {
			placed.Anew = next.Version
		}
		known.Clusters[c] = placed
	}
	if maps.Equal(known.Clusters, next.Clusters) {
		return next
	}
	return &known
}

func sameKeys(a, b *state.Release) bool {
	return maps.EqualFunc(a.Clusters, b.Clusters, func(x, y state.Placement) bool {
		return x.RenderKey == y.RenderKey && x.ValueKey == y.ValueKey && x.UrgentKey == y.UrgentKey
	})
}

// commit makes a state of the decisions of a pass, and has it applied.
func (w *world) commit(s *stage, p *pass, proposals []state.Proposal, records []*state.Release) bool {
	if len(p.Records)+len(p.Restore)+len(p.Forget)+len(proposals)+len(w.away) == 0 {
		return false
	}
	next := maps.Clone(s.releases)
	maps.Copy(next, p.Records)
	for i, proposal := range proposals {
		if records[i] != proposal.Base || records[i] != nil && p.Records[records[i].Key] != nil {
			next[records[i].Key] = records[i]
		}
	}
	for k, r := range p.Restore {
		next[k] = r.Release
	}
	for _, k := range p.Forget {
		delete(next, k)
	}
	if len(w.away) > 0 {
		for k, r := range next {
			next[k] = w.letGo(r)
		}
	}
	if len(s.releases) == len(next) && !slices.ContainsFunc(slices.Collect(maps.Keys(next)), func(k platform.RequestKey) bool {
		return s.releases[k] != next[k] && !reflect.DeepEqual(s.releases[k], next[k])
	}) {
		return false
	}
	s.history[s.id()] = s.releases
	s.releases = next
	s.commit++
	if w.trace != nil {
		w.tell(s)
	}
	if w.judge != nil {
		w.judge.committed(s, p)
	}
	return true
}

// tell writes the commit of an environment into the trace.
func (w *world) tell(s *stage) {
	before := s.history[fmt.Sprintf("%s-%d", s.name, s.commit-1)]
	for _, k := range slices.SortedFunc(maps.Keys(s.releases), platform.RequestKey.Compare) {
		if r := s.releases[k]; !reflect.DeepEqual(before[k], r) {
			w.note("  %s commits %s", s.id(), tellRelease(r))
		}
	}
}

func tellRelease(r *state.Release) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s @%s", r.Digest, r.Commit)
	for _, c := range slices.Sorted(maps.Keys(r.Clusters)) {
		fmt.Fprintf(&b, " %s=[%s]", c, r.Clusters[c].RenderKey)
		if r.Clusters[c].Release != "" {
			b.WriteString("(before)")
		}
		if r.Clusters[c].Joining {
			b.WriteString("(joining)")
		}
	}
	if o := r.Promotion.Rollout; o != nil {
		fmt.Fprintf(&b, " rollout{%s %s moved %v pending %v %s}", o.Cause, o.Group, o.Moved, o.Pending, o.Stopped)
	}
	for _, proof := range r.Promotion.Proven {
		fmt.Fprintf(&b, " proven{%s %s}", proof.Digest, proof.Soaked)
	}
	for _, f := range r.Promotion.Rejected {
		fmt.Fprintf(&b, " rejected{%s}", f.RenderKey)
	}
	return b.String()
}

// apply brings reachable clusters to the state.
func (w *world) apply(s *stage) {
	for k, r := range s.releases {
		for cluster, at := range r.Clusters {
			name := k.Name + "@" + cluster
			on := s.live[name]
			if c := w.platform.Clusters[cluster]; w.unwatched(cluster) || c != nil && c.State == platform.ClusterPaused {
				continue
			}
			if on == nil || on.revision != at.Observed() {
				since := w.clock
				if bytes, _, _ := strings.Cut(at.Observed(), "+"); on != nil && strings.HasPrefix(on.revision+"+", bytes+"+") {
					since = on.since // the cluster has nothing to do
				}
				s.live[name] = &placed{key: k, cluster: cluster, revision: at.Observed(), version: cmp.Or(at.Version, r.Version), bound: r.Bindings(s.name), since: since}
			}
		}
	}
	for k, r := range s.releases {
		if !r.Absent || r.Promotion.Rollout == nil {
			continue
		}
		for _, cluster := range r.Promotion.Rollout.Pending {
			if name := k.Name + "@" + cluster; s.live[name] == nil && !w.unwatched(cluster) {
				s.live[name] = &placed{key: k, cluster: cluster, since: w.clock}
			}
		}
	}
	for name, on := range s.live {
		r := s.releases[on.key]
		if w.unwatched(on.cluster) || on.revision == "" {
			continue
		}
		if r != nil {
			if _, stays := r.Clusters[on.cluster]; stays {
				continue
			}
		}
		s.live[name] = &placed{key: on.key, cluster: on.cluster, since: w.clock}
	}
}

// unwatched reports whether a cluster does not answer, or nobody asks it.
func (w *world) unwatched(cluster string) bool { return w.lost[cluster] || w.away[cluster] != nil }

// health is the true health of a placement now.
func (w *world) health(environment string, on *placed) (state.Health, bool) {
	if on.revision == "" {
		return state.Healthy, false
	}
	if w.sick[on.cluster] || w.flapping[on.key.Name+"@"+on.cluster] > w.clock {
		return state.Progressing, false
	}
	if w.superseded(on) {
		return state.Progressing, false
	}
	age := w.clock - on.since
	switch f := w.faultOf(environment, on); {
	case age < startup:
		return state.Progressing, false
	case f == fails || f == gutter && age > startup+time.Minute:
		return state.Failed, false
	case f == hangs:
		return state.Progressing, false
	case f == stuck:
		return state.Progressing, true
	case f == sleeps && !on.woken:
		return state.Suspended, false
	}
	return state.Healthy, false
}

// superseded reports whether nothing but a pod of a revision before keeps a placement from being healthy.
func (w *world) superseded(on *placed) bool {
	name := on.key.Name + "@" + on.cluster
	return on.revision != "" && w.blocked[name] > w.clock && !w.sick[on.cluster] && w.flapping[name] <= w.clock
}

func (w *world) faultOf(environment string, on *placed) fault {
	if len(w.faults) == 0 {
		return ""
	}
	words := strings.Fields(strings.TrimPrefix(on.revision, "r "))
	for _, subject := range append([]string{on.version, words[1], words[2]}, valuesIn(words)...) {
		for _, name := range []string{subject, subject + "@" + environment, subject + "@" + on.cluster} {
			if f := w.faults[name]; f != "" {
				return f
			}
		}
	}
	return ""
}

// run lets time pass: clusters catch up, and the daemon watches those that answer.
func (w *world) run(d time.Duration) {
	for ; d > 0; d -= tick {
		w.clock += tick
		for _, name := range w.order {
			s := w.stages[name]
			w.apply(s)
			for _, on := range s.live {
				w.watch(name, on)
			}
		}
		w.answerTrials()
		w.runJobs()
		if w.judge != nil {
			w.judge.watch()
		}
	}
}

// watch looks at a placement once every tick. Who looks that seldom knows of a change up to a tick late.
func (w *world) watch(environment string, on *placed) {
	if w.away[on.cluster] != nil {
		return
	}
	health, stuck := w.health(environment, on)
	if w.lost[on.cluster] {
		on.said, on.stuck = state.Unknown, false
		on.meter.Observe(on.revision, state.Unknown, w.clock-w.booted, grace)
		on.held.Observe(on.revision, state.Unknown, w.clock-w.booted, 0)
		return
	}
	blind := w.isBlind(on.cluster)
	if blind && !w.holds(on, health) {
		return
	}
	if health == state.Healthy {
		on.well, on.ill = on.well+tick, 0
	} else if health == state.Suspended {
		on.ill = 0
	} else if on.ill += tick; health == state.Failed || on.ill > grace+tick {
		on.well = 0
	}
	w.tryIt(environment, on)
	if !blind {
		w.lookAt(on, health, stuck)
	}
	if soaked, _ := on.meter.Read(on.revision, w.clock-w.booted, grace); soaked >= on.checkpoint+tick || soaked < on.checkpoint {
		on.checkpoint = soaked
	}
}

// observe is the observation of a placement that the daemon was told.
func (w *world) observe(environment string, k platform.RequestKey, cluster string) promotion.Observation {
	on := w.stages[environment].live[k.Name+"@"+cluster]
	if on == nil || w.unwatched(cluster) {
		return promotion.Observation{Health: state.Unknown}
	}
	health, stuck := w.health(environment, on)
	behind := w.superseded(on)
	if w.isBlind(cluster) {
		health, stuck, behind = on.said, on.stuck, on.behind
	}
	if health == "" {
		return promotion.Observation{Health: state.Unknown}
	}
	soaked, ailing := on.meter.Read(on.revision, w.clock-w.booted, grace)
	_, held := on.held.Read(on.revision, w.clock-w.booted, 0)
	said := promotion.Observation{
		Told:     w.told(on),
		Revision: on.revision, Health: health, Stuck: stuck, Soaked: soaked, Ailing: ailing, SupersededFor: held, At: on.lookedAt,
		Object: "Deployment/" + k.Name, Message: "it is " + string(health),
	}
	if behind {
		said.Superseded, said.Message = true, waitsForOld
	}
	return said
}

// waitsForOld is the message of a cluster about a placement that waits for a pod of a revision before.
const waitsForOld = "a pod still has the revision before"

// settle runs passes and time for so long, every environment at every tick.
func (w *world) settle(d time.Duration) {
	for end := w.clock + d; w.clock < end; {
		w.run(tick)
		w.passes()
	}
}

func (w *world) passes() {
	for _, name := range w.order {
		w.pass(name, false)
	}
}
