package trigger_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/trigger"
)

// watchKubeconfigs returns a directory's changes once its watch is known to be there.
func watchKubeconfigs(t *testing.T, dir string) <-chan string {
	said := watching(t, func(ctx context.Context, say func(string)) error { return trigger.Kubeconfigs(ctx, dir, say) })
	probe, n := filepath.Join(dir, "probe.kubeconfig"), 0
	ready(t, said, func() {
		n++
		require.NoError(t, os.WriteFile(probe, fmt.Append(nil, n), 0o600))
	})
	require.NoError(t, os.Remove(probe))
	settle(said)
	return said
}

func write(t *testing.T, file, content string) {
	t.Helper()
	require.NoError(t, os.WriteFile(file, []byte(content), 0o600))
}

// quiet says that nothing is said.
func quiet(t *testing.T, said <-chan string) {
	t.Helper()
	select {
	case s := <-said:
		require.Fail(t, "nothing changed", s)
	case <-time.After(150 * time.Millisecond):
	}
}

func TestKubeconfigsNamesTheClusterWhoseFileChanged(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	write(t, at("dev.kubeconfig"), "one")
	said := watchKubeconfigs(t, dir)

	write(t, at("prod.kubeconfig"), "one")
	require.Equal(t, "prod", soon(t, said), "added")
	write(t, at("prod.kubeconfig"), "two")
	require.Equal(t, "prod", soon(t, said), "written in place")
	write(t, at(".prod.new"), "three")
	require.NoError(t, os.Rename(at(".prod.new"), at("prod.kubeconfig")))
	require.Equal(t, "prod", soon(t, said), "rotated by rename")
	require.NoError(t, os.Remove(at("prod.kubeconfig")))
	require.Equal(t, "prod", soon(t, said), "removed")

	write(t, at("dev.kubeconfig"), "one")
	write(t, at("README"), "hello")
	quiet(t, said)
}

// A mounted Secret is a directory of links to ..data/<file>, and ..data is a link that Kubernetes swaps to a new
// directory when the Secret changes.
func TestKubeconfigsSeesTheSwapOfAMountedSecret(t *testing.T) {
	dir := t.TempDir()
	mount := func(version string, files map[string]string) {
		at := filepath.Join(dir, ".."+version)
		require.NoError(t, os.Mkdir(at, 0o700))
		for name, content := range files {
			write(t, filepath.Join(at, name), content)
		}
		last, _ := os.Readlink(filepath.Join(dir, "..data"))
		require.NoError(t, os.Symlink(".."+version, filepath.Join(dir, "..data_tmp")))
		require.NoError(t, os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")))
		for name := range files {
			if _, err := os.Lstat(filepath.Join(dir, name)); err != nil {
				require.NoError(t, os.Symlink(filepath.Join("..data", name), filepath.Join(dir, name)))
			}
		}
		if last != "" {
			require.NoError(t, os.RemoveAll(filepath.Join(dir, last)))
		}
	}
	mount("1", map[string]string{"dev.kubeconfig": "one", "prod.kubeconfig": "one"})
	said := watchKubeconfigs(t, dir)

	mount("2", map[string]string{"dev.kubeconfig": "one", "prod.kubeconfig": "two"})
	require.Equal(t, "prod", soon(t, said))
	mount("3", map[string]string{"dev.kubeconfig": "two", "prod.kubeconfig": "two", "edge.kubeconfig": "one"})
	both := []string{soon(t, said), soon(t, said)}
	slices.Sort(both)
	require.Equal(t, []string{"dev", "edge"}, both)
	quiet(t, said)
}

func TestKubeconfigsFollowsLinksOutOfTheDirectory(t *testing.T) {
	dir, elsewhere := t.TempDir(), t.TempDir()
	target := filepath.Join(elsewhere, "config")
	write(t, target, "one")
	require.NoError(t, os.Symlink(target, filepath.Join(dir, "dev.kubeconfig")))
	said := watchKubeconfigs(t, dir)
	write(t, target+".new", "two")
	require.NoError(t, os.Rename(target+".new", target))
	require.Equal(t, "dev", soon(t, said))
}
