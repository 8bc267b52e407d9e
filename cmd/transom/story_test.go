package main

import (
	"bytes"
	"context"
	"log/slog"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/cmd/transom/internal/workspace"
	"transom.dev/fleet"
	"transom.dev/fleet/apply"
	"transom.dev/reconciler"
	"transom.dev/reconciler/gitrepo"
	"transom.dev/reconciler/status"
	"transom.dev/reconciler/trigger"
	"transom.dev/reconciler/web"
	"transom.dev/render/gate"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// cooperative is a fleet whose clusters make everything healthy at once, but for images that are bad in prod.
type cooperative struct{ results chan fleet.Result }

func (c *cooperative) Checkpoint(string, string, platform.RequestKey, apply.Checkpoint) {}

func (c *cooperative) Deploy(t fleet.Target) error {
	if t.Commit == "" {
		return nil
	}
	blobs, err := t.Snapshot.Blobs("clusters")
	if err != nil {
		return err
	}
	for file := range blobs {
		cluster, key, ok := state.ParseManifestFile(file)
		if !ok {
			continue
		}
		content, err := t.Snapshot.ReadFile(file)
		if err != nil {
			return err
		}
		r := fleet.Result{
			Placement: fleet.Placement{Environment: t.Environment, Cluster: cluster, Team: key.Team, Request: key.Name},
			Commit:    t.Commit, Revision: state.Revision(content), Result: apply.Result{Health: state.Healthy, Settled: true},
		}
		if t.Environment == "prod" && bytes.Contains(content, []byte(":bad")) {
			r.Health, r.Object, r.Message = state.Failed, "Deployment.apps demo/hello-app", "pod 0: CrashLoopBackOff"
		}
		c.results <- r
	}
	return nil
}

// story is a daemon over real Git repositories, asked by the real command line.
type story struct {
	t     *testing.T
	dir   string
	board *status.Board
	latch *trigger.Latch
	wire  func(ctx context.Context, r *reconciler.Reconciler) // if set, is called before the daemon runs
}

// minimal is a story without a daemon, about the minimal example, which is in a clone and not yet merged into a branch.
func minimal(t *testing.T, branch string) *story {
	t.Helper()
	s := &story{t: t, dir: t.TempDir(), board: status.NewBoard(time.Now), latch: trigger.New()}
	s.git(s.dir, "init", "-q", "--bare", "-b", branch, "platform.git")
	s.git(s.dir, "clone", "-q", "platform.git", "clone")
	s.git(s.clone(), "checkout", "-q", "-B", branch)
	require.NoError(t, os.CopyFS(s.clone(), os.DirFS("../../examples/minimal")))
	return s
}

func newStory(t *testing.T) *story { return newWiredStory(t, nil) }

func newWiredStory(t *testing.T, wire func(context.Context, *reconciler.Reconciler)) *story {
	s := minimal(t, "main")
	s.wire = wire
	for _, name := range []string{"state-dev", "state-staging", "state-prod"} {
		s.git(s.dir, "init", "-q", "--bare", "-b", "main", name+".git")
	}
	require.NoError(t, os.RemoveAll(filepath.Join(s.clone(), ".state")))
	for name, spec := range map[string]string{
		"environments/dev.yaml":     "state: {url: ../state-dev.git}, clusters: {matchLabels: {environment: dev}}",
		"environments/staging.yaml": "state: {url: ../state-staging.git}, clusters: {matchLabels: {environment: staging}}, promotesFrom: [dev]",
		"environments/prod.yaml": "state: {url: ../state-prod.git}, clusters: {matchLabels: {environment: prod}}, promotesFrom: [staging], " +
			"gates: {approval: required}, rollout: {waves: [{name: canary, clusters: {matchLabels: {tier: canary}}}, {name: rest}]}",
		"clusters/dev.yaml": "", "clusters/staging.yaml": "", "clusters/east.yaml": "", "clusters/west.yaml": "",
	} {
		s.write(name, spec)
	}
	s.write("requests/demo/hello.yaml", `offering: app, version: "1", parameters: {image: "hello:one"}, environments: {dev: {}, staging: {}, prod: {}}`)
	s.run()
	return s
}

func (s *story) clone() string { return filepath.Join(s.dir, "clone") }

// write writes a file of the platform with its spec in flow style.
func (s *story) write(name, spec string) {
	kinds := map[string]string{"environments": "Environment", "clusters": "Cluster", "requests": "Request", "notifications": "Notification"}
	labels := map[string]string{
		"dev": "environment: dev", "staging": "environment: staging", "east": "environment: prod, tier: canary", "west": "environment: prod",
	}
	kind := kinds[strings.Split(name, "/")[0]]
	base := strings.TrimSuffix(filepath.Base(name), ".yaml")
	metadata := "name: " + base
	if kind == "Cluster" {
		metadata += ", labels: {" + labels[base] + "}"
	}
	text := "apiVersion: transom.dev/v1alpha1\nkind: " + kind + "\nmetadata: {" + metadata + "}\nspec: {" + spec + "}\n"
	require.NoError(s.t, workspace.WriteFile(filepath.Join(s.clone(), name), []byte(text)))
}

func (s *story) git(dir string, args ...string) string {
	s.t.Helper()
	cmd := exec.CommandContext(s.t.Context(), "git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_AUTHOR_NAME=Developer", "GIT_AUTHOR_EMAIL=developer@example.com",
		"GIT_COMMITTER_NAME=Developer", "GIT_COMMITTER_EMAIL=developer@example.com", "GIT_CONFIG_GLOBAL=/dev/null")
	out, err := cmd.CombinedOutput()
	require.NoError(s.t, err, string(out))
	return strings.TrimSpace(string(out))
}

// merge makes the content of the clone the platform's head.
func (s *story) merge(message string) {
	s.t.Helper()
	s.git(s.clone(), "add", "-A")
	s.git(s.clone(), "commit", "-q", "-m", message)
	s.git(s.clone(), "push", "-q", "origin", "HEAD")
	s.latch.Fire("merged")
}

func (s *story) run() {
	open := func(name string) *gitrepo.Remote {
		return &gitrepo.Remote{URL: filepath.Join(s.dir, name), Branch: "main", Dir: filepath.Join(s.dir, "mirrors", name)}
	}
	source, f := open("platform.git"), &cooperative{make(chan fleet.Result, 1000)}
	traces := &tracer{board: s.board, platform: source}
	r := &reconciler.Reconciler{
		PlatformURL: source.URL, Platform: source, Fleet: f, Board: s.board, Trigger: s.latch, Logger: slog.New(slog.DiscardHandler), Now: time.Now,
		OpenState: func(e *platform.Environment) (reconciler.StateRepo, error) {
			repo := open("state-" + e.Name + ".git")
			traces.opened(e.Name, repo)
			return repo, nil
		},
	}
	ctx, cancel := context.WithCancel(s.t.Context())
	reported, ended := make(chan struct{}), make(chan error, 1)
	if s.wire != nil {
		s.wire(ctx, r)
	}
	go func() { ended <- r.Run(ctx) }()
	go func() {
		defer close(reported)
		for name := range map[string]bool{"dev": true, "staging": true, "east": true, "west": true} {
			r.ClusterSeen(fleet.ClusterResult{Cluster: name, UID: "uid-" + name, Reachable: true})
		}
		for {
			select {
			case result := <-f.results:
				r.Placed(result)
			case <-ctx.Done():
				return
			}
		}
	}()
	server := httptest.NewServer(web.Handler(web.Options{Board: s.board, Explain: traces.explain}))
	s.t.Setenv("TRANSOM_SERVER", server.URL)
	s.t.Cleanup(func() {
		server.Close()
		cancel()
		<-reported
		require.NoError(s.t, <-ended)
	})
}

// transom runs a command line and returns its output.
func (s *story) transom(args ...string) string {
	s.t.Helper()
	var out, told bytes.Buffer
	require.NoError(s.t, run(s.t.Context(), args, nil, &out, &told), told.String()+out.String())
	return out.String()
}

// becomes waits until status of the request in an environment satisfies ok.
func (s *story) becomes(environment, what string, ok func(status.Instance) bool) {
	s.t.Helper()
	changed, end := s.board.Subscribe()
	defer end()
	limit := time.After(time.Minute)
	for {
		all := s.board.Status()
		for _, in := range all.Instances {
			if in.Environment == environment && in.Request.Name == "hello" && ok(in) {
				return
			}
		}
		select {
		case <-changed:
		case <-limit:
			require.FailNow(s.t, what, "%s", s.transom("status", "demo/hello"))
		}
	}
}

func waitsFor(name gate.Name) func(status.Instance) bool {
	return func(in status.Instance) bool {
		for _, g := range in.Waiting {
			if g.Name == name {
				return true
			}
		}
		return false
	}
}

func settled(in status.Instance) bool {
	for _, p := range in.Placements {
		if p.Health != "Healthy" || p.Stage != status.Healthy {
			return false
		}
	}
	return len(in.Placements) > 0 && in.Rollout == nil && len(in.Waiting) == 0
}

// approve has the command line write the Approval of the release that waits for prod, and merges it.
func (s *story) approve() {
	s.t.Helper()
	s.becomes("prod", "it never waited for an approval", waitsFor("approval"))
	require.Contains(s.t, s.transom("promote", "demo/hello", "-e", "prod", "-C", s.clone()), "wrote decisions/prod/demo-hello-")
	s.merge("approve it")
}

// TestCommandLineFollowsARelease takes a request from dev to prod, through an approval, and a bad image back, with every
// command that tells about it.
func TestCommandLineFollowsARelease(t *testing.T) {
	s := newStory(t)
	s.merge("say hello")
	s.approve()
	s.becomes("prod", "the first release never settled", settled)
	require.Regexp(t, `(?m)^✓ prod at [0-9a-f]{7}: 4 files below clusters/ are`, s.transom("verify", "prod", "-C", s.clone()))

	s.write("requests/demo/hello.yaml", `offering: app, version: "1", parameters: {image: "hello:bad"}, environments: {dev: {}, staging: {}, prod: {}}`)
	s.merge("say it badly")
	s.approve()
	s.becomes("prod", "the bad one never came back", func(in status.Instance) bool { return len(in.Rejected) > 0 && in.Rollout == nil })

	told := s.transom("status", "demo/hello")
	require.Regexp(t, `rejected: failed on east: .*Deployment.apps demo/hello-app: pod 0: CrashLoopBackOff`, told)
	require.Equal(t, 1, strings.Count(told, "CrashLoopBackOff"), "it failed once: %s", told)
	require.Contains(t, told, "parameters.image: hello:one → hello:bad")
	history := s.transom("history", "demo/hello", "-e", "prod", "-C", s.clone())
	for _, line := range []string{
		`(?m)rolled back to app 1.0.0 \([0-9a-f]{7}\)$`, `rejected 1.0.0 \([0-9a-f]{7}\): east: .*Deployment.apps demo/hello-app: pod 0: CrashLoopBackOff`,
		`reached west`, `took app 1.0.0 \([0-9a-f]{7}\).*, from staging`, `passed approval.*decisions/prod/demo-hello-[0-9a-f]{7}.yaml`,
	} {
		require.Regexp(t, line, history)
	}
	explained := s.transom("explain", "demo/hello", "-e", "prod", "--cluster", "east")
	require.Regexp(t, `requests/demo/hello.yaml:4  commit [0-9a-f]{7} of .*platform.git`, explained)
	require.Contains(t, explained, "say hello")

	commits := strings.Fields(s.git(s.dir, "-C", "state-prod.git", "log", "--format=%H", "main"))
	require.Greater(t, len(commits), 3)
	for _, commit := range commits {
		require.Contains(t, s.transom("verify", "prod@"+commit, "-C", s.clone()), "✓ prod at ", "every state that ever was can be rendered again")
	}
}

// TestCommandLineRollsBackAndPins has a person go back to the release before: with a Pin that the machine obeys past the
// approval that everything else needs, and that shows as debt until it is deleted.
func TestCommandLineRollsBackAndPins(t *testing.T) {
	s := newStory(t)
	s.merge("say hello")
	s.approve()
	s.becomes("prod", "the first release never settled", settled)
	first := s.prod()
	s.write("requests/demo/hello.yaml", `offering: app, version: "1", parameters: {image: "hello:two"}, environments: {dev: {}, staging: {}, prod: {}}`)
	s.merge("say it again")
	s.approve()
	s.becomes("prod", "the second release never settled", func(in status.Instance) bool { return settled(in) && in.Release != first })
	second := s.prod()

	told := s.transom("rollback", "demo/hello", "-e", "prod", "--reason", "orders are lost", "-C", s.clone())
	require.Contains(t, told, "wrote decisions/prod/pin-demo-hello.yaml: roll back demo/hello to ")
	s.merge("go back")
	s.becomes("prod", "the pin was not obeyed", func(in status.Instance) bool { return in.Release != second && len(in.Debts) > 0 && in.Rollout == nil })
	require.Regexp(t, `(?m)debt .*pin-demo-hello`, s.transom("status", "demo/hello"))
	require.Regexp(t, `rolled back to|took app 1.0.0 \([0-9a-f]{7}\), pin`, s.transom("history", "demo/hello", "-e", "prod", "-C", s.clone()))
	require.Contains(t, s.transom("verify", "prod", "-C", s.clone()), "✓ prod at ")
	require.NoError(t, os.Remove(filepath.Join(s.clone(), "decisions/prod/pin-demo-hello.yaml")))

	require.Contains(t, s.transom("pin", "demo/hello", strings.TrimPrefix(second, "sha256:")[:7], "-e", "prod", "--reason", "it was not that", "-C", s.clone()), "wrote ")
	s.merge("go forward")
	s.becomes("prod", "the other pin was not obeyed", func(in status.Instance) bool { return in.Release == second && in.Rollout == nil })
}

// prod is the release that prod runs.
func (s *story) prod() string {
	for _, in := range s.board.Status().Instances {
		if in.Environment == "prod" {
			return in.Release
		}
	}
	return ""
}
