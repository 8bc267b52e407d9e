package e2e_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// tourTold are lines that the commands of README's tour print, in their order.
var tourTold = []string{
	"payments/sessions  cache",                        // 1
	"once approved",                                   // 2
	"staging is live and healthy at commit",           //
	"dev  1.1.0  checkout:1.5.0",                      //
	"may go to prod",                                  // 3
	"prod is live and healthy at commit",              //
	"the string \"plenty\" should match",              // 4
	"ErrImagePull",                                    // 5
	"Warning  Failed",                                 //
	"no image runs in the sandbox",                    //
	"Revert",                                          //
	"requests/payments/checkout.yaml:",                // 6
	"rolled back to cache 1.1.0",                      //
	"what its Release files name",                     //
	"staging is live and healthy at commit",           // 7
	"prod cluster prod-us-1 is not reachable",         //
	"prod-us-1  Committed, ? Unknown: its cluster is", //
	"prod is live and healthy at commit",              //
}

// TestTourCanBeFollowed does as somebody who reads README's "Five minutes with it": every block is pasted as it is written, beside a
// demo that runs, and shows what the text says.
func TestTourCanBeFollowed(t *testing.T) {
	bin, dir := binaries(t), t.TempDir()
	home, address := filepath.Join(dir, "demo"), freeAddress(t)
	shown := followDemo(t, bin, home, address)
	// Where a person would press Ctrl-C, the command ends once it has shown what the text speaks of.
	shim := fmt.Sprintf("#!/bin/bash\ncase \" $* \" in\n*--watch*) exec timeout --signal INT 20 %[1]s \"$@\" ;;\nesac\nexec %[1]s \"$@\"\n", filepath.Join(bin, "transom"))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "bin"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "bin", "transom"), []byte(shim), 0o755))
	require.NoError(t, os.Symlink(filepath.Join(bin, "sandbox"), filepath.Join(dir, "bin", "sandbox")))
	ctx, cancel := context.WithTimeout(t.Context(), 2*deadline)
	defer cancel()
	begin := regexp.MustCompile(`(?m)^  export DEMO=\S+ TRANSOM_SERVER=\S+$`).FindString(shown)
	require.Contains(t, begin, home)
	cmd := exec.CommandContext(ctx, "bash", "-c", begin+"\n"+commandsOfTour(t))
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "NO_COLOR=1", "GIT_CONFIG_GLOBAL=/dev/null",
		"GIT_AUTHOR_NAME=Developer", "GIT_AUTHOR_EMAIL=developer@acme.example",
		"GIT_COMMITTER_NAME=Developer", "GIT_COMMITTER_EMAIL=developer@acme.example")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	requireTold(t, string(out), tourTold)
}

// commandsOfTour are the commands of README's tour, each of which has to succeed but for the check of a mistake.
func commandsOfTour(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "README.md"))
	require.NoError(t, err)
	_, tour, _ := strings.Cut(string(text), "\n## Five minutes with it\n")
	tour, _, _ = strings.Cut(tour, "\n## ")
	commands := "set -eo pipefail\n"
	for _, block := range regexp.MustCompile("(?s)\n```\n(.*?\n)```").FindAllStringSubmatch(tour, -1) {
		for line := range strings.Lines(block[1]) {
			switch {
			case strings.HasPrefix(line, "bin/transom check"):
				line = "! " + line
			case strings.Contains(line, "--watch"):
				line = strings.Replace(line, "     #", " || [ $? = 124 ] #", 1)
			}
			commands += line
		}
	}
	require.Contains(t, commands, "--watch")
	return commands
}

// followDemo runs the demo until the test ends, and returns what it shows once it says what to try.
func followDemo(t *testing.T, bin, dir, address string) string {
	t.Helper()
	var told lockedBuffer
	cmd := exec.Command(filepath.Join(bin, "transom"), "demo", "--dir", dir, "--listen", address)
	cmd.Dir = ".."
	cmd.Stdout, cmd.Stderr = &told, &told
	require.NoError(t, cmd.Start())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // it was interrupted
	}()
	t.Cleanup(func() {
		require.NoError(t, cmd.Process.Signal(os.Interrupt))
		<-ended
	})
	require.Eventually(t, func() bool { return strings.Contains(told.String(), "Ctrl-C ends it all") }, 5*deadline, 100*time.Millisecond, "%v", &told)
	return told.String()
}

// lockedBuffer is written by a process while a test reads it.
type lockedBuffer struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.all.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.all.String()
}
