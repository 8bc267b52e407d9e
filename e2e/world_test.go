package e2e_test

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/tools/txtar"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"transom.dev/reconciler/status"
	"transom.dev/render/state"
)

// deadline bounds every wait. It is generous: a slow machine makes a test slow, never red.
const deadline = 3 * time.Minute

// world is a platform with its repositories, its fleet and its daemon.
type world struct {
	t      testing.TB
	dir    string
	bin    string
	fleet  string // directory of the sandbox
	keys   string // directory of the kubeconfigs that the daemon is given
	data   string // directory of the daemon's caches
	flags  []string
	daemon *exec.Cmd
	api    string
	asker  *http.Client // by which the daemon is asked; nil: http.DefaultClient

	etcdURL   string // where the sandbox's etcd is; "" until it is asked for
	meanwhile func() // if set: called again and again while the test waits for something

	patience time.Duration // how long to wait for anything; 0: deadline
}

// newWorld starts a fleet and makes the bare repositories platform.git and state-<environment>.git, with the platform
// that archive describes pushed to the first. The daemon is not started.
func newWorld(t testing.TB, archive string, clusters []string, sandboxFlags ...string) *world {
	t.Helper()
	fsys, err := txtar.FS(txtar.Parse([]byte(archive)))
	require.NoError(t, err)
	return newWorldFrom(t, fsys, clusters, sandboxFlags...)
}

// newWorldFrom is newWorld for a platform in a directory.
func newWorldFrom(t testing.TB, source fs.FS, clusters []string, sandboxFlags ...string) *world {
	t.Helper()
	return newWorldOn(t, startSandbox(t, binaries(t), clusters, sandboxFlags...), source)
}

// newWorldOn is newWorldFrom on a fleet that runs already.
func newWorldOn(t testing.TB, fleet string, source fs.FS) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), bin: binaries(t), fleet: fleet}
	w.keys, w.data = filepath.Join(w.fleet, "kubeconfigs"), filepath.Join(w.dir, "data")
	w.git(w.dir, "init", "-q", "--bare", "-b", "main", "platform.git")
	w.git(w.dir, "clone", "-q", "platform.git", "platform")
	w.git(w.clone(), "checkout", "-q", "-B", "main")
	require.NoError(t, os.CopyFS(w.clone(), source))
	environments, err := fs.Glob(source, "environments/*.yaml")
	require.NoError(t, err)
	for _, file := range environments {
		name := strings.TrimSuffix(path.Base(file), ".yaml")
		w.git(w.dir, "init", "-q", "--bare", "-b", "main", "state-"+name+".git")
	}
	w.push("begin", nil)
	return w
}

// binaries returns the directory with the built binaries.
func binaries(t testing.TB) string {
	t.Helper()
	bin, err := filepath.Abs("../bin")
	require.NoError(t, err)
	for _, name := range []string{"transom", "sandbox"} {
		require.FileExists(t, filepath.Join(bin, name), "run `make build` first")
	}
	return bin
}

// startSandbox starts a fleet that ends with the test and returns its directory.
func startSandbox(t testing.TB, bin string, clusters []string, flags ...string) string {
	t.Helper()
	dir := t.TempDir()
	runSandbox(t, bin, dir, append([]string{"up", "--clusters", strings.Join(clusters, ",")}, flags...)...)
	return dir
}

// runSandbox runs the sandbox in a directory until the test ends. It returns once that is ready.
func runSandbox(t testing.TB, bin, dir string, args ...string) {
	t.Helper()
	cmd := exec.Command(filepath.Join(bin, "sandbox"), append(args, "--dir", dir)...)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	cmd.Stderr = os.Stderr
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
	ready := make(chan bool, 1)
	go func() {
		lines := bufio.NewScanner(out)
		seen := false
		for lines.Scan() {
			if !seen && strings.HasPrefix(lines.Text(), "ready") {
				seen = true
				ready <- true
			}
		}
		if !seen {
			ready <- false
		}
	}()
	select {
	case ok := <-ready:
		require.True(t, ok, "the sandbox ended before it was ready; its logs are in %s", dir)
	case <-time.After(deadline):
		require.FailNow(t, "the sandbox did not become ready")
	}
}

func (w *world) clone() string { return filepath.Join(w.dir, "platform") }

// git runs a git command and returns its output.
func (w *world) git(dir string, args ...string) string {
	w.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_AUTHOR_NAME=Platform Team", "GIT_AUTHOR_EMAIL=platform@acme.example",
		"GIT_COMMITTER_NAME=Platform Team", "GIT_COMMITTER_EMAIL=platform@acme.example", "GIT_CONFIG_GLOBAL=/dev/null")
	out, err := cmd.CombinedOutput()
	require.NoError(w.t, err, "git %s: %s", strings.Join(args, " "), out)
	return strings.TrimSpace(string(out))
}

// push commits files to the platform, where empty content removes a file, and returns the commit.
func (w *world) push(message string, files map[string]string) string {
	w.t.Helper()
	for name, content := range files {
		file := filepath.Join(w.clone(), name)
		if content == "" {
			require.NoError(w.t, os.Remove(file))
			continue
		}
		require.NoError(w.t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(w.t, os.WriteFile(file, []byte(content), 0o644))
	}
	w.git(w.clone(), "add", "-A")
	w.git(w.clone(), "commit", "-q", "-m", message)
	w.git(w.clone(), "push", "-q", "origin", "HEAD:main")
	return w.git(w.clone(), "rev-parse", "HEAD")
}

// document is a file of a platform; spec is in flow style.
func document(kind, name, spec string) string {
	return fmt.Sprintf("apiVersion: transom.dev/v1alpha1\nkind: %s\nmetadata: {name: %s}\nspec: {%s}\n", kind, name, spec)
}

// published is a version of an offering with one file of manifests.
func published(offering, number, more, manifests string) string {
	at := "offerings/" + offering
	return "-- " + at + "/" + number + "/version.yaml --\n" + document("Version", offering, "parameters: {type: object}"+more) +
		"-- " + at + "/" + number + "/kustomization.yaml --\napiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: [all.yaml]\n" +
		"-- " + at + "/" + number + "/all.yaml --\n" + manifests
}

// start runs the daemon.
func (w *world) start() {
	w.t.Helper()
	args := []string{
		"serve", "--platform", filepath.Join(w.dir, "platform.git"), "--kubeconfigs", w.keys, "--data", w.data,
		"--listen", "127.0.0.1:0", "--log-format", "json", "--verbose",
	}
	w.run(exec.Command(filepath.Join(w.bin, "transom"), append(args, w.flags...)...))
}

// run runs a command that is the daemon.
func (w *world) run(daemon *exec.Cmd) {
	w.t.Helper()
	w.daemon = daemon
	stderr, err := w.daemon.StderrPipe()
	require.NoError(w.t, err)
	require.NoError(w.t, w.daemon.Start())
	addresses := make(chan string, 1)
	go w.readLog(stderr, addresses)
	select {
	case w.api = <-addresses:
	case <-time.After(deadline):
		require.FailNow(w.t, "the daemon did not start", w.lastLog())
	}
	w.t.Cleanup(func() { _ = daemon.Process.Kill() })
}

// readLog keeps the daemon's log and finds the address of its console in it.
func (w *world) readLog(r io.Reader, addresses chan<- string) {
	file, err := os.OpenFile(filepath.Join(w.dir, "daemon.log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return
	}
	defer func() { _ = file.Close() }()
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		_, _ = fmt.Fprintln(file, lines.Text())
		var entry struct{ Console string }
		if json.Unmarshal(lines.Bytes(), &entry) == nil && entry.Console != "" {
			addresses <- entry.Console
		}
	}
}

// kill ends the daemon without a warning.
func (w *world) kill() {
	require.NoError(w.t, w.daemon.Process.Kill())
	_ = w.daemon.Wait()
}

// stop asks the daemon to end and requires that it does, in peace.
func (w *world) stop() {
	require.NoError(w.t, w.daemon.Process.Signal(syscall.SIGTERM))
	require.NoError(w.t, w.daemon.Wait(), "the daemon drains on SIGTERM and exits 0")
}

// eventually waits until check returns nil.
func (w *world) eventually(what string, check func() error) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), cmp.Or(w.patience, deadline))
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			require.FailNow(w.t, what+": "+err.Error(), w.lastLog())
		}
		if w.meanwhile != nil {
			w.meanwhile()
		}
	}
}

// lastLog is the end of the daemons' log.
func (w *world) lastLog() string {
	log, _ := exec.Command("tail", "-n", "40", filepath.Join(w.dir, "daemon.log")).Output()
	return string(log)
}

// said is every line of the daemon's log with a word.
func (w *world) said(word string) string {
	log, _ := exec.Command("grep", "-F", word, filepath.Join(w.dir, "daemon.log")).Output()
	return string(log)
}

// status asks the daemon for its status.
func (w *world) status() (s status.Status, err error) {
	response, err := w.asking().Get(w.api + "/api/v1/status")
	if err != nil {
		return s, err
	}
	defer func() { _ = response.Body.Close() }()
	return s, json.NewDecoder(response.Body).Decode(&s)
}

// follows returns an error until the daemon took in a platform commit everywhere.
func follows(s status.Status, commit string) error {
	if behind := s.Behind(); s.Platform.Commit != commit || len(behind) > 0 {
		return fmt.Errorf("the daemon is at %q and %q are behind, want %s: %+v", s.Platform.Commit, behind, commit, s.Environments)
	}
	return nil
}

// healthy returns an error until every instance is healthy on every cluster, at the platform commit; a
// negative number of instances stands for any.
func (w *world) healthy(commit string, instances int) error {
	s, err := w.status()
	if err != nil {
		return err
	}
	if err := follows(s, commit); err != nil {
		return err
	}
	if instances >= 0 && len(s.Instances) != instances {
		return fmt.Errorf("%d instances, want %d", len(s.Instances), instances)
	}
	for _, in := range s.Instances {
		if len(in.Problems) > 0 || len(in.Placements) == 0 {
			return fmt.Errorf("%s in %s: %v", in.Request, in.Environment, in.Problems)
		}
		for _, p := range in.Placements {
			if p.Stage != status.Healthy {
				return fmt.Errorf("%s in %s on %s: %s %s %s", in.Request, in.Environment, p.Cluster, p.Stage, p.Health, p.Message)
			}
		}
	}
	return nil
}

// standing is an instance of an environment in status.
func (w *world) standing(environment, request string) (*status.Instance, error) {
	s, err := w.status()
	if err != nil {
		return nil, err
	}
	for i := range s.Instances {
		if in := &s.Instances[i]; in.Environment == environment && in.Request.Name == request {
			return in, nil
		}
	}
	return nil, fmt.Errorf("%s has no %s", environment, request)
}

// shows returns an error until status has a placement of an instance that is as asked.
func (w *world) shows(environment, request string, as func(status.Placement) bool) error {
	in, err := w.standing(environment, request)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(in.Placements, as) {
		return fmt.Errorf("%s in %s: %+v", request, environment, in.Placements)
	}
	return nil
}

// recorded is the record of an instance at the head of its environment's state.
func (w *world) recorded(environment, team, request string) *state.Release {
	w.t.Helper()
	r, err := state.DecodeRelease([]byte(w.git(w.dir, "-C", "state-"+environment+".git", "show", "main:releases/"+team+"/"+request+".yaml")))
	require.NoError(w.t, err)
	return r
}

func (w *world) config(cluster string) *rest.Config {
	w.t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", filepath.Join(w.fleet, "kubeconfigs", cluster+".kubeconfig"))
	require.NoError(w.t, err)
	config.QPS, config.Burst = 1000, 1000
	return config
}

func (w *world) client(cluster string) kubernetes.Interface {
	w.t.Helper()
	client, err := kubernetes.NewForConfig(w.config(cluster))
	require.NoError(w.t, err)
	return client
}
