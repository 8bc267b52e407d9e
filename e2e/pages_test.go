package e2e_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestPagesCanBeFollowed does as a newcomer who reads the operator's, the developer's and the platform engineer's page one after
// the other: every command of their blocks marked sh is run as it is written, on a machine with git and one cluster.
func TestPagesCanBeFollowed(t *testing.T) {
	t.Parallel()
	bin := binaries(t)
	fleet := startSandbox(t, bin, []string{"dev-1"})
	dir := t.TempDir()
	address := freeAddress(t)
	script := "set -euo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null; wait' EXIT\n"
	for _, page := range []string{"operator", "developer", "platform"} {
		script += "cd " + dir + "\n" + commandsOf(t, page)
		if page == "operator" { // which has written a platform with a page of its own
			script += "cd " + dir + "\n" + `look="$(grep -o 'transom status [^` + "`" + `]*' platform/README.md)" && $look` + "\n"
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*deadline)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", script)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 20 * time.Second
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT="+dir, "PLATFORM="+filepath.Join(dir, "platform.git"),
		"KUBECONFIG_OF_DEV="+filepath.Join(fleet, "kubeconfigs", "dev-1.kubeconfig"),
		"TRANSOM_SERVER=http://"+address, "NO_COLOR=1", "GIT_CONFIG_GLOBAL=/dev/null",
		"GIT_AUTHOR_NAME=Developer", "GIT_AUTHOR_EMAIL=developer@acme.example",
		"GIT_COMMITTER_NAME=Developer", "GIT_COMMITTER_EMAIL=developer@acme.example")
	// The pages leave the daemon's address as it is by default, which another one may have on this machine.
	shim := fmt.Sprintf("#!/bin/sh\n[ \"$1\" = serve ] && set -- \"$@\" --listen %s\nexec %s \"$@\"\n", address, filepath.Join(bin, "transom"))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "bin"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "bin", "transom"), []byte(shim), 0o755))
	cmd.Env = append(cmd.Env, "PATH="+filepath.Join(dir, "bin")+":"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	for _, line := range []string{
		"wrote requests/demo/greeter.yaml", "demo/greeter", "no Problems", "removed", "rewrote offerings/queue/0.1.0/tests/plain/want.yaml",
	} {
		require.Contains(t, string(out), line)
	}
}

// commandsOf are the commands of a page, in order.
func commandsOf(t *testing.T, page string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "cmd", "transom", "docs", page+".md"))
	require.NoError(t, err)
	var commands strings.Builder
	for _, block := range regexp.MustCompile("(?s)\n```sh\n(.*?\n)```").FindAllStringSubmatch(string(text), -1) {
		commands.WriteString(block[1])
	}
	require.Contains(t, commands.String(), "transom ", page)
	return commands.String()
}

// freeAddress is an address on loopback that nobody listens on.
func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}
