package trigger_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/trigger"
)

func TestDirectoryFiresAfterEachChange(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "a", "b"), 0o700))
	require.NoError(t, os.MkdirAll(filepath.Join(dir, ".git"), 0o700))
	said := watching(t, func(ctx context.Context, say func(string)) error {
		return trigger.Directory(ctx, dir, func() { say("changed") })
	})
	changed := func(why string) {
		t.Helper()
		require.Equal(t, "changed", soon(t, said), why)
		settle(said) // a slow machine may see one change as two
	}
	changed("the watch is in place")

	write(t, filepath.Join(dir, "a", "b", "file"), "one")
	changed("written deep below")
	write(t, filepath.Join(dir, "a", "new"), "two")
	require.NoError(t, os.Rename(filepath.Join(dir, "a", "new"), filepath.Join(dir, "a", "file")))
	changed("saved by rename")
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "c", "d"), 0o700))
	changed("a new folder")
	write(t, filepath.Join(dir, "c", "d", "file"), "three")
	changed("written in a new folder")
	require.NoError(t, os.RemoveAll(filepath.Join(dir, "c")))
	changed("removed")
	quiet(t, said)

	write(t, filepath.Join(dir, ".git", "index"), "four")
	write(t, filepath.Join(dir, "a", ".file.swp"), "five")
	require.NoError(t, os.Chmod(filepath.Join(dir, "a", "file"), 0o400))
	quiet(t, said)
}

func TestDirectoryNeedsOneThatIsThere(t *testing.T) {
	err := trigger.Directory(t.Context(), filepath.Join(t.TempDir(), "none"), func() {})
	require.ErrorIs(t, err, os.ErrNotExist)
}
