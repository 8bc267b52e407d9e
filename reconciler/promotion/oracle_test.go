package promotion_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"transom.dev/reconciler/promotion"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// An oracle checks commits against the rules of promotion. It goes by the truth of the world, and by its own reading of
// decisions, never by the gates of the state machine.
type oracle struct {
	*world
	soaked    map[string]time.Duration              // longest time that a release was well on all clusters that count, by environment, request and digest
	rendered  map[string]string                     // its bytes there when it was whole
	completed map[string]map[string]bool            // releases ever whole and well, by environment and request
	whole     map[string]string                     // the last of these
	clusters  map[string]map[string]state.Placement // that it was on
	rejected  map[string]int                        // how many decisions there were when a render key was last rejected, by cluster and key
	farthest  map[string]string                     // platform commit of the newest release that was ever here, by environment and request
	entries   map[string]int                        // bytes that entered, by environment and request
	rollbacks map[string]int
	stepped   map[string]map[string]bool // requests that took a version as a step, by environment and version
	weak      map[string]bool            // releases that ask less of health than one that failed with their bytes, by environment and request
	answered  map[string]bool            // releases that answered well on all clusters that count at once, by environment, request and digest
	recorded  map[string]recording       // values, by environment, request and cluster
	let       map[string]bool            // environments in which a person has approved deletions, ever
	broken    []string                   // rules
}

func newOracle(w *world) *oracle {
	o := &oracle{
		world: w, soaked: map[string]time.Duration{}, rendered: map[string]string{}, completed: map[string]map[string]bool{},
		whole: map[string]string{}, rejected: map[string]int{}, entries: map[string]int{}, rollbacks: map[string]int{},
		stepped: map[string]map[string]bool{}, farthest: map[string]string{}, weak: map[string]bool{}, let: map[string]bool{}, answered: map[string]bool{}, recorded: map[string]recording{}, clusters: map[string]map[string]state.Placement{},
	}
	w.judge = o
	return o
}

func (o *oracle) breaks(rule string, args ...any) {
	text := fmt.Sprintf(rule, args...)
	o.broken = append(o.broken, text)
	o.note("BROKEN: %s", text)
}

func at(parts ...string) string { return strings.Join(parts, "|") }

// watch notes for how long everything was well at once.
func (o *oracle) watch() {
	for _, d := range o.platform.Decisions {
		o.let[d.Environment] = o.let[d.Environment] || d.Deletions != ""
	}
	for name, s := range o.stages {
		for k, r := range s.releases {
			id := at(name, k.Name, r.Digest)
			if o.everywhereAtOnce(name, r) {
				o.rendered[id] = rendering(r)
			}
			if !r.Absent && o.answers(name, r) {
				o.answered[id] = true
			}
			if least, whole := o.least(name, r); whole && least > o.soaked[id] {
				o.soaked[id] = least
			}
		}
	}
}

// everywhereAtOnce reports whether all clusters of a record that count have its bytes.
func (o *oracle) everywhereAtOnce(environment string, r *state.Release) bool {
	for c, p := range r.Clusters {
		if p.Release != "" && !p.Joining && o.counts(environment, c) {
			return false
		}
	}
	return len(r.Clusters) > 0 && (r.Promotion.Rollout == nil || len(r.Promotion.Rollout.Pending) == 0)
}

// least is for how long a record is truly well on all of its clusters that count, and whether it is on all of them.
func (o *oracle) least(environment string, r *state.Release) (least time.Duration, whole bool) {
	counting := 0
	for cluster, p := range r.Clusters {
		on := o.stages[environment].live[r.Key.Name+"@"+cluster]
		if p.Joining && (on == nil || on.revision != p.Observed() || on.well == 0) || !o.counts(environment, cluster) {
			continue // one that joined counts from when it is healthy
		}
		if on == nil || on.revision != p.Observed() || on.well == 0 {
			return 0, false
		}
		if counting == 0 || on.well < least {
			least = on.well
		}
		counting++
	}
	return least, counting > 0 && o.everywhereAtOnce(environment, r)
}

// counts reports whether a cluster is active and of an environment.
func (o *oracle) counts(environment, cluster string) bool {
	c := o.platform.Clusters[cluster]
	return c != nil && c.State == platform.ClusterActive && o.member(environment, c)
}

func rendering(r *state.Release) string {
	var b strings.Builder
	for _, c := range slices.Sorted(maps.Keys(r.Clusters)) {
		b.WriteString(r.Clusters[c].RenderKey + ";")
	}
	return b.String()
}

// committed judges a commit.
func (o *oracle) committed(s *stage, p *pass) {
	o.watch()
	before := s.history[fmt.Sprintf("%s-%d", s.name, s.commit-1)]
	for k, was := range before {
		if s.releases[k] == nil && !was.Absent {
			o.breaks("%s forgets %s, which runs", s.name, k)
		}
		if s.releases[k] == nil { // whoever asks for it again begins anew
			delete(o.farthest, at(s.name, k.Name))
			maps.DeleteFunc(o.rejected, func(id string, _ int) bool { return strings.HasSuffix(id, " "+k.Name) })
		}
	}
	changed := slices.DeleteFunc(slices.SortedFunc(maps.Keys(s.releases), platform.RequestKey.Compare),
		func(k platform.RequestKey) bool { return before[k] == s.releases[k] })
	for _, k := range changed {
		is := s.releases[k]
		chosen := !is.Absent && is.Request.Environments[s.name].Version != ""
		if is.Absent || chosen || o.pin(s.name, is) != nil { // a person took it away before it failed
			for _, reached := range o.stepped {
				delete(reached, k.Name)
			}
		}
	}
	for _, k := range changed {
		o.judged(s, p, before[k], s.releases[k])
		o.farthest[at(s.name, k.Name)] = max(o.farthest[at(s.name, k.Name)], s.releases[k].Commit)
	}
}

// judged checks R42, R66, R71 and R92.
func (o *oracle) judged(s *stage, p *pass, was, is *state.Release) {
	k, id := is.Key, at(s.name, is.Key.Name)
	changed, gone := differ(was, is)
	gone = slices.DeleteFunc(gone, func(c string) bool { return o.away[c] != nil }) // it is let go: nothing is deleted
	o.rollouts(s, was, is)
	o.failures(s.name, was, is)
	o.over(s, was, p.Records[k])
	o.leaves(s, p, was, is, gone)
	if _, back := p.Restore[k]; back && is.Promotion.Rollout.Cause == "rollback" {
		o.rollbacks[id]++
		if o.whole[id] != is.Digest {
			o.breaks("%s goes back to %s of %s, which was not the last that was healthy: %s", s.name, is.Digest, k, o.whole[id])
		}
		if o.rollbacks[id] > o.entries[id] {
			o.breaks("%s goes back oftener than anything of %s entered", s.name, k)
		}
		o.wherever(s, was, is)
		return
	}
	pin := o.pin(s.name, is)
	o.weakens(s, p, was, is, changed)
	o.records(s, was, is)
	if len(changed)+len(gone) > 0 {
		o.entries[id]++
		if _, back := p.Restore[k]; !back {
			o.untouchable(s, was, is, changed, gone)
			o.handsOn(s, was, is, changed)
		}
		o.again(s, is, changed)
		o.waves(s, was, is, changed)
		o.joins(s, p, was, is)
	}
	if was != nil && !was.Absent && pin != nil && pin.Release == was.Digest && is.Digest != was.Digest {
		o.breaks("%s moves %s from the pinned %s to %s", s.name, k, was.Digest, is.Digest)
	}
	if !is.Absent && (was == nil || was.Digest != is.Digest) && len(changed) > 0 && pin == nil {
		o.entered(s, was, is)
	}
	if is.Absent && was != nil && !was.Absent {
		o.removed(s, was, is)
	}
	if is.Absent && (was == nil || !was.Absent) && slices.ContainsFunc(o.asked(s.name), func(i *platform.Instance) bool { return i.Request.Key == k }) {
		o.breaks("%s removes %s, which the head asks for", s.name, k)
	}
	if !is.Absent && is.Promotion.Rollout == nil && len(is.Clusters) > 0 {
		o.spread(id, is)
	}
}

// over checks the end of a rollout against the true health on the clusters that it moved. It checks R63 and R75.
func (o *oracle) over(s *stage, was, ends *state.Release) {
	if ends == nil || ends.Absent || ends.Promotion.Rollout != nil || len(ends.Clusters) == 0 || was == nil || was.Promotion.Rollout == nil {
		return
	}
	o.spread(at(s.name, was.Key.Name), ends)
	o.outlived(s, was, ends)
	for _, c := range was.Promotion.Rollout.Moved {
		o.tried(s, was, c)
		p, there := was.Clusters[c]
		if !there || p.Joining || !o.counts(s.name, c) || o.isBlind(c) {
			continue // the last observation is believed until somebody looks
		}
		on := s.live[was.Key.Name+"@"+c]
		if on == nil || on.revision != p.Observed() {
			o.breaks("%s says that %s is healthy in all waves, and %s does not have it", s.name, was.Digest, c)
		} else if health, _ := o.health(s.name, on); health != state.Healthy && health != state.Suspended {
			o.breaks("%s says that %s is healthy in all waves, and %s is not", s.name, was.Digest, c)
		}
	}
}

// differ lists the clusters whose bytes change, and those that lose them.
func differ(was, is *state.Release) (changed, gone []string) {
	for c, p := range is.Clusters {
		if was == nil || was.Clusters[c].RenderKey != p.RenderKey {
			changed = append(changed, c)
		}
	}
	if was != nil {
		for c := range was.Clusters {
			if _, ok := is.Clusters[c]; !ok {
				gone = append(gone, c)
			}
		}
	}
	slices.Sort(changed)
	slices.Sort(gone)
	return changed, gone
}

// waves checks the clusters that a rollout reaches against the waves before them. It checks R52 and R78.
func (o *oracle) waves(s *stage, was, is *state.Release, changed []string) {
	all := o.platform.Environments[s.name].Rollout.Waves
	if len(all) < 2 || is.Promotion.Rollout == nil || is.Promotion.Rollout.Cause == "pin" {
		return
	}
	wave := func(c string) int {
		if at := o.platform.Clusters[c]; at != nil && at.Labels["tier"] == "canary" {
			return 0
		}
		return 1
	}
	desired := o.desired(s, is)
	for _, c := range changed {
		if wave(c) == 0 || is.Clusters[c].Joining || !slices.Contains(is.Promotion.Rollout.Moved, c) {
			continue
		}
		for _, first := range slices.Concat(is.Promotion.Rollout.Moved, onTheirWay(was, is)) {
			if wave(first) != 0 || !o.counts(s.name, first) || is.Clusters[first].Joining || is.Clusters[first].Revision == "" {
				continue
			}
			on := s.live[is.Key.Name+"@"+first]
			if on == nil || on.revision != is.Clusters[first].Observed() || on.well < all[0].Soak {
				o.breaks("%s reaches %s with %s before %s soaked", s.name, c, is.Digest, first)
			}
			o.tried(s, was, first)
		}
		for first, key := range desired {
			if wave(first) == 0 && o.counts(s.name, first) && is.Clusters[first].RenderKey != key && is.Clusters[c].RenderKey == desired[c] {
				o.breaks("%s reaches %s with %s before %s has it", s.name, c, desired[c], first)
			}
		}
		for _, pending := range is.Promotion.Rollout.Pending {
			if wave(pending) == 0 {
				o.breaks("%s reaches %s with %s before %s", s.name, c, is.Digest, pending)
			}
		}
	}
}

// onTheirWay lists the clusters that a rollout moved which was open, and that keep its bytes.
func onTheirWay(was, is *state.Release) (list []string) {
	if was == nil || was.Promotion.Rollout == nil {
		return nil
	}
	for _, c := range was.Promotion.Rollout.Moved {
		stays := is.Clusters[c].Release == "" // others are to be left
		if stays && is.Clusters[c].RenderKey == was.Clusters[c].RenderKey {
			list = append(list, c)
		}
	}
	return list
}

// desired are the render keys of a release at the head on the clusters that have a placement of it and did not join, but for
// one that a Pin keeps as it is, or whose bytes others decide.
func (o *oracle) desired(s *stage, is *state.Release) map[string]string {
	if o.pin(s.name, is) != nil || is.Absent || is.Request.Bindings["to"] != "" {
		return nil
	}
	i, _ := lookup{o.world, s.name}.Resolve(is.Key, promotion.ContentOf(is))
	if i == nil || i.Release != is.Digest {
		return nil
	}
	keys := maps.Clone(o.make(i).keys)
	maps.DeleteFunc(keys, func(c, _ string) bool {
		placed, there := is.Clusters[c]
		return !there || placed.Joining
	})
	return keys
}
