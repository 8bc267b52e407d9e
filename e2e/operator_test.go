package e2e_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/web/access"
)

// plainBlocks are the blocks of a page that are not marked, by the heading that they are under.
func plainBlocks(t testing.TB, page string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "cmd", "transom", "docs", page+".md"))
	require.NoError(t, err)
	blocks := map[string]string{}
	for _, section := range strings.Split(string(text), "\n## ")[1:] {
		heading, content, _ := strings.Cut(section, "\n")
		for _, b := range regexp.MustCompile("(?m)^```(\\w*)\n((?:[^`].*\n|\n)*)```").FindAllStringSubmatch(content, -1) {
			if b[1] == "" {
				blocks[heading] += b[2]
			}
		}
	}
	return blocks
}

// A reading is a plain block of the operator's page that somebody follows in a directory.
type reading struct {
	heading string
	dir     string
	last    string            // a further line at the end
	stands  map[string]string // what stands for something that the page cannot know, by its text
	trusts  string            // a file with certificates
}

// follows runs the lines of a block as they are written, and returns all that they print. A daemon that a line starts with flags that the
// page leaves out (…) is one of the world; later lines wait for it.
func (w *world) follows(r reading) string {
	w.t.Helper()
	script, found := plainBlocks(w.t, "operator")[r.heading]
	require.True(w.t, found, r.heading)
	listen := freeAddress(w.t)
	server := "http://" + listen
	if strings.Contains(script, "--tls-cert") {
		server = "https://" + listen
	}
	for text, by := range r.stands {
		require.Contains(w.t, script, text)
		script = strings.ReplaceAll(script, text, by)
	}
	script = regexp.MustCompile(`https://transom\.acme\.example(:\d+)?`).ReplaceAllString(script, server)
	script = regexp.MustCompile(`(?m)^(transom serve .*)…$`).ReplaceAllString(script,
		"$1 &\ncurl -fsSk --retry 100 --retry-delay 1 --retry-all-errors "+server+"/readyz\n")
	require.NotContains(w.t, script, "…")
	shim := strings.NewReplacer("LISTEN", listen, "TRANSOM", filepath.Join(w.bin, "transom"), "PLATFORM", filepath.Join(w.dir, "platform.git"), "KEYS", w.keys).Replace(`#!/bin/bash
[ "$1" = serve ] || exec TRANSOM "$@"
args=()
for a in "$@"; do args+=("${a/#:7460/LISTEN}"); done
case " $* " in *" --listen "*) ;; *) args+=(--listen LISTEN);; esac
exec TRANSOM "${args[@]}" --platform PLATFORM --kubeconfigs KEYS --data data
`)
	require.NoError(w.t, os.MkdirAll(filepath.Join(r.dir, "bin"), 0o755))
	require.NoError(w.t, os.WriteFile(filepath.Join(r.dir, "bin", "transom"), []byte(shim), 0o755))
	ctx, cancel := context.WithTimeout(w.t.Context(), deadline)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", "set -euo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null; wait' EXIT\n"+script+"\n"+r.last)
	cmd.Dir, cmd.WaitDelay = r.dir, 20*time.Second
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGINT) }
	cmd.Env = append(os.Environ(), "PATH="+filepath.Join(r.dir, "bin")+":"+os.Getenv("PATH"), "NO_COLOR=1", "TRANSOM_SERVER="+server, "SSL_CERT_FILE="+r.trusts)
	out, err := cmd.CombinedOutput()
	require.NoError(w.t, err, "%s: %s", r.heading, out)
	return string(out)
}

// TestPlainBlocksOfTheOperatorsPageCanBeFollowed: those that need a daemon, and no party beyond this machine. The calls of transom in all
// others are parsed by TestCommandsOfPagesAreThere.
func TestPlainBlocksOfTheOperatorsPageCanBeFollowed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings, bothClusters, "--api-only")
	w.follows(reading{heading: "Who may push to a state branch", dir: t.TempDir()})
	require.Contains(t, w.git(w.dir, "-C", "state-dev.git", "cat-file", "commit", "main"), "BEGIN SSH SIGNATURE")

	said := w.follows(reading{heading: "Hearing of a push", dir: t.TempDir(), last: `curl -fsS "$TRANSOM_SERVER/metrics"`})
	require.Contains(t, said, `transom_hook_calls_total{outcome="accepted"} 1`)

	w.follows(reading{heading: "What checks may ask", dir: t.TempDir()})

	dir := t.TempDir()
	certificate, key := selfSigned(t)
	token, digest := access.NewToken()
	for file, content := range map[string]string{
		"tls.crt": string(certificate), "tls.key": string(key), "access.yaml": "tokens: [{name: pipeline, role: developer, team: payments, sha256: " + digest + "}]\n",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, file), []byte(content), 0o600))
	}
	said = w.follows(reading{heading: "Who may ask", dir: dir, stands: map[string]string{"transom_…": token}, trusts: filepath.Join(dir, "tls.crt")})
	require.Contains(t, said, "payments/shop")
}
