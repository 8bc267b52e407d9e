package trigger_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/trigger"
)

func TestAnyNumberOfTriggersAreOne(t *testing.T) {
	latch := trigger.New()
	for range 3 {
		latch.Fire("push")
	}
	latch.Fire("interval")
	causes, err := latch.Wait(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"push", "interval"}, causes)

	nothing, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_, err = latch.Wait(nothing)
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestATriggerDuringWorkIsNotLost(t *testing.T) {
	latch := trigger.New()
	var fired sync.WaitGroup
	for range 4 {
		fired.Go(func() {
			for range 1000 {
				latch.Fire("push")
			}
		})
	}
	fired.Go(func() { latch.Fire("last") })
	var seen []string
	for len(seen) == 0 || seen[len(seen)-1] != "last" {
		causes, err := latch.Wait(t.Context())
		require.NoError(t, err)
		require.NotEmpty(t, causes)
		for _, cause := range causes {
			if cause == "last" {
				seen = append(seen, cause)
			}
		}
	}
	fired.Wait()
}

func TestEveryFiresAboutThatOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		fired := 0
		require.NoError(t, trigger.Every(ctx, time.Minute, func() { fired++ }))
		require.InDelta(t, 60, fired, 4)
	})
}

// watching runs a watch and returns a channel of its messages.
func watching(t *testing.T, watch func(context.Context, func(string)) error) <-chan string {
	ctx, cancel := context.WithCancel(t.Context())
	said, ended := make(chan string, 1000), make(chan error, 1)
	go func() { ended <- watch(ctx, func(s string) { said <- s }) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-ended)
	})
	return said
}

// soon returns the next message.
func soon(t *testing.T, said <-chan string) string {
	t.Helper()
	select {
	case s := <-said:
		return s
	case <-time.After(5 * time.Second):
		require.FailNow(t, "nothing was said")
		return ""
	}
}

// settle waits until nothing more is said.
func settle(said <-chan string) {
	for {
		select {
		case <-said:
		case <-time.After(100 * time.Millisecond):
			return
		}
	}
}

func git(t *testing.T, dir string, args ...string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), "git", args...)
	command.Dir = dir
	command.Env = append(os.Environ(),
		"GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com")
	out, err := command.CombinedOutput()
	require.NoError(t, err, "git %v: %s", args, out)
}

func TestRepositorySeesEveryMoveOfABranch(t *testing.T) {
	bare, work := filepath.Join(t.TempDir(), "platform.git"), t.TempDir()
	git(t, work, "init", "-q", "-b", "main")
	git(t, "", "init", "-q", "--bare", "-b", "main", bare)
	said := watching(t, func(ctx context.Context, say func(string)) error { return trigger.Repository(ctx, bare, say) })
	ready(t, said, func() { require.NoError(t, os.WriteFile(filepath.Join(bare, "packed-refs"), nil, 0o600)) })
	commit := func() { git(t, work, "commit", "-q", "--allow-empty", "-m", "change") }

	for _, move := range []struct {
		name string
		do   func()
	}{
		{"first push", func() { commit(); git(t, work, "push", "-q", bare, "main") }},
		{"push", func() { commit(); git(t, work, "push", "-q", bare, "main") }},
		{"branch in a new directory", func() { git(t, work, "push", "-q", bare, "main:team/one/feature") }},
		{"branch in that directory", func() { commit(); git(t, work, "push", "-q", bare, "main:team/one/feature") }},
		{"packed", func() { git(t, bare, "pack-refs", "--all") }},
		{"push over a packed reference", func() { commit(); git(t, work, "push", "-q", bare, "main") }},
		{"forced", func() {
			git(t, work, "reset", "-q", "--hard", "HEAD~1")
			git(t, work, "push", "-q", "-f", bare, "main")
		}},
		{"branch in a directory that was removed", func() { commit(); git(t, work, "push", "-q", bare, "main:team/one/feature") }},
		{"again", func() { commit(); git(t, work, "push", "-q", bare, "main:team/one/feature") }},
		{"deleted", func() { git(t, work, "push", "-q", bare, ":team/one/feature") }},
	} {
		settle(said)
		move.do()
		require.Contains(t, soon(t, said), bare, move.name)
	}

	settle(said)
	git(t, work, "push", "-q", bare, "main:refs/tags/v1")
	select {
	case s := <-said:
		require.Fail(t, "a tag is no branch", s)
	case <-time.After(100 * time.Millisecond):
	}
}

func TestRepositoryMayBeACheckout(t *testing.T) {
	work := t.TempDir()
	git(t, work, "init", "-q", "-b", "main")
	said := watching(t, func(ctx context.Context, say func(string)) error { return trigger.Repository(ctx, work, say) })
	ready(t, said, func() { require.NoError(t, os.WriteFile(filepath.Join(work, ".git/packed-refs"), nil, 0o600)) })
	settle(said)
	git(t, work, "commit", "-q", "--allow-empty", "-m", "change")
	require.Contains(t, soon(t, said), "main")
}

func TestWhatIsNoRepositoryIsAnError(t *testing.T) {
	dir := t.TempDir()
	require.ErrorContains(t, trigger.Repository(t.Context(), dir, nil), "watch "+dir)
	require.ErrorContains(t, trigger.Kubeconfigs(t.Context(), filepath.Join(dir, "missing"), nil), "watch "+dir)
}

// ready repeats a change until the watch, which starts in its own time, says something.
func ready(t *testing.T, said <-chan string, change func()) {
	t.Helper()
	require.Eventually(t, func() bool {
		change()
		select {
		case <-said:
			return true
		case <-time.After(50 * time.Millisecond):
			return false
		}
	}, 10*time.Second, time.Millisecond)
}
