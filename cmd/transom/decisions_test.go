package main

import (
	"encoding/json"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/cmd/transom/internal/plan"
	"transom.dev/cmd/transom/internal/workspace"
	"transom.dev/reconciler/gitrepo"
	"transom.dev/reconciler/status"
	"transom.dev/render"
	"transom.dev/render/preview"
)

// TestPlanSaysWhatDecisionsDo has a plan made of each kind of decision, and merges it: the daemon then commits the changes
// of the plan, object by object with their differences, and none of those that the plan says are held.
func TestPlanSaysWhatDecisionsDo(t *testing.T) {
	s := newStory(t)
	s.merge("say hello")
	s.approve()
	s.becomes("prod", "the first release never settled", settled)
	first := s.prod()

	s.image("two")
	s.planned("image two", `(?m)^once promoted:$`)
	s.becomes("prod", "it never waited for its approval alone", func(in status.Instance) bool {
		return len(in.Waiting) == 1 && in.Waiting[0].Name == "approval"
	})
	s.transom("promote", "demo/hello", "-e", "prod", "-C", s.clone())
	s.planned("an Approval", `(?m)^decisions/prod/demo-hello-.*\.yaml \(approval\): lets in demo/hello at once, while what was proven is healthy$`,
		`-        image: hello:one\n +\+ +image: hello:two|image: hello:two`)

	s.transom("rollback", "demo/hello", "-e", "prod", "--reason", "orders are lost", "-C", s.clone())
	s.planned("a rollback", `(?m)^decisions/prod/pin-demo-hello.yaml \(pin\): takes demo/hello to release `+first[:19]+` of app 1.0.0 at once; shows as debt of demo/hello until it is removed$`,
		`\+ .*image: hello:one`)
	s.image("three")
	s.planned("an image that a Pin keeps out", `image: hello:three`)
	require.Equal(t, first, s.prod())
	s.remove("decisions/prod/pin-demo-hello.yaml")
	s.planned("the end of the Pin", `(?m)^decisions/prod/pin-demo-hello.yaml \(pin, removed\): lets demo/hello go on again$`)

	s.decide("prod/hurry", "kind: Override", `{request: demo/hello, skip: [approval], reason: it is urgent}`)
	s.planned("an Override", `(?m)^decisions/prod/hurry.yaml \(override\): lets in demo/hello at once.*; shows as debt of demo/hello until it is removed$`)

	s.decide("dev/freeze", "kind: Hold", `{reason: a demonstration}`)
	s.image("four")
	s.planned("a Hold", `(?m)^held back:$`, `(?m)^  demo/hello: held by decisions/dev/freeze.yaml: a demonstration; opened by whoever removes decisions/dev/freeze.yaml$`,
		`(?m)^decisions/dev/freeze.yaml \(hold\): holds demo/hello as it is$`)
	s.remove("decisions/dev/freeze.yaml")
	s.planned("the end of the Hold", `(?m)^decisions/dev/freeze.yaml \(hold, removed\): lets demo/hello go on again$`, `image: hello:four`)
}

// TestOneFileApprovesExactlyWhatWaits has one file approve all that waits for prod: item by item, and nothing that comes later.
func TestOneFileApprovesExactlyWhatWaits(t *testing.T) {
	s := newStory(t)
	s.write("requests/demo/bye.yaml", `offering: app, version: "1", parameters: {image: "bye:one"}, environments: {dev: {}, staging: {}, prod: {}}`)
	s.merge("say hello and bye")
	s.becomes("prod", "hello never waited", waitsFor("approval"))
	require.Eventually(t, func() bool { return strings.Contains(s.transom("status", "demo/bye"), "approval") }, time.Minute, 10*time.Millisecond)

	wrote := s.transom("promote", "demo", "-e", "prod", "-C", s.clone())
	require.Regexp(t, `^wrote decisions/prod/demo-[0-9a-f]{7}\.yaml: approve 2 that wait, of demo\n`, wrote)
	all := s.transom("promote", "--all", "-e", "prod", "--print", "-C", s.clone())
	require.Regexp(t, `  items:\n  # release [0-9a-f]{7}, app 1\.0\.0, of platform commit [0-9a-f]{7}\n  - \{request: demo/bye, release: "sha256:[0-9a-f]{64}"\}\n`, all)
	require.Contains(t, all, "{request: demo/hello, ")
	require.Regexp(t, `(?m)^decisions/prod/demo-[0-9a-f]{7}\.yaml \(approval\): lets in demo/bye, demo/hello `, s.transom("plan", s.clone()))
	s.merge("approve both")
	s.becomes("prod", "it never settled", settled)
	require.Eventually(t, func() bool {
		return slices.ContainsFunc(s.board.Status().Instances, func(in status.Instance) bool {
			return in.Environment == "prod" && in.Request.Name == "bye" && settled(in)
		})
	}, time.Minute, 10*time.Millisecond)

	s.image("two")
	s.merge("say hello again")
	s.becomes("prod", "the next one did not wait", waitsFor("approval"))
	require.Error(t, run(t.Context(), []string{"promote", "demo", "-e", "prod", "--skip", "soak", "--reason", "r", "-C", s.clone()}, nil, io.Discard, io.Discard))
}

// TestPlanSaysWhichRemovalsWait of which a person has to approve each, or so many.
func TestPlanSaysWhichRemovalsWait(t *testing.T) {
	s := newStory(t)
	require.NoError(t, workspace.WriteFile(filepath.Join(s.clone(), "offerings/app/offering.yaml"),
		[]byte("apiVersion: transom.dev/v1alpha1\nkind: Offering\nmetadata: {name: app}\nspec: {title: Application, deletion: confirm}\n")))
	s.write("requests/demo/hello.yaml", `offering: app, version: "1", parameters: {image: "hello:one"}, environments: {dev: {}}`)
	s.merge("say hello")
	s.becomes("dev", "the first release never settled", settled)

	s.remove("requests/demo/hello.yaml")
	said := s.planned("a removal that is confirmed", `(?m)^held back:$`, `removals of app are confirmed; opened by an Approval in decisions/dev of \{request: demo/hello, release: sha256:`)
	release := said.Waits[0].Opens
	release = release[strings.Index(release, "sha256:"):strings.Index(release, "}")]
	require.NotEmpty(t, said.Blocked.Changes)

	s.decide("dev/remove", "kind: Approval", `{request: demo/hello, release: "`+release+`"}`)
	said = s.planned("its Approval", `(?m)^decisions/dev/remove.yaml \(approval\): lets in demo/hello at once`, `(?m)- Deployment demo/hello-app on dev$`)
	require.Empty(t, said.Blocked.Changes)
	require.NotEmpty(t, said.Changes)
}

func (s *story) image(tag string) {
	s.write("requests/demo/hello.yaml", `offering: app, version: "1", parameters: {image: "hello:`+tag+`"}, environments: {dev: {}, staging: {}, prod: {}}`)
}

func (s *story) decide(name, kind, spec string) {
	text := "apiVersion: transom.dev/v1alpha1\n" + kind + "\nmetadata: {name: " + filepath.Base(name) + "}\nspec: " + spec + "\n"
	require.NoError(s.t, workspace.WriteFile(filepath.Join(s.clone(), "decisions", name+".yaml"), []byte(text)))
}

func (s *story) remove(file string) { require.NoError(s.t, os.Remove(filepath.Join(s.clone(), file))) }

// planned makes a plan of the work tree, which says all of these, merges it, and compares the commits with it.
func (s *story) planned(what string, says ...string) *plan.Plan {
	s.t.Helper()
	text := s.transom("plan", s.clone())
	for _, line := range says {
		require.Regexp(s.t, line, text, what)
	}
	require.NotContains(s.t, text, ": no changes\n")
	said := new(plan.Plan)
	require.NoError(s.t, json.Unmarshal([]byte(s.transom("plan", s.clone(), "-o", "json")), said))
	before := s.states()
	s.merge(what)
	commit := s.git(s.clone(), "rev-parse", "HEAD")
	var is string
	want := comes(said)
	require.Eventually(s.t, func() bool {
		is = s.committed(before)
		return is == want && s.rests(commit)
	}, time.Minute, 50*time.Millisecond, "%s", what)
	require.Equal(s.t, want, is, "%s:\n%s", what, text)
	return said
}

// comes are the changes that a plan says are committed, as lines: at once, and later by health alone.
func comes(p *plan.Plan) string {
	waits := map[string]bool{}
	for _, w := range p.Waits {
		waits[w.Environment] = true
	}
	var lines []string
	for _, c := range p.Changes {
		lines = append(lines, line(c))
	}
	for _, c := range p.Promoted.Changes {
		if !waits[c.Environment] {
			lines = append(lines, line(c))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}

func line(c preview.Change) string {
	return strings.Join([]string{c.Environment, c.Cluster, string(c.Action), c.Object(), c.Diff}, " ") + "\n"
}

func (s *story) states() map[string]*gitrepo.Snapshot {
	s.t.Helper()
	states := map[string]*gitrepo.Snapshot{}
	for _, name := range []string{"dev", "staging", "prod"} {
		state, err := gitrepo.OpenBranch(filepath.Join(s.dir, "state-"+name+".git"), "main")
		require.NoError(s.t, err)
		states[name] = state
	}
	return states
}

// committed are the changes below clusters/ since, as lines.
func (s *story) committed(before map[string]*gitrepo.Snapshot) string {
	p, err := workspace.Load(s.clone())
	require.NoError(s.t, err)
	var r render.Renderer
	var lines []string
	for name, now := range s.states() {
		was, err := before[name].Blobs(".")
		require.NoError(s.t, err)
		is, err := now.Blobs(".")
		require.NoError(s.t, err)
		changed := map[string][]byte{}
		for file := range was {
			if is[file] == "" {
				changed[file] = nil
			}
		}
		for file := range is {
			if is[file] != was[file] {
				changed[file], err = fs.ReadFile(now, file)
				require.NoError(s.t, err)
			}
		}
		changes, err := preview.Between(&r, p, name, before[name], changed)
		require.NoError(s.t, err)
		for _, c := range changes {
			lines = append(lines, line(c))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}

// rests says that all environments have seen a commit, and that nothing is on its way by itself.
func (s *story) rests(commit string) bool {
	all := s.board.Status()
	return !slices.ContainsFunc(all.Environments, func(e status.Environment) bool { return e.Commit != commit }) &&
		!slices.ContainsFunc(all.Instances, func(in status.Instance) bool { return in.Rollout != nil && !in.Absent })
}
