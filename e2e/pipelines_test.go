package e2e_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

// A runner is a machine of a forge on which a pipeline runs that "transom init" wrote. Its checkout is of a branch of the platform, its
// commands are the machine's own but for those in bin, and nothing leads to a network beyond this machine.
type runner struct {
	*world
	bin, home, checkout string
}

// newRunner begins a platform with its states, and proposes a change of it on a branch.
func newRunner(t *testing.T) *runner {
	t.Helper()
	dir := t.TempDir()
	r := &runner{&world{t: t, dir: dir, bin: binaries(t)}, filepath.Join(dir, "bin"), filepath.Join(dir, "home"), filepath.Join(dir, "checkout")}
	for _, made := range []string{r.bin, r.home} {
		require.NoError(t, os.Mkdir(made, 0o755))
	}
	out, err := exec.Command(filepath.Join(r.world.bin, "transom"), "init", filepath.Join(dir, "platform")).CombinedOutput()
	require.NoError(t, err, "%s", out)
	for _, name := range []string{"platform", "state-dev", "state-prod"} {
		r.git(dir, "init", "-q", "--bare", "-b", "main", name+".git")
	}
	r.git(r.clone(), "init", "-q", "-b", "main")
	r.git(r.clone(), "remote", "add", "origin", filepath.Join(dir, "platform.git"))
	r.push("begin", nil)
	r.git(r.clone(), "checkout", "-q", "-b", "change")
	r.git(dir, "clone", "-q", "platform.git", "checkout")
	return r
}

// propose has the checkout be of the branch with one more file.
func (r *runner) propose(file, content string) {
	r.t.Helper()
	at := filepath.Join(r.clone(), file)
	require.NoError(r.t, os.WriteFile(at, []byte(content), 0o644))
	r.git(r.clone(), "add", "-A")
	r.git(r.clone(), "commit", "-q", "-m", "change "+file)
	r.git(r.clone(), "push", "-q", "origin", "change")
	r.git(r.checkout, "fetch", "-q", "origin")
	r.git(r.checkout, "checkout", "-q", "--detach", "origin/change")
}

// stand has a script stand in for a command that this machine does not have, or must not run.
func (r *runner) stand(command, script string) {
	r.t.Helper()
	require.NoError(r.t, os.WriteFile(filepath.Join(r.bin, command), []byte("#!/bin/bash\nset -euo pipefail\n"+script), 0o755))
}

// runs runs shell lines in the checkout, and returns what they print and how they exit.
func (r *runner) runs(script string, env ...string) (string, int) {
	r.t.Helper()
	cmd := exec.CommandContext(r.t.Context(), "bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", script)
	cmd.Dir = r.checkout
	cmd.Env = append([]string{"HOME=" + r.home, "PATH=" + r.bin + ":" + os.Getenv("PATH"), "NO_COLOR=1", "TRANSOM_URL=file://" + filepath.Join(r.world.bin, "transom")}, env...)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return string(out), exit.ExitCode()
	}
	require.NoError(r.t, err)
	return string(out), 0
}

// digest is that of the binary that pipelines fetch.
func (r *runner) digest() string {
	r.t.Helper()
	out, err := exec.Command("sha256sum", filepath.Join(r.world.bin, "transom")).Output()
	require.NoError(r.t, err)
	return strings.Fields(string(out))[0]
}

// another is the request that "transom init" wrote, under another name.
func (r *runner) another(name string) string {
	r.t.Helper()
	first, err := os.ReadFile(filepath.Join(r.clone(), "requests", "demo", "hello.yaml"))
	require.NoError(r.t, err)
	require.Contains(r.t, string(first), "offering: app\n")
	return strings.ReplaceAll(string(first), "hello", name)
}

// wrong is a request of an offering that there is not.
func (r *runner) wrong(name string) string {
	r.t.Helper()
	return strings.Replace(r.another(name), "offering: app\n", "offering: nothing\n", 1)
}

// gitHubPipeline are the fields of a workflow that is run here.
type gitHubPipeline struct {
	On          string `json:"true"` // which is how a reader of YAML 1.1 takes "on"
	Permissions map[string]string
	Jobs        map[string]struct {
		Steps []struct {
			Name, If, Run, Uses string
			Env                 map[string]string
		}
	}
}

// runGitHub runs the steps of the workflow as Actions does, and returns their output and exits by name.
func (r *runner) runGitHub() (said map[string]string, exits map[string]int) {
	t := r.t
	t.Helper()
	content, err := os.ReadFile(filepath.Join(r.clone(), ".github", "workflows", "transom.yaml"))
	require.NoError(t, err)
	var p gitHubPipeline
	require.NoError(t, yaml.Unmarshal(content, &p))
	require.Equal(t, "pull_request", p.On)
	require.Equal(t, map[string]string{"contents": "read", "pull-requests": "write"}, p.Permissions)
	path := filepath.Join(r.home, "path")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	values := strings.NewReplacer(
		"${{ vars.TRANSOM_URL }}", "file://"+filepath.Join(r.world.bin, "transom"), "${{ vars.TRANSOM_SHA256 }}", r.digest(),
		"${{ secrets.STATE_TOKEN }}", "state-token", "${{ github.token }}", "forge-token", "${{ github.event.number }}", "7",
	)
	said, exits = map[string]string{}, map[string]int{}
	failed := false
	for _, step := range p.Jobs["check"].Steps {
		if step.Uses != "" {
			require.Regexp(t, `^actions/checkout@v\d+$`, step.Uses)
			continue
		}
		always := strings.HasPrefix(step.If, "!cancelled()")
		require.Contains(t, []string{"", "env.STATE_TOKEN != ''", "!cancelled() && github.event.pull_request.head.repo.full_name == github.repository"}, step.If)
		if failed && !always {
			continue
		}
		added, err := os.ReadFile(path)
		require.NoError(t, err)
		env := []string{"RUNNER_TEMP=" + r.home, "GITHUB_PATH=" + path, "GITHUB_SERVER_URL=https://github.example", "GITHUB_BASE_REF=main"}
		if dirs := strings.Fields(string(added)); len(dirs) > 0 {
			env = append(env, "PATH="+strings.Join(dirs, ":")+":"+r.bin+":"+os.Getenv("PATH"))
		}
		for name, value := range step.Env {
			value = values.Replace(value)
			require.NotContains(t, value, "${{", "%s of %s", name, step.Name)
			env = append(env, name+"="+value)
		}
		said[step.Name], exits[step.Name] = r.runs(step.Run, env...)
		failed = failed || exits[step.Name] != 0
	}
	return said, exits
}

// gh stands in for GitHub's command. It has the comments of one account on a pull request, and edits and makes them as its manual says.
const gh = `
[ "$GH_TOKEN" = forge-token ]
[ "$1 $2 $3" = "pr comment 7" ]; shift 3
edit= create= file=
while [ $# -gt 0 ]; do
  case "$1" in
  --edit-last) edit=1;;
  --create-if-none) create=1;;
  --body-file) file="$2"; shift;;
  *) echo "unknown flag: $1" >&2; exit 1;;
  esac
  shift
done
[ -z "$create" ] || [ -n "$edit" ] || { echo "--create-if-none can only be used with --edit-last" >&2; exit 1; }
last=$(ls "$HOME"/comment-* 2>/dev/null | tail -n 1 || true)
if [ -n "$edit" ] && [ -n "$last" ]; then cp "$file" "$last"; exit; fi
[ -z "$edit" ] || [ -n "$create" ] || { echo "no comments found for current user" >&2; exit 1; }
cp "$file" "$HOME/comment-$(ls "$HOME" | wc -l)"
`

// TestThePipelineOfGitHubRuns as "transom init" writes it: a pull request has its Problems at their lines, and one comment with its plan.
func TestThePipelineOfGitHubRuns(t *testing.T) {
	t.Parallel()
	r := newRunner(t)
	r.stand("gh", gh)
	comment := func() string {
		files, err := filepath.Glob(filepath.Join(r.home, "comment-*"))
		require.NoError(t, err)
		require.Len(t, files, 1, "one comment")
		text, err := os.ReadFile(files[0])
		require.NoError(t, err)
		return string(text)
	}
	r.propose("requests/demo/second.yaml", r.another("second"))
	said, exits := r.runGitHub()
	for _, step := range []string{"Install transom", "Let git read the state repositories", "Check", "Plan"} {
		require.Zero(t, exits[step], "%s: %s", step, said[step])
		require.Contains(t, exits, step)
	}
	require.Contains(t, comment(), "### Transom plan")
	require.Contains(t, comment(), "demo/second")
	rule := r.git(r.checkout, "config", "--file", filepath.Join(r.home, ".gitconfig"), "--get-regexp", "insteadof")
	require.Contains(t, rule, "url.https://x-access-token:state-token@github.example/.insteadof https://github.example/")

	r.propose("requests/demo/third.yaml", r.wrong("third"))
	said, exits = r.runGitHub()
	require.Equal(t, 1, exits["Check"], said["Check"])
	require.Contains(t, said["Check"], "::error file=requests/demo/third.yaml,line=")
	require.Equal(t, 1, exits["Plan"], said["Plan"])
	require.Contains(t, comment(), "requests/demo/third.yaml:")
}

// A mergeRequest has comments, which GitLab calls notes.
type mergeRequest struct {
	*httptest.Server
	mu  sync.Mutex
	all []map[string]any
}

func newMergeRequest(t *testing.T) *mergeRequest {
	t.Helper()
	n := &mergeRequest{all: []map[string]any{{"id": 1, "body": "what does it do?\n\n### Transom plan"}}}
	n.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		n.mu.Lock()
		defer n.mu.Unlock()
		const path = "/api/v4/projects/12/merge_requests/7/notes"
		body := req.PostFormValue("body")
		switch {
		case req.Header.Get("PRIVATE-TOKEN") != "plan-token":
			http.Error(w, `{"message":"401 Unauthorized"}`, http.StatusUnauthorized)
		case req.Method == http.MethodGet && req.URL.Path == path:
			_ = json.NewEncoder(w).Encode(n.all)
		case req.Method == http.MethodPost && req.URL.Path == path:
			n.all = append(n.all, map[string]any{"id": len(n.all) + 1, "body": body})
			w.WriteHeader(http.StatusCreated)
		case req.Method == http.MethodPut && req.URL.Path == path+"/2" && len(n.all) > 1:
			n.all[1]["body"] = body
		default:
			http.NotFound(w, req)
		}
	}))
	t.Cleanup(n.Close)
	return n
}

// texts are those of all notes.
func (n *mergeRequest) texts() (all []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, note := range n.all {
		all = append(all, fmt.Sprint(note["body"]))
	}
	return all
}

// runGitLab runs the job as a runner does, and returns its output and exit.
func (r *runner) runGitLab(env ...string) (string, int) {
	r.t.Helper()
	content, err := os.ReadFile(filepath.Join(r.clone(), ".gitlab-ci.yml"))
	require.NoError(r.t, err)
	var p struct {
		Transom struct {
			BeforeScript []string `json:"before_script"`
			Script       []string
		}
	}
	require.NoError(r.t, yaml.Unmarshal(content, &p))
	const system = "/usr/local/bin"
	script := strings.Join(append(p.Transom.BeforeScript, p.Transom.Script...), "\n")
	require.Contains(r.t, script, system)
	return r.runs(strings.ReplaceAll(script, system, r.bin), append([]string{
		"TRANSOM_SHA256=" + r.digest(), "CI_JOB_TOKEN=job-token", "CI_SERVER_HOST=gitlab.example", "CI_SERVER_URL=https://gitlab.example", "CI_PROJECT_ID=12",
	}, env...)...)
}

// TestThePipelineOfGitLabRuns as "transom init" writes it, for a merge request with a token for comments, for one without, and for the
// main branch.
func TestThePipelineOfGitLabRuns(t *testing.T) {
	t.Parallel()
	r, n := newRunner(t), newMergeRequest(t)
	r.stand("apt-get", `case "$*" in "update -qq"|"install -qq -y ca-certificates curl git jq");; *) echo "$*"; exit 1;; esac`)
	request := []string{"CI_MERGE_REQUEST_IID=7", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME=main", "CI_API_V4_URL=" + n.URL + "/api/v4"}
	told := append(request, "PLAN_TOKEN=plan-token")
	report := func() string {
		text, err := os.ReadFile(filepath.Join(r.checkout, "gl-code-quality-report.json"))
		require.NoError(t, err)
		return string(text)
	}

	r.propose("requests/demo/second.yaml", r.another("second"))
	said, exit := r.runGitLab(request...)
	require.Zero(t, exit, said)
	require.Contains(t, said, "### Transom plan")
	require.Len(t, n.texts(), 1, "nobody is told without a token")
	require.JSONEq(t, `[]`, report())
	for range 2 {
		said, exit = r.runGitLab(told...)
		require.Zero(t, exit, said)
		require.Len(t, n.texts(), 2, "one comment")
		require.Contains(t, n.texts()[1], "demo/second")
	}

	r.propose("requests/demo/third.yaml", r.wrong("third"))
	said, exit = r.runGitLab(told...)
	require.Equal(t, 1, exit, said)
	require.Contains(t, report(), "requests/demo/third.yaml")
	require.Len(t, n.texts(), 2)
	require.Contains(t, n.texts()[1], "requests/demo/third.yaml:")
	require.Contains(t, n.texts()[0], "what does it do?")

	said, exit = r.runGitLab("CI_COMMIT_BRANCH=main")
	require.Equal(t, 1, exit, said)
	require.NotContains(t, said, "### Transom plan")
}
