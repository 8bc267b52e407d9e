package promotion_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// recordChanges notes which files the commit at the head changed.
func (w *world) recordChanges() {
	files := map[string]string{}
	for k, r := range w.requests {
		files[k.File()] = fmt.Sprint(r.p, r.own, r.at, r.in, r.hold, r.pinned, r.binds)
	}
	for _, v := range w.platform.Offerings["web"].Versions {
		files[v.Dir] = "published"
	}
	for _, d := range w.platform.Decisions {
		files[d.File] = d.Digest
	}
	for name, e := range w.platform.Environments {
		files[e.File] = fmt.Sprint(w.putIn[name])
	}
	for file, text := range files {
		if w.files[file] != text {
			w.changes[file] = append(w.changes[file], w.head)
		}
	}
	for file := range w.files {
		if files[file] == "" {
			w.changes[file] = append(w.changes[file], w.head)
		}
	}
	w.files = files
}

// changed is the last commit up to another that changed a file; 0: none did.
func (w *world) changed(file, commit string) int {
	for _, at := range slices.Backward(w.changes[file]) {
		if w.at(at) <= commit {
			return at
		}
	}
	return 0
}

// Later is part of promotion.Lookup.
func (p lookup) Later(file, commit string, others ...string) bool {
	return p.later(file, commit, others...)
}

func (w *world) later(file, commit string, others ...string) bool {
	came := w.changed(file, w.platform.Commit)
	return came > 0 && !slices.ContainsFunc(others, func(other string) bool { return w.changed(other, commit) >= came })
}

// smuggle writes the Approval of what a request asks for, so that the commit which brings the one brings the other.
func (w *world) smuggle(k platform.RequestKey) {
	r := w.requests[k]
	if v := w.newest("1"); r.pinned == "" && v != nil {
		w.write("prod", platform.Decision{Kind: "Approval", Request: &k, Release: digestOf(k, r.spec(), v.Number.String())})
	}
}

// apart reports whether an Approval came in a later commit than the files that it is about, where the environment asks for that. It
// checks R111.
func (o *oracle) apart(environment string, d *platform.Decision, commit string, files ...string) bool {
	return !o.platform.Environments[environment].Gates.Separate || o.later(d.File, commit, files...)
}

// routine reports whether all that differs between two releases is what the offering calls routine, and the environment puts in what
// it put in before. It checks R110.
func (o *oracle) routine(s *stage, was, is *state.Release) bool {
	e := o.platform.Environments[s.name]
	if !e.Gates.Routine || was == nil || was.Absent || was.Version != is.Version || was.VersionDigest != is.VersionDigest {
		return false
	}
	rest := func(r *state.Release) string {
		return fmt.Sprint(r.Request.Bindings, r.Request.Environments[s.name].Parameters)
	}
	for cluster, key := range o.desired(s, was) {
		if was.Clusters[cluster].RenderKey != key {
			return false
		}
	}
	return rest(was) == rest(is)
}

// approving is a ladder whose prod has everything approved, settled with p1 of a.
func approving(t *testing.T, shape func(*platform.Gates)) *world {
	t.Helper()
	w := settled(t, "a")
	gates := &w.environmentOf("prod").Gates
	gates.Approval = "required"
	shape(gates)
	w.platform.Offerings["web"].Routine = []string{"p"}
	w.merge("prod has changes approved")
	return w
}

// TestRoutineChangesNeedNoApproval keeps R110.
func TestRoutineChangesNeedNoApproval(t *testing.T) {
	w := approving(t, func(g *platform.Gates) { g.Routine = true })
	w.bump("a")
	w.settle(15 * time.Minute)
	require.Equal(t, w.has("dev", "a"), w.has("prod", "a"))
	require.Contains(t, w.stages["prod"].releases[key("a")].Promotion.Gates, state.PassedGate{Gate: "approval", Figure: "routine"})
	require.Contains(t, w.liveOn("prod", "prod-2", "a"), "p2", "the later waves too")

	for name, change := range map[string]func(*world){
		"another parameter": func(w *world) { w.requests[key("a")].own = map[string]int{"prod": 2} },
		"a version":         func(w *world) { w.publish("1.1.0") },
		"what the environment puts in": func(w *world) {
			w.putIn["prod"]++
		},
		"another parameter of the offering": func(w *world) { w.platform.Offerings["web"].Routine = []string{"q"} },
		"an environment without routine":    func(w *world) { w.environmentOf("prod").Gates.Routine = false },
	} {
		t.Run(name, func(t *testing.T) {
			w := approving(t, func(g *platform.Gates) { g.Routine = true })
			before := w.has("prod", "a")
			change(w)
			w.bump("a")
			w.settle(15 * time.Minute)
			require.Equal(t, before, w.has("prod", "a"))
			require.Contains(t, w.gates("prod", "a"), "approval")
			require.True(t, w.approveWaiting(w.stages["prod"]))
		})
	}
}

// TestAnApprovalMayComeWithItsRelease keeps R111: where an environment does not ask for commits apart, one merge is enough.
func TestAnApprovalMayComeWithItsRelease(t *testing.T) {
	w := approving(t, func(g *platform.Gates) { g.Separate = false })
	before := w.has("prod", "a")
	w.requests[key("a")].p = 2
	w.smuggle(key("a"))
	w.merge("p2 comes with its Approval")
	w.settle(15 * time.Minute)
	require.NotEqual(t, before, w.has("prod", "a"))
	require.Equal(t, w.has("dev", "a"), w.has("prod", "a"))
	require.Contains(t, w.stages["prod"].releases[key("a")].Promotion.Gates, state.PassedGate{Gate: "approval", Decision: "decisions/prod/d1.yaml"})
	require.Empty(t, w.gates("prod", "a"))
}

// TestAnApprovalCountsInALaterCommit keeps R111.
func TestAnApprovalCountsInALaterCommit(t *testing.T) {
	w := approving(t, func(g *platform.Gates) { g.Separate = true })
	before := w.has("prod", "a")
	w.requests[key("a")].p = 2
	w.smuggle(key("a"))
	w.merge("p2 comes with its Approval")
	w.settle(15 * time.Minute)
	require.Equal(t, before, w.has("prod", "a"))
	require.Equal(t, []string{"approval"}, w.gates("prod", "a"))
	gate := w.stages["prod"].last.admission.Standings[key("a")].Gates[0]
	require.Contains(t, gate.Reason, "decisions/prod/d1.yaml does not count, because it was not merged in a later commit")

	// The one that comes later counts, also when the request has changed again meanwhile.
	k, second := key("a"), w.has("staging", "a")
	w.decide("prod", platform.Decision{Kind: "Approval", Request: &k, Release: second})
	w.requests[k].p = 3
	w.merge("p3 is asked for before a pass")
	w.until(t, func() bool { return w.has("prod", "a") == second })

	// So it is for what the environment puts in, and for a removal.
	w.settle(15 * time.Minute)
	w.putIn["prod"]++
	w.merge("prod puts in something else")
	w.settle(tick)
	require.Equal(t, []string{"approval", "approval"}, w.gates("prod", "a"), "of p3, and of the plan")
	require.True(t, w.approveWaiting(w.stages["prod"]))
	w.settle(10 * time.Minute)
	require.NotContains(t, w.gates("prod", "a"), "approval")

	w = approving(t, func(g *platform.Gates) { g.Separate = true })
	removal := platform.Digest(map[string]any{"team": k.Team, "request": k.Name, "absent": true, "release": w.has("prod", "a")})
	delete(w.requests, k)
	w.write("prod", platform.Decision{Kind: "Approval", Request: &k, Release: removal})
	w.merge("a is removed, with the Approval of that")
	w.settle(15 * time.Minute)
	require.NotEmpty(t, w.has("prod", "a"))
	w.decide("prod", platform.Decision{Kind: "Approval", Request: &k, Release: removal})
	w.settle(15 * time.Minute)
	require.Empty(t, w.has("prod", "a"))
}
