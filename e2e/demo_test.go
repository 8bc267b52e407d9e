package e2e_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestDemoShowsTheMainJob runs what `make demo` runs, unattended: the example on four whole clusters, with changes,
// a removal, a broken image and a deletion by hand, each checked on the API servers.
func TestDemoShowsTheMainJob(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*deadline)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(binaries(t), "transom"), "demo", "--check")
	cmd.Dir = ".."
	cmd.Env = append(os.Environ(), "TMPDIR="+t.TempDir())
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	require.Contains(t, string(out), "everything was seen")
	left, err := filepath.Glob(filepath.Join(cmd.Env[len(cmd.Env)-1][len("TMPDIR="):], "transom-demo-*"))
	require.NoError(t, err)
	require.Empty(t, left, "the demo leaves nothing behind")
}
