package e2e_test

import (
	"archive/tar"
	"bytes"
	"debug/buildinfo"
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/stretchr/testify/require"
)

// An image is what "make image" makes, with its layers unpacked.
type image struct {
	digest string
	config v1.Config
	root   string
	size   int64 // of its layers, compressed
}

// layoutDir is the directory of the OCI layout of this checkout's image. TestMain removes it.
func layoutDir() string {
	return filepath.Join(os.TempDir(), fmt.Sprintf("transom-layout-%d", os.Getpid()))
}

// buildLayout builds the image of this checkout once for all tests.
var buildLayout = sync.OnceValue(func() error { return buildImage("..", layoutDir()) })

// buildImage builds the image of a checkout as an OCI layout.
func buildImage(checkout, to string) error {
	build := exec.Command("go", "run", "./cmd/image", "--out", to)
	build.Dir = checkout
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// newImage is the image of this checkout, with its layers unpacked for this test alone.
func newImage(t testing.TB) image {
	t.Helper()
	require.NoError(t, buildLayout())
	return unpackImage(t, layoutDir())
}

// unpackImage reads an OCI layout.
func unpackImage(t testing.TB, from string) image {
	t.Helper()
	dir := t.TempDir()
	index, err := layout.ImageIndexFromPath(from)
	require.NoError(t, err)
	digest, err := index.Digest()
	require.NoError(t, err)
	manifest, err := index.IndexManifest()
	require.NoError(t, err)
	require.Len(t, manifest.Manifests, 1)
	found, err := index.Image(manifest.Manifests[0].Digest)
	require.NoError(t, err)
	config, err := found.ConfigFile()
	require.NoError(t, err)
	i := image{digest: digest.String(), config: config.Config, root: filepath.Join(dir, "root")}
	layers, err := found.Layers()
	require.NoError(t, err)
	for _, layer := range layers {
		n, err := layer.Size()
		require.NoError(t, err)
		i.size += n
	}
	unpack(t, mutate.Extract(found), i.root)
	return i
}

// unpack writes the regular files of an archive.
func unpack(t testing.TB, archive io.ReadCloser, dir string) {
	t.Helper()
	defer func() { _ = archive.Close() }()
	for files := tar.NewReader(archive); ; {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		require.NoError(t, err)
		require.Equal(t, byte(tar.TypeReg), header.Typeflag, header.Name)
		require.Zero(t, header.Uid, "nobody but root could change it")
		require.True(t, filepath.IsLocal(header.Name))
		name := filepath.Join(dir, header.Name)
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
		file, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, header.FileInfo().Mode().Perm())
		require.NoError(t, err)
		_, err = io.Copy(file, files)
		require.NoError(t, err)
		require.NoError(t, file.Close())
	}
}

// TestImageIsOneStaticBinaryAndTheSameTwice builds the commit that is checked out, in two clones. The builds share a cache, as compiling all
// twice takes minutes; the settings of the binary show that nothing of a machine is in it.
func TestImageIsOneStaticBinaryAndTheSameTwice(t *testing.T) {
	t.Parallel()
	clone := func() string {
		dir := t.TempDir()
		out, err := exec.Command("git", "clone", "-q", "..", dir).CombinedOutput()
		require.NoError(t, err, "%s", out)
		return dir
	}
	build := func() image {
		to := filepath.Join(t.TempDir(), "layout")
		require.NoError(t, buildImage(clone(), to))
		return unpackImage(t, to)
	}
	i := build()
	require.Equal(t, i.digest, build().digest)

	entries, err := os.ReadDir(i.root)
	require.NoError(t, err)
	require.Len(t, entries, 1, "no shell, no git, and nothing else")
	require.Equal(t, []string{"/transom"}, i.config.Entrypoint)
	require.Equal(t, "65532:65532", i.config.User)
	t.Logf("%.1f MB compressed", float64(i.size)/1e6)
	require.Less(t, i.size, int64(60e6))

	binary := filepath.Join(i.root, "transom")
	file, err := elf.Open(binary)
	require.NoError(t, err)
	defer func() { _ = file.Close() }()
	require.Nil(t, file.Section(".interp"), "it needs no libraries")
	require.Nil(t, file.Section(".symtab"), "it is stripped")
	info, err := buildinfo.ReadFile(binary)
	require.NoError(t, err)
	require.True(t, slices.ContainsFunc(info.Deps, func(m *debug.Module) bool { return m.Path == "golang.org/x/crypto/x509roots/fallback" }),
		"it knows authorities where there are no files of them")
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	require.Equal(t, "true", settings["-trimpath"])
	require.Equal(t, "0", settings["CGO_ENABLED"], "nothing of a C compiler is in it")
	require.Equal(t, "false", settings["vcs.modified"])
	content, err := os.ReadFile(binary)
	require.NoError(t, err)
	modules, err := exec.Command("go", "env", "GOMODCACHE").Output()
	require.NoError(t, err)
	for _, dir := range []string{t.Name(), strings.TrimSpace(string(modules)), "/go-build"} {
		require.False(t, bytes.Contains(content, []byte(dir)), "nor is a directory of this machine: %s", dir)
	}

	said, err := exec.Command(binary, "version", "-o", "json").Output()
	require.NoError(t, err)
	var version struct{ Commit string }
	require.NoError(t, json.Unmarshal(said, &version))
	head, err := exec.Command("git", "rev-parse", "HEAD").Output()
	require.NoError(t, err)
	require.Equal(t, string(head), version.Commit+"\n")
	require.Equal(t, version.Commit, i.config.Labels["org.opencontainers.image.revision"])
}
