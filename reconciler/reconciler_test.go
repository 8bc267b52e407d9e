package reconciler_test

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/fleet"
	"transom.dev/fleet/apply"
	"transom.dev/reconciler"
	"transom.dev/reconciler/gitrepo"
	"transom.dev/reconciler/status"
	"transom.dev/reconciler/trigger"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// deployments is a fleet that only remembers its targets, and where report is set, finds everything healthy at once.
type deployments struct {
	mu     sync.Mutex
	latest map[string]fleet.Target
	told   chan struct{}
	report func(fleet.Result)
	kept   map[string][]apply.Checkpoint // by environment
}

func (d *deployments) Deploy(t fleet.Target) error {
	d.mu.Lock()
	d.latest[t.Environment] = t
	report := d.report
	d.mu.Unlock()
	select {
	case d.told <- struct{}{}:
	default:
	}
	if report == nil {
		return nil
	}
	return reportHealthy(t, report)
}

// reportHealthy says of everything that a target has on its clusters that it is there and well, and of a removed instance
// that it is gone.
func reportHealthy(t fleet.Target, report func(fleet.Result)) error {
	if t.Snapshot == nil {
		return nil // it was let go
	}
	releases, err := t.Snapshot.Blobs("releases")
	if err != nil {
		return err
	}
	for _, cluster := range t.Clusters {
		for file := range releases {
			content, err := t.Snapshot.ReadFile(file)
			if err != nil {
				return err
			}
			if r, err := state.DecodeRelease(content); err != nil {
				return err
			} else if r.Absent {
				report(fleet.Result{
					Placement: fleet.Placement{Environment: t.Environment, Cluster: cluster.Name, Team: r.Key.Team, Request: r.Key.Name}, Absent: true,
					Result: apply.Result{Health: state.Healthy, Settled: true},
				})
			}
		}
		files, err := t.Snapshot.Blobs("clusters/" + cluster.Name)
		if err != nil {
			return err
		}
		for file := range files {
			content, err := t.Snapshot.ReadFile(file)
			if err != nil {
				return err
			}
			parts := strings.Split(strings.TrimSuffix(file, ".yaml"), "/")
			anew := ""
			if record, err := t.Snapshot.ReadFile("releases/" + parts[2] + "/" + parts[3] + ".yaml"); err == nil {
				r, err := state.DecodeRelease(record)
				if err != nil {
					return err
				}
				anew = r.Clusters[cluster.Name].Anew
			}
			report(fleet.Result{
				Placement: fleet.Placement{Environment: t.Environment, Cluster: cluster.Name, Team: parts[2], Request: parts[3]},
				Revision:  state.Revision(content), Anew: anew, Result: apply.Result{Health: state.Healthy, Settled: true},
			})
		}
	}
	return nil
}

// says sets the report about every target that is deployed from now on.
func (d *deployments) says(report func(fleet.Result)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.report = report
}

// Checkpoint remembers all that clusters are asked to remember.
func (d *deployments) Checkpoint(environment, _ string, _ platform.RequestKey, c apply.Checkpoint) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.kept == nil {
		d.kept = map[string][]apply.Checkpoint{}
	}
	d.kept[environment] = append(d.kept[environment], c)
}

// soaked lists the soaks that the clusters of an environment were asked to remember, oldest first.
func (d *deployments) soaked(environment string) (all []time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range d.kept[environment] {
		all = append(all, c.Soaked)
	}
	return all
}

// answered is the last text about checks that a cluster of an environment was asked to remember.
func (d *deployments) answered(environment string) (text string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range d.kept[environment] {
		text = c.Checks
	}
	return text
}

func (d *deployments) of(environment string) fleet.Target {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.latest[environment]
}

// system is a reconciler between real Git repositories and a fleet that remembers.
type system struct {
	*reconciler.Reconciler
	t       testing.TB
	dir     string
	fleet   *deployments
	stopped chan error
	stop    context.CancelFunc
}

func newSystem(t testing.TB) *system {
	t.Helper()
	s := &system{t: t, dir: t.TempDir(), fleet: &deployments{latest: map[string]fleet.Target{}, told: make(chan struct{}, 1)}}
	s.git(s.dir, "init", "-q", "--bare", "-b", "main", "platform.git")
	s.git(s.dir, "init", "-q", "--bare", "-b", "main", "state-dev.git")
	s.git(s.dir, "clone", "-q", "platform.git", "platform")
	s.git(s.clone(), "checkout", "-q", "-B", "main")
	s.push("begin", "../examples/minimal")
	s.Reconciler = &reconciler.Reconciler{
		PlatformURL: "platform.git",
		Platform:    s.remote("platform"),
		OpenState:   func(e *platform.Environment) (reconciler.StateRepo, error) { return s.remote("state-" + e.Name), nil },
		Fleet:       s.fleet,
		Board:       status.NewBoard(time.Now),
		Trigger:     trigger.New(),
		Logger:      slog.New(slog.DiscardHandler),
		Now:         time.Now,
	}
	return s
}

func (s *system) clone() string { return filepath.Join(s.dir, "platform") }

func (s *system) remote(name string) *gitrepo.Remote {
	return &gitrepo.Remote{URL: filepath.Join(s.dir, name+".git"), Branch: "main", Dir: filepath.Join(s.dir, "mirrors", name)}
}

func (s *system) git(dir string, args ...string) string {
	s.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_AUTHOR_NAME=Payments", "GIT_AUTHOR_EMAIL=payments@acme.example",
		"GIT_COMMITTER_NAME=Payments", "GIT_COMMITTER_EMAIL=payments@acme.example", "GIT_CONFIG_GLOBAL=/dev/null")
	out, err := cmd.CombinedOutput()
	require.NoError(s.t, err, "git %s: %s", strings.Join(args, " "), out)
	return strings.TrimSpace(string(out))
}

// push lays the files of dir over the clone and pushes them.
func (s *system) push(message, dir string) string {
	s.t.Helper()
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		file := filepath.Join(s.clone(), name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		return os.WriteFile(file, data, 0o644)
	})
	require.NoError(s.t, err)
	return s.commit(message)
}

func (s *system) commit(message string) string {
	s.t.Helper()
	s.git(s.clone(), "add", "-A")
	s.git(s.clone(), "commit", "-q", "-m", message)
	s.git(s.clone(), "push", "-q", "origin", "HEAD:main")
	return s.git(s.clone(), "rev-parse", "HEAD")
}

func (s *system) run() {
	ctx, cancel := context.WithCancel(s.t.Context())
	s.stop, s.stopped = cancel, make(chan error, 1)
	go func() { s.stopped <- s.Run(ctx) }()
	s.t.Cleanup(func() {
		cancel()
		require.NoError(s.t, <-s.stopped)
	})
}

// deployed waits until the fleet was told a target for which ok is true.
func (s *system) deployed(environment string, ok func(fleet.Target) bool) fleet.Target {
	s.t.Helper()
	limit := time.After(time.Minute)
	for {
		if t := s.fleet.of(environment); t.Environment != "" && ok(t) {
			return t
		}
		select {
		case <-s.fleet.told:
		case <-limit:
			require.FailNow(s.t, "not deployed", "%+v", s.fleet.of(environment))
		}
	}
}

// TestReconcileDeploysCommittedState is invariant 2 on this side of the fleet: every manifest that is handed over can be
// read off the state repository, at the commit that it names.
func TestReconcileDeploysCommittedState(t *testing.T) {
	s := newSystem(t)
	s.run()
	s.Trigger.Fire("test")
	target := s.deployed("dev", func(t fleet.Target) bool { return t.Commit != "" })
	blobs, err := target.Snapshot.Blobs(".")
	require.NoError(t, err)
	require.NotEmpty(t, blobs)
	for file, blob := range blobs {
		require.Equal(t, blob, s.git(s.dir+"/state-dev.git", "rev-parse", target.Commit+":"+file))
	}
}

// TestStatusKnowsTheCatalogue: the console shows the offerings of the platform that the status is of.
func TestStatusKnowsTheCatalogue(t *testing.T) {
	s := newSystem(t)
	s.run()
	s.Trigger.Fire("test")
	s.deployed("dev", func(t fleet.Target) bool { return t.Commit != "" })
	shown := s.Board.Status().Platform
	require.NotEmpty(t, shown.Offers().Offerings)
	require.Equal(t, shown.Commit, shown.Offers().Commit)
}

// TestEveryStateCommitNamesItsCause is invariant 12 on the side of Git.
func TestEveryStateCommitNamesItsCause(t *testing.T) {
	s := newSystem(t)
	s.run()
	s.Trigger.Fire("test")
	s.deployed("dev", func(t fleet.Target) bool { return t.Commit != "" })
	head := s.git(s.clone(), "rev-parse", "HEAD")
	message := s.git(s.dir+"/state-dev.git", "log", "-1", "--format=%B")
	require.Contains(t, message, "\nTransom-Platform-Commit: "+head)
	require.Contains(t, message, "\nTransom-Release: demo/hello sha256:")
	require.Contains(t, message, "\nCo-authored-by: Payments <payments@acme.example>")
}

func TestPassWithoutAChangeCommitsNothing(t *testing.T) {
	s := newSystem(t)
	s.run()
	s.Trigger.Fire("test")
	first := s.deployed("dev", func(t fleet.Target) bool { return t.Commit != "" })
	require.NoError(t, os.WriteFile(filepath.Join(s.clone(), "README.md"), []byte("hello\n"), 0o644))
	head := s.commit("only words")
	s.Trigger.Fire("test")
	s.stands("dev", head)
	require.Equal(t, first.Commit, s.git(s.dir+"/state-dev.git", "rev-parse", "main"))
}

func TestStatusSaysWhatAStateCommitDid(t *testing.T) {
	s := newSystem(t)
	s.run()
	s.Trigger.Fire("test")
	s.stands("dev", s.git(s.clone(), "rev-parse", "HEAD"))
	commit := s.git(s.dir+"/state-dev.git", "rev-parse", "main")
	require.Equal(t, "dev: "+s.Board.Status().Environments[0].Did, s.git(s.dir+"/state-dev.git", "log", "-1", "--format=%s", "main"))
	var said []string
	for _, e := range s.Board.History() {
		said = append(said, e.Message)
	}
	require.Contains(t, said, commit[:7]+": "+s.Board.Status().Environments[0].Did)
}

// TestWhatAReleaseChangesIsSaid, while it waits and in the commit that brings it.
func TestWhatAReleaseChangesIsSaid(t *testing.T) {
	s := newSystem(t)
	s.fleet.says(s.Placed)
	s.run()
	s.Trigger.Fire("test")
	s.stands("dev", s.git(s.clone(), "rev-parse", "HEAD"))
	s.rests("dev")
	ask := func(hold bool) {
		request := fmt.Sprintf("spec:\n  offering: app\n  version: \"1\"\n  parameters: {image: \"hello:2\"}\n  environments: {dev: {hold: %t}}\n", hold)
		require.NoError(t, os.WriteFile(filepath.Join(s.clone(), "requests/demo/hello.yaml"), []byte(document("Request", "hello")+request), 0o644))
		head := s.commit("another image")
		s.Trigger.Fire("test")
		s.stands("dev", head)
	}
	ask(true)
	in := s.Board.Status().Instances[0]
	require.NotNil(t, in.Candidate)
	require.Equal(t, []platform.Difference{{Field: "parameters.image", Before: "registry.acme.example/hello:1.0.0", After: "hello:2"}}, in.Candidate.Changes)
	ask(false)
	require.Contains(t, s.git(s.dir+"/state-dev.git", "log", "--format=%B", "main"), "\n  parameters.image: registry.acme.example/hello:1.0.0 → hello:2\n")
}

// stands waits until status says that an environment was reconciled with a platform commit.
func (s *system) stands(environment, commit string) {
	s.t.Helper()
	changed, end := s.Board.Subscribe()
	defer end()
	limit := time.After(time.Minute)
	for {
		for _, e := range s.Board.Status().Environments {
			if e.Name == environment && e.Commit == commit {
				return
			}
		}
		select {
		case <-changed:
		case <-limit:
			require.FailNow(s.t, "not reconciled", "%+v", s.Board.Status())
		}
	}
}

func TestClusterIsPinnedAtFirstContact(t *testing.T) {
	s := newSystem(t)
	s.run()
	s.Trigger.Fire("test")
	s.deployed("dev", func(t fleet.Target) bool { return t.Commit != "" && t.Clusters[0].UID == "" })
	s.ClusterSeen(fleet.ClusterResult{Cluster: "dev", UID: "uid-1", Reachable: true})
	s.deployed("dev", func(t fleet.Target) bool { return t.Clusters[0].UID == "uid-1" })
	s.ClusterSeen(fleet.ClusterResult{Cluster: "dev", UID: "uid-2", Reachable: true})
	require.NoError(t, os.WriteFile(filepath.Join(s.clone(), "README.md"), []byte("again\n"), 0o644))
	s.stands("dev", func() string { head := s.commit("words"); s.Trigger.Fire("test"); return head }())
	require.Equal(t, "uid-1", s.fleet.of("dev").Clusters[0].UID, "another cluster under the same name is not believed")
}

func TestEnvironmentWithoutAFileIsLetGo(t *testing.T) {
	s := newSystem(t)
	s.run()
	s.Trigger.Fire("test")
	s.deployed("dev", func(t fleet.Target) bool { return t.Commit != "" })
	s.git(s.clone(), "rm", "-q", "environments/dev.yaml")
	s.commit("no dev any more")
	s.Trigger.Fire("test")
	s.deployed("dev", func(t fleet.Target) bool { return t.Clusters == nil })
	require.NotEmpty(t, s.git(s.dir+"/state-dev.git", "ls-tree", "-r", "main", "clusters"), "its state stays")
}
