package promotion_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"time"

	"transom.dev/render/decision"
	"transom.dev/render/gate"
	"transom.dev/render/platform"
)

// An event is one thing that happens in a schedule. Its numbers are read when it happens, so that a schedule stays one when
// events are dropped from it.
type event struct {
	kind    string
	a, b, c int
}

// A schedule is a world and the events in it.
type schedule struct {
	seed   uint64
	events []event
}

// kinds are the kinds of events, each as often as it is listed.
var kinds = strings.Fields(`
	wait wait wait wait wait wait wait wait wait wait wait wait wait wait wait wait
	bump bump bump bump own revert add remove narrow widen
	good good bad bad fix fix weak weak wake wake withdraw
	approve approve approve version unapprove hold hold unhold unhold pin unpin unpin override
	flap flap flap block block lose regain regain restart restart jump race race race
	leap choose choose bind bind unbind leave vanish vanish return return
	place place everyplace slot slot unslot select select unselect flee hurry unhurry rush
	deny deny allow allow mute speak speak
	put spoil pause activate activate drain join breaks mends mends sick well well late late late`)

// utterances are those of a world with claims, beside the others.
var utterances = strings.Fields(`say say say say say say say say say say say say hush hush utter wait wait wait wait wait wait wait wait wait wait wait wait`)

func plan(seed uint64) schedule {
	r := rand.New(rand.NewPCG(seed, 4))
	s := schedule{seed: seed}
	of := kinds
	if seed%3 == 1 {
		s.events = append(s.events, event{"claims", r.IntN(1 << 20), r.IntN(1 << 20), r.IntN(1 << 20)})
		of = slices.Concat(kinds, utterances, utterances)
	}
	for range 10 + r.IntN(14) {
		s.events = append(s.events, event{of[r.IntN(len(of))], r.IntN(1 << 20), r.IntN(1 << 20), r.IntN(1 << 20)})
	}
	return s
}

// setting is the world of a schedule: the ladder, with gates and limits that depend on its seed.
func (s schedule) setting() *world {
	r := rand.New(rand.NewPCG(s.seed, 7))
	w := newWorld()
	if len(s.events) > 0 && s.events[0].kind == "claims" {
		w.claimAll(s.events[0].a%2 == 0)
	}
	w.ladder()
	prod, staging := w.platform.Environments["prod"], w.platform.Environments["staging"]
	if s.seed%5 == 2 { // a diamond
		w.environment("load", []string{"dev"}, func(e *platform.Environment) { e.Gates.Soak = 30 * time.Second }, "load-1")
		w.order = []string{"dev", "load", "staging", "prod"}
		prod.PromotesFrom = []string{"load", "staging"}
	}
	if r.IntN(3) == 0 {
		prod.Gates.Approval = "required"
	}
	if prod.Gates.Approval == "required" {
		prod.Gates.Routine, prod.Gates.Separate = s.seed%2 == 0, s.seed%3 == 0
		w.platform.Offerings["web"].Routine = []string{"p"}
	}
	if r.IntN(4) == 0 {
		prod.Gates.Unproven = "allow"
	}
	if r.IntN(4) == 0 {
		staging.Gates.Replace = "newest"
	}
	if r.IntN(4) == 0 {
		window, _ := platform.NewWindow("0 * * * *", 40*time.Minute, "Europe/Berlin", false)
		prod.Windows = []platform.Window{window}
	}
	if r.IntN(4) == 0 {
		prod.Rollout.OnFailure = "stop"
	}
	for _, name := range w.order {
		limits := &w.platform.Environments[name].Rollout.Instances
		limits.First, limits.MaxFailures = 1+r.IntN(2), 1+r.IntN(3)
	}
	if s.seed%3 == 0 {
		w.asking("prod", time.Minute)
	}
	if s.seed%7 == 3 {
		w.smoking("prod")
	}
	if s.seed%4 == 1 {
		w.trying("prod", time.Duration(r.IntN(4))*20*time.Second)
		w.trying("staging", 30*time.Second)
	}
	for i := range []int{1, 1, 2, 2, 2, 5}[r.IntN(6)] {
		w.requests[key(fmt.Sprintf("r%d", i))] = w.all(1)
		if w.claims.observed != nil && i > 0 {
			w.requests[key(fmt.Sprintf("r%d", i))].binds = fmt.Sprintf("r%d", s.events[0].b%i)
		}
	}
	w.merge("the platform begins")
	return w
}

// run plays a schedule, and returns the rules that it broke.
func (s schedule) run(traced, finish bool) (broken, trace []string) {
	w := s.setting()
	if traced {
		w.trace = []string{}
	}
	o := newOracle(w)
	lead := 4
	if w.claims.observed != nil {
		lead = []int{20, 46}[s.seed%2] // until values have come to prod, or its windows are about to shut
	}
	for n := range lead {
		w.run(50 * time.Second)
		w.passes()
		for _, name := range w.order {
			_ = n > 4 && w.approveWaiting(w.stages[name])
		}
	}
	for _, e := range s.events {
		w.happen(e)
		if len(o.broken) > 0 {
			return o.broken, w.trace
		}
		if e.kind == "wait" {
			w.passes()
		} else {
			w.pass(w.order[e.c%len(w.order)], false)
		}
	}
	if finish && len(o.broken) == 0 {
		w.finish()
	}
	return o.broken, w.trace
}

func pickOf[T any](list []T, n int) (found T, ok bool) {
	if len(list) == 0 {
		return found, false
	}
	return list[n%len(list)], true
}

func (w *world) names() []platform.RequestKey {
	return slices.SortedFunc(maps.Keys(w.requests), platform.RequestKey.Compare)
}

func (w *world) happen(e event) {
	k, known := pickOf(w.names(), e.a)
	name, _ := pickOf(w.order, e.b)
	cluster, _ := pickOf(slices.Sorted(maps.Keys(w.platform.Clusters)), e.c)
	switch e.kind {
	case "wait":
		w.note("wait")
		w.run(tick * time.Duration(1+e.a%12))
	case "flap":
		w.flapping[k.Name+"@"+cluster] = w.clock + tick*time.Duration(1+e.b%8)
	case "block":
		w.note("a pod of a revision before is in the way of %s on %s", k, cluster)
		w.blocked[k.Name+"@"+cluster] = w.clock + tick*time.Duration(1+e.b%90)
		w.note("%s is not healthy on %s for a while", k, cluster)
	case "lose", "regain":
		w.lost[cluster] = e.kind == "lose"
		w.note("%s %s", e.kind, cluster)
	case "deny", "allow":
		w.check("prod", e.kind == "allow")
	case "mute", "speak":
		w.silence(name, e.kind == "mute")
	case "sick", "well":
		w.sick[cluster] = e.kind == "sick"
		w.note("%s is %s", cluster, e.kind)
	case "late":
		w.blind[cluster] = w.clock + tick*time.Duration(1+e.b%60)
		w.note("nobody looks at %s until %s", cluster, w.blind[cluster])
	case "say", "hush":
		if known {
			w.say(k.Name, cluster, e.kind == "hush")
			if e.b%2 == 0 { // on all clusters, as where a provider fails over
				for _, other := range slices.Sorted(maps.Keys(w.platform.Clusters)) {
					if other != cluster {
						w.say(k.Name, other, e.kind == "hush")
					}
				}
			}
		}
	case "utter":
		w.utter()
	case "claims": // it was said at the beginning
	case "wake":
		w.wake(cluster)
	case "restart":
		w.restart()
	case "jump":
		w.skew += []time.Duration{time.Hour, -time.Hour}[e.a%2]
		w.note("the clock jumps")
	case "race":
		w.pass(name, true)
	default:
		if known || e.kind == "add" {
			w.merged(e, k, name, cluster)
		}
	}
}

// merged is an event that changes the platform.
func (w *world) merged(e event, k platform.RequestKey, name, cluster string) {
	r := w.requests[k]
	switch e.kind {
	case "bump":
		if r.p++; e.c%3 == 0 && w.platform.Environments["prod"].Gates.Separate {
			w.smuggle(k)
		}
		w.merge("%s has p%d", k, r.p)
	case "revert":
		r.p = max(r.p-1, 1)
		w.merge("%s goes back to p%d", k, r.p)
	case "own":
		r.own = map[string]int{name: e.c % 4}
		w.merge("%s overrides in %s", k, name)
	case "add":
		k = key(fmt.Sprintf("r%d", e.c%7))
		if w.requests[k] == nil {
			w.requests[k] = w.all(1 + e.b%3)
			w.merge("%s is new", k)
		}
	case "remove":
		for _, other := range w.requests {
			if other.binds == k.Name {
				other.binds = ""
			}
		}
		delete(w.requests, k)
		delete(w.broken, k)
		w.merge("%s is removed", k)
	case "narrow":
		if len(r.in) > 1 {
			r.in = without(r.in, name)
			w.merge("%s is in %v", k, r.in)
		}
	case "widen":
		r.in = slices.Clone(w.order)
		w.merge("%s is everywhere", k)
	case "choose":
		r.at = map[string]string{name: []string{"1", "1.0", "1.0.0"}[e.c%3]}
		w.merge("%s chooses %v", k, r.at)
	case "bind", "unbind":
		r.binds = ""
		if to, _ := pickOf(w.names(), e.c); e.kind == "bind" && to.Name < k.Name { // so there is no cycle
			r.binds = to.Name
		}
		w.merge("%s is bound to %q", k, r.binds)
	case "leave":
		w.leave(cluster)
	case "vanish":
		w.vanish(cluster)
	case "return":
		if gone, any := pickOf(slices.Sorted(maps.Keys(w.away)), e.c); any {
			w.comeBack(gone)
		}
	case "place", "everyplace", "slot", "unslot", "select", "unselect", "flee", "hurry", "unhurry", "rush":
		w.moves(e, k, name, cluster)
	case "leap":
		w.leap(k)
	case "breaks", "mends":
		w.broken[k] = e.kind == "breaks"
		w.merge("%s: %s", k, e.kind)
	case "put":
		w.putIn[name]++
		w.merge("%s puts in e%d", name, w.putIn[name])
	case "spoil":
		w.putIn[name]++
		w.faults[fmt.Sprintf("e%d@%s", w.putIn[name], name)] = []fault{fails, hangs, stuck}[e.a%3]
		w.merge("%s puts in e%d, with which nothing is healthy", name, w.putIn[name])
	case "pause", "activate", "drain":
		w.platform.Clusters[cluster].State = map[string]platform.ClusterState{
			"pause": platform.ClusterPaused, "activate": platform.ClusterActive, "drain": platform.ClusterDraining,
		}[e.kind]
		w.platform.Clusters[cluster].Now = false
		w.merge("%s %s", e.kind, cluster)
	case "join":
		if n := len(w.platform.Clusters) + len(w.away); n < 6 {
			w.join(name, fmt.Sprintf("%s-%d", name, 3+n))
			w.merge("a cluster joins %s", name)
		}
	case "good", "bad", "fix", "weak", "withdraw":
		w.offer(e, name, cluster)
	default:
		w.decideSomething(e, k, name, cluster)
	}
}

// all is a request in all environments.
func (w *world) all(p int) *request { return &request{p: p, in: slices.Clone(w.order)} }

// leave takes a cluster out of its environment, if another one stays.
func (w *world) leave(cluster string) {
	c := w.platform.Clusters[cluster]
	if w.others(cluster) > 0 {
		c.Labels["environment"] = ""
		w.merge("%s leaves", cluster)
	}
}

// leap has prod held while the environments before it prove two releases of a request, of which the newer fails there.
func (w *world) leap(k platform.RequestKey) {
	hold := w.decide("prod", platform.Decision{Kind: "Hold"})
	for range 2 {
		w.requests[k].p++
		w.merge("%s has p%d", k, w.requests[k].p)
		for range 6 {
			w.run(time.Minute)
			w.passes()
		}
	}
	w.faults[fmt.Sprintf("p%d/%s@prod", w.requests[k].p, "<nil>")] = fails
	w.undecide(hold)
}

func without(list []string, gone string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return s == gone })
}

// fix publishes a version that changes nothing but how health is judged, however the one before fares.
func (w *world) fix(version, before string, weak bool) {
	w.bytes[version] = w.bytesOf(before)
	versions := w.platform.Offerings["web"].Versions
	versions[len(versions)-1].Rendering = "b" + w.bytes[version]
	w.rules[version] = []platform.Health{{Kind: "Thing", Healthy: "true"}}
	if weak {
		w.rules[version] = []platform.Health{{Kind: "Thing", Applied: true}}
	}
	w.merge("%s is published, which renders the bytes of %s, and is content: %v", version, before, weak)
}

// wake has the pods of a cluster deleted that wait for it.
func (w *world) wake(cluster string) {
	w.note("what is suspended on %s is woken", cluster)
	for _, s := range w.stages {
		for _, on := range s.live {
			on.woken = on.woken || on.cluster == cluster
		}
	}
}

func (w *world) offer(e event, name, cluster string) {
	o := w.platform.Offerings["web"]
	if e.kind == "withdraw" {
		v := o.Versions[len(o.Versions)-1]
		if len(o.Versions) > 1 && v.Lifecycle == platform.Active {
			gone := *v
			gone.Lifecycle = platform.Withdrawn
			o.Versions[len(o.Versions)-1] = &gone
			w.merge("%s is withdrawn", v)
		}
		return
	}
	if len(o.Versions) > 7 {
		return
	}
	before := o.Versions[len(o.Versions)-1].Number.String()
	v := w.publish(fmt.Sprintf("1.%d.0", len(o.Versions)))
	if e.kind == "fix" || e.kind == "weak" {
		w.fix(v.Number.String(), before, e.kind == "weak")
		return
	}
	if e.kind == "bad" {
		where := []string{"", "@" + name, "@" + cluster}[e.a%3]
		w.faults[v.Number.String()+where] = []fault{fails, hangs, stuck, gutter, sleeps, sleeps, errs, errs}[e.b%8]
		w.merge("%s is published, which %s%s", v, w.faults[v.Number.String()+where], where)
		return
	}
	v.Reversible = e.a%8 != 0
	w.merge("%s is published", v)
}

func (w *world) decideSomething(e event, k platform.RequestKey, name, cluster string) {
	versions := w.platform.Offerings["web"].Versions
	version := versions[e.c%len(versions)].Number.String()
	switch e.kind {
	case "approve":
		w.approveWaiting(w.stages[name])
	case "version":
		w.decide("prod", platform.Decision{Kind: "Approval", Offering: "web", Version: versions[len(versions)-1].Number.String()})
	case "hold":
		if e.a%4 == 0 {
			w.requests[k].hold = map[string]bool{name: true}
			w.merge("%s holds itself in %s", k, name)
			return
		}
		d := []platform.Decision{{}, {Request: &k}, {Cluster: cluster}, {Offering: "web"}, {Team: "shop"}}[e.c%5]
		d.Kind, d.Broken = "Hold", e.b%8 == 0
		w.decide(name, d)
	case "unhold", "unpin", "unapprove":
		w.requests[k].hold = nil
		kind := map[string]decision.Kind{"unhold": decision.Hold, "unpin": decision.Pin, "unapprove": decision.Approval}[e.kind]
		for _, d := range slices.Clone(w.platform.Decisions) {
			if d.Kind == kind {
				w.undecide(d)
			}
		}
		w.merge("no %s", kind)
	case "pin":
		d := platform.Decision{Kind: "Pin", Offering: "web", Version: version}
		if r := w.stages[name].releases[k]; e.a%2 == 0 && r != nil {
			d = platform.Decision{Kind: "Pin", Request: &k, Release: r.Digest}
			if ran := r.Promotion.Ran; len(ran) > 0 {
				d.Release = ran[e.b%len(ran)].Digest
			}
		}
		d.Broken = e.c%8 == 0
		w.decide(name, d)
	case "override":
		skip := [][]gate.Name{{"soak"}, {"soak", "window", "check"}, {"approval"}, {"hold"}}[e.a%4]
		w.decide(name, platform.Decision{Kind: "Override", Offering: "web", Version: version, Skip: skip})
	}
}

var asks = regexp.MustCompile(`\{(?:request: [^,]*, release|plan|deletions): ([^}]*)\}`)

// approveWaiting merges every Approval that an environment's last pass asked for, as its gates say it.
func (w *world) approveWaiting(s *stage) (any bool) {
	if s.last == nil {
		return false
	}
	standings := s.last.admission.Standings
	for _, k := range slices.SortedFunc(maps.Keys(standings), platform.RequestKey.Compare) {
		for _, g := range standings[k].Gates {
			found := asks.FindStringSubmatch(g.Opens)
			if found == nil {
				continue
			}
			d := platform.Decision{Kind: "Approval", Request: &k, Release: found[1]}
			switch {
			case strings.Contains(g.Opens, "{plan:"):
				d = platform.Decision{Kind: "Approval", Plan: found[1]}
			case strings.Contains(g.Opens, "{deletions:"):
				d = platform.Decision{Kind: "Approval", Deletions: found[1]}
			}
			if w.platform.Environments[s.name].Gates.Separate || !slices.ContainsFunc(w.platform.Decisions, func(o *platform.Decision) bool {
				return o.Environment == s.name && o.Release == d.Release && o.Plan == d.Plan && o.Deletions == d.Deletions && (d.Request == nil || o.Request != nil && *o.Request == k)
			}) {
				w.decide(s.name, d)
				any = true
			}
		}
	}
	return any
}
