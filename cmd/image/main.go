// Command image builds the container image of transom, without a container engine: an OCI layout of one static binary and
// nothing else. The same commit, built by the same Go, has the same digest on any machine.
package main

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"debug/buildinfo"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// user is who the daemon runs as: nobody in particular, and not root. Kubernetes wants it as a number.
const user = "65532:65532"

const usage = `usage: go run ./cmd/image [--arch ARCH,…] [--out DIR] [--push REF]

Builds transom for Linux, as a static binary, and writes it as an OCI layout, which crane, skopeo and others read.
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("image", flag.ContinueOnError)
	flags.Usage = func() { fmt.Fprint(flags.Output(), usage); flags.PrintDefaults() }
	architectures := flags.String("arch", runtime.GOARCH, "processor architectures, such as amd64,arm64")
	out := flags.String("out", "bin/image", "directory of the OCI layout, which is made anew")
	push := flags.String("push", "", "push it as this reference, too, as who docker or podman is logged in as")
	if err := flags.Parse(args); err != nil {
		return err
	}
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for arch := range strings.SplitSeq(*architectures, ",") {
		image, err := buildImage(ctx, arch)
		if err != nil {
			return fmt.Errorf("build for %s: %w", arch, err)
		}
		size, err := compressed(image)
		if err != nil {
			return err
		}
		fmt.Fprintf(stdout, "%s: %.1f MB compressed\n", arch, float64(size)/1e6)
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{
			Platform: &v1.Platform{OS: "linux", Architecture: arch},
		}})
	}
	if err := os.RemoveAll(*out); err != nil {
		return fmt.Errorf("make --out anew: %w", err)
	}
	if _, err := layout.Write(*out, index); err != nil {
		return fmt.Errorf("write the layout: %w", err)
	}
	digest, err := index.Digest()
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%s: %s\n", *out, digest)
	if *push == "" {
		return nil
	}
	return pushIndex(ctx, *push, index, digest, stdout)
}

func pushIndex(ctx context.Context, to string, index v1.ImageIndex, digest v1.Hash, stdout io.Writer) error {
	ref, err := name.ParseReference(to)
	if err != nil {
		return fmt.Errorf("--push: %w", err)
	}
	if err := remote.WriteIndex(ref, index, remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain)); err != nil {
		return fmt.Errorf("push %s: %w", ref, err)
	}
	fmt.Fprintf(stdout, "pushed %s@%s\n", ref.Context(), digest)
	return nil
}

// compressed is how many bytes the layers of an image are, as a registry has them.
func compressed(image v1.Image) (size int64, err error) {
	layers, err := image.Layers()
	if err != nil {
		return 0, err
	}
	for _, layer := range layers {
		n, err := layer.Size()
		if err != nil {
			return 0, err
		}
		size += n
	}
	return size, nil
}

// buildImage builds the image for one architecture. Nothing in it depends on the time, the directory or the user.
func buildImage(ctx context.Context, arch string) (v1.Image, error) {
	binary, commit, err := buildBinary(ctx, arch)
	if err != nil {
		return nil, err
	}
	content, err := layerOf(binary)
	if err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil },
		tarball.WithCompressionLevel(gzip.BestCompression), tarball.WithCompressedCaching, tarball.WithMediaType(types.OCILayer))
	if err != nil {
		return nil, err
	}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	image, err = mutate.Append(image, mutate.Addendum{Layer: layer, History: v1.History{CreatedBy: "go build ./cmd/transom"}})
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", arch
	config.Config = v1.Config{
		Entrypoint: []string{"/transom"}, User: user, WorkingDir: "/", ExposedPorts: map[string]struct{}{"7460/tcp": {}},
		Labels: map[string]string{"org.opencontainers.image.title": "transom", "org.opencontainers.image.revision": commit},
	}
	return mutate.ConfigFile(image, config)
}

// layerOf is a layer with the binary and nothing else. Everybody may run it, and nobody change it.
func layerOf(binary []byte) ([]byte, error) {
	var content bytes.Buffer
	w := tar.NewWriter(&content)
	if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "transom", Mode: 0o555, Size: int64(len(binary)), Format: tar.FormatUSTAR}); err != nil {
		return nil, err
	}
	if _, err := w.Write(binary); err != nil {
		return nil, err
	}
	err := w.Close()
	return content.Bytes(), err
}

// buildBinary builds a static binary without debugging data, and returns it with the commit that it was built from.
func buildBinary(ctx context.Context, arch string) (binary []byte, commit string, err error) {
	dir, err := os.MkdirTemp("", "transom-image-")
	if err != nil {
		return nil, "", err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a directory for temporary files
	file := filepath.Join(dir, "transom")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=true", "-ldflags=-s -w", "-o", file, "./cmd/transom")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch, "GOFLAGS=", "GOAMD64=v1", "GOARM64=v8.0", "GOEXPERIMENT=")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return nil, "", fmt.Errorf("go build ./cmd/transom, in the top directory of the repository: %w", err)
	}
	info, err := buildinfo.ReadFile(file)
	if err != nil {
		return nil, "", err
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			commit = cmp.Or(s.Value, commit)
		}
	}
	binary, err = os.ReadFile(file)
	return binary, commit, err
}
