package platform_test

import (
	"bytes"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
	"golang.org/x/tools/txtar"

	"transom.dev/e2e/bounded"
	"transom.dev/render/platform"
)

// Whatever a file says, loading ends, the request is there or broken, and its neighbour goes on.
func FuzzRequest(f *testing.F) {
	seed(f, "requests/", ".yaml")
	fsys := repository(f, &txtar.Archive{})
	l := &platform.Loader{}
	f.Fuzz(func(t *testing.T, data []byte) {
		fsys["requests/payments/orders-db.yaml"] = &fstest.MapFile{Data: data}
		p := loads(t, l, fsys)
		require.NotNil(t, p.Request(platform.RequestKey{Team: "payments", Name: "orders-db"}))
	})
}

// Whatever a version says, loading ends, and requests of another version go on.
func FuzzVersion(f *testing.F) {
	seed(f, "offerings/", "version.yaml")
	fsys := repository(f, &txtar.Archive{})
	for _, file := range fsys {
		file.Data = bytes.ReplaceAll(file.Data, []byte(`version: "1"`), []byte(`version: "1.4"`))
	}
	l := &platform.Loader{}
	f.Fuzz(func(t *testing.T, data []byte) {
		fsys["offerings/postgres/1.5.0/version.yaml"] = &fstest.MapFile{Data: data}
		loads(t, l, fsys)
	})
}

// Whatever a decision says, loading ends, and no request is the worse for it.
func FuzzDecision(f *testing.F) {
	seed(f, "decisions/", ".yaml")
	fsys := repository(f, &txtar.Archive{})
	l := &platform.Loader{}
	f.Fuzz(func(t *testing.T, data []byte) {
		fsys["decisions/prod/any.yaml"] = &fstest.MapFile{Data: data}
		loads(t, l, fsys)
	})
}

// seed adds the files of all cases that have a prefix and a suffix.
func seed(f *testing.F, prefix, suffix string) {
	cases, err := filepath.Glob("testdata/*.txtar")
	require.NoError(f, err)
	for _, name := range cases {
		archive, err := txtar.ParseFile(name)
		require.NoError(f, err)
		for _, file := range archive.Files {
			if strings.HasPrefix(file.Name, prefix) && strings.HasSuffix(file.Name, suffix) {
				f.Add(file.Data)
			}
		}
	}
}

// loads requires that a platform loads within its limits, that nobody else's requests are the worse for it, and that each Problem is one line.
func loads(t *testing.T, l *platform.Loader, fsys fs.FS) *platform.Platform {
	t.Helper()
	var p *platform.Platform
	bounded.Usual.Run(func() {
		var err error
		p, err = l.Load(fsys)
		require.NoError(t, err)
	})
	require.Len(t, neighbours(p), 2)
	for _, problem := range p.Problems {
		require.NotEmpty(t, problem.Message)
		require.NotContains(t, problem.String(), "\n")
	}
	return p
}

func neighbours(p *platform.Platform) (out []*platform.Instance) {
	for _, env := range []string{"dev", "prod"} {
		for _, i := range p.Instances(env) {
			if i.Request.Key.Team == "search" {
				out = append(out, i)
			}
		}
	}
	return out
}
