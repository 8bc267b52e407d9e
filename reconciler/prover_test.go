package reconciler

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/gitrepo"
	"transom.dev/render/platform"
)

// TestAProofIsNotByAPlatformWithDeferredRequests: a daemon before this one may have known them all and removed what this one keeps until
// then, and a denial stays for as long as the platform's commit.
func TestAProofIsNotByAPlatformWithDeferredRequests(t *testing.T) {
	dir := t.TempDir()
	git := func(args ...string) string {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-c", "user.name=Payments", "-c", "user.email=payments@acme.example"}, args...)...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, string(out))
		return strings.TrimSpace(string(out))
	}
	git("init", "-q", "-b", "main")
	require.NoError(t, os.CopyFS(dir, os.DirFS("../examples/minimal")))
	git("add", "-A")
	git("commit", "-q", "-m", "before")
	repo := &gitrepo.Remote{URL: dir, Branch: "main", Dir: t.TempDir()}
	loader := &platform.Loader{AtOnce: 1}
	load := func() *platform.Platform {
		head, err := repo.Fetch(t.Context())
		require.NoError(t, err)
		p, err := loader.Load(head)
		require.NoError(t, err)
		p.Commit = head.Commit
		return p
	}
	before := load()
	k := before.Requests()[0].Key
	file := filepath.Join(dir, k.File())
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	for _, name := range []string{"more-a", "more-b"} {
		other := strings.ReplaceAll(string(text), "name: "+k.Name, "name: "+name)
		require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(file), name+".yaml"), []byte(other), 0o644))
	}
	git("rm", "-q", k.File())
	git("add", "-A")
	git("commit", "-q", "-m", "after")

	head := load()
	require.Equal(t, 1, head.Deferred())
	require.True(t, head.Broken("dev", k))
	then, err := (&prover{source: repo, environment: "dev", head: head}).at(t.Context(), head.Commit)
	require.NoError(t, err)
	require.False(t, then.Broken("dev", k), "its removal is not proven")

	head = load()
	require.Zero(t, head.Deferred())
	then, err = (&prover{source: repo, environment: "dev", head: head}).at(t.Context(), head.Commit)
	require.NoError(t, err)
	require.Same(t, head, then)
}
