package preview_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/cmd/transom/internal/preview"
	"transom.dev/reconciler/gitrepo"
)

// A platform is a repository with the branches main and change, which left main before its last commit.
type platform struct {
	t            *testing.T
	dir          string
	head, change string
	*preview.Maker
}

func newPlatform(t *testing.T, script string) *platform {
	p := &platform{t: t, dir: filepath.Join(t.TempDir(), "platform")}
	p.git("init", "-q", "-b", "main", p.dir)
	p.commit(map[string]string{"kept": "1", "theirs": "1", "ours": "1", "both": "1", "gone": "1", "a/gone too": "1"})
	p.git("-C", p.dir, "checkout", "-q", "-b", "change")
	p.change = p.commit(map[string]string{"theirs": "2", "both": "2", "new": "2", "gone": "", "a/gone too": ""})
	p.git("-C", p.dir, "checkout", "-q", "main")
	p.head = p.commit(map[string]string{"ours": "3", "both": "3", "a/gone too": ""})
	binary := filepath.Join(t.TempDir(), "transom")
	require.NoError(t, os.WriteFile(binary, []byte("#!/bin/sh\n"+script), 0o755))
	p.Maker = &preview.Maker{Dir: filepath.Join(t.TempDir(), "plans"), Binary: binary, Open: func(dir string) *gitrepo.Remote {
		return &gitrepo.Remote{URL: p.dir, Branch: "main", Dir: dir}
	}}
	return p
}

func (p *platform) git(args ...string) string {
	p.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Env = append(os.Environ(), "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@acme.example", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@acme.example", "GIT_CONFIG_GLOBAL=/dev/null")
	out, err := cmd.CombinedOutput()
	require.NoError(p.t, err, "%s", out)
	return strings.TrimSpace(string(out))
}

// commit writes files, or removes those without content.
func (p *platform) commit(files map[string]string) string {
	for name, content := range files {
		file := filepath.Join(p.dir, name)
		require.NoError(p.t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(p.t, os.WriteFile(file, []byte(content), 0o644))
		if content == "" {
			require.NoError(p.t, os.Remove(file))
		}
	}
	p.git("-C", p.dir, "add", "-A")
	p.git("-C", p.dir, "commit", "-qm", "change")
	return p.git("-C", p.dir, "rev-parse", "HEAD")
}

func (p *platform) plan() (string, error) {
	return p.Plan(p.t.Context(), "change", p.change, p.head, "https://forge.example/blob", []preview.State{
		{Environment: "dev", Repository: p.state(), Branch: "main", Commit: p.head},
	}, nil)
}

// state is a state repository, which is the platform's, on the disk of the plans.
func (p *platform) state() *gitrepo.Remote {
	repo := &gitrepo.Remote{URL: p.dir, Branch: "main", Dir: filepath.Join(filepath.Dir(p.Dir), "state")}
	_, err := repo.Fetch(p.t.Context())
	require.NoError(p.t, err)
	return repo
}

// TestThePlanIsOfTheMerge: the process sees a clone of the platform's head, the changes of the branch since it left, and the
// states.
func TestThePlanIsOfTheMerge(t *testing.T) {
	p := newPlatform(t, `echo "### Transom plan"; echo "$@"; cd platform
for f in * a/*; do test -d "$f" || echo "$f: $(/bin/cat "$f")"; done
/bin/cat .git/HEAD .git/refs/remotes/origin/main .git/config; cd ../"the states of the environments"; echo *; /bin/cat dev.git/refs/heads/main
exit 1`)
	text, err := p.plan()
	require.NoError(t, err)
	require.Equal(t, "### Transom plan\n"+
		"plan platform --state the states of the environments --output markdown --files https://forge.example/blob\n"+
		"both: 2\nkept: 1\nnew: 2\nours: 3\ntheirs: 2\n"+
		"a/*: \n"+
		p.head+"\n"+p.head+"\n[core]\n\trepositoryformatversion = 0\n[remote \"origin\"]\n\turl = \""+p.dir+"\"\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n\n"+
		"dev.git\n"+p.head+"\n"+
		"\nBoth sides changed the following files; the plan is of the request's:\n```\n[\"both\"]\n```\n", text)
	left, err := filepath.Glob(filepath.Join(p.Dir, "plan-*"))
	require.NoError(t, err)
	require.Empty(t, left)
}

// TestAPlanHasLimits, and a process that fails or says too much is no plan.
func TestAPlanHasLimits(t *testing.T) {
	for script, want := range map[string]string{
		// The limits are set right after the start, which a shell may not wait for by itself.
		`until test "$(ulimit -t)$(ulimit -d)" = 2402097152; do :; done; echo "### Transom plan"; ulimit -d; ulimit -t; echo "$GOMEMLIMIT $TOKEN"`: "### Transom plan\n2097152\n240\n1073741824 \n",
		`echo "transom: $PWD/platform/x.yaml: wrong" >&2; exit 1`:                                                                                  "### Transom plan\n\nNo plan could be made; `transom plan` in a clone may say more.\n\n```\ntransom: platform/x.yaml: wrong\n```\n",
		"echo '```@acme' >&2; exit 1": "````\n```@acme\n````\n",
		`kill -9 $$`:                  "it needed more than 2 GiB of memory or 240 s of processor time (signal: killed)",
		`echo "### Transom plan"; i=0; while test $i -lt 9000; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; i=$((i+1)); done`: "it is longer than 256 KiB",
	} {
		t.Setenv("TOKEN", "secret")
		p := newPlatform(t, script)
		text, err := p.plan()
		require.NoError(t, err)
		require.Contains(t, text, want)
		require.LessOrEqual(t, len(text), 70_000)
	}
}

// TestABranchThatFitsNoMergeIsToldSo: it is no fault of the daemon's, and trying again mends nothing.
func TestABranchThatFitsNoMergeIsToldSo(t *testing.T) {
	for want, make := range map[string]func(p *platform){
		"\n```\none side has a file \"kept\", and the other one a directory\n```\n": func(p *platform) {
			p.change = p.commit(map[string]string{"kept": "2"})
			p.git("-C", p.dir, "checkout", "-q", "main")
			p.commit(map[string]string{"kept": ""})
			p.head = p.commit(map[string]string{"kept/below": "1"})
		},
		"\n```\nthe branch has no commit in common with the platform's\n```\n": func(p *platform) {
			p.git("-C", p.dir, "checkout", "-q", "--orphan", "apart")
			p.change = p.commit(map[string]string{"apart": "1"})
			p.git("-C", p.dir, "branch", "-f", "change")
		},
	} {
		p := newPlatform(t, `echo "### Transom plan"`)
		p.git("-C", p.dir, "checkout", "-q", "change")
		make(p)
		text, err := p.plan()
		require.NoError(t, err)
		require.Contains(t, text, "### Transom plan\n\nNo plan could be made")
		require.Contains(t, text, want)
	}
}

func TestABranchThatMovedHasNoPlan(t *testing.T) {
	p := newPlatform(t, `echo "### Transom plan"`)
	p.git("-C", p.dir, "branch", "-f", "change", p.head)
	_, err := p.plan()
	require.ErrorIs(t, err, preview.ErrMoved)
	p.git("-C", p.dir, "branch", "-D", "change")
	_, err = p.plan()
	require.ErrorIs(t, err, preview.ErrMoved)
	p.change = p.head
	p.git("-C", p.dir, "branch", "change", p.head)
	_, err = p.plan()
	require.NoError(t, err)
}
