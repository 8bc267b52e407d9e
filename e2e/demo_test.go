package e2e_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// story are lines that the demo tells, in their order. It prints none of them before it saw it happen.
var story = []string{
	"healthy: 50 placements of 14 requests in 3 environments on 4 clusters",
	"Merged into environments/prod.yaml: gates: {approval: required}",
	"The platform team merges cache/1.1.0",
	"dev runs cache 1.1.0",
	"staging runs cache 1.1.0",
	"prod waits at the gate approval",
	"    spec: {offering: cache, version: 1.1.0}",
	"prod-eu-1 runs cache 1.1.0",
	"prod-us-1 runs cache 1.1.0",
	"They merge cache/1.2.0",
	"staging runs cache 1.2.0",
	"    spec: {offering: cache, version: 1.2.0}",
	"it failed on prod-eu-1, in the first wave",
	"Progress deadline exceeded",
	"1.1.0 is back there, byte for byte, and healthy",
	"prod-us-1, in the second wave, never saw it",
	"They merge cache/1.3.0",
	"staging runs cache 1.3.0",
	"it failed on prod-eu-1, in the first wave",
	"Failed: check answers does not pass: 41.5 is not < 1 (for ",
	"1.1.0 is back there, byte for byte, and healthy",
	"prod-us-1, in the second wave, never saw it",
	"the API servers agree",
	"Deployment search/results-redis on prod-eu-1 is traced to the line that asked for it",
	"requests/search/results.yaml:",
	"verified: dev at",
	"verified: prod at",
	"was deleted by hand on dev: back after",
	"everything was seen",
}

// TestDemoTellsItsStory runs the command of `make demo`, unattended: the example on four whole clusters, a version that goes
// from dev to prod, a bad one that comes back, and a deletion by hand, each checked on the API servers.
func TestDemoTellsItsStory(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*deadline)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(binaries(t), "transom"), "demo", "--check")
	cmd.Dir = ".."
	cmd.Env = append(os.Environ(), "TMPDIR="+t.TempDir())
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	requireTold(t, string(out), story)
	left, err := filepath.Glob(filepath.Join(cmd.Env[len(cmd.Env)-1][len("TMPDIR="):], "transom-demo-*"))
	require.NoError(t, err)
	require.Empty(t, left, "the demo leaves nothing behind")
}

// requireTold requires that an output has some lines, each after the one before it.
func requireTold(t *testing.T, out string, lines []string) {
	t.Helper()
	rest := out
	for _, line := range lines {
		_, after, found := strings.Cut(rest, line)
		require.True(t, found, "%q is missing after the line before it:\n%s", line, out)
		rest = after
	}
}
