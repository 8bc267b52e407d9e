package render_test

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/tools/txtar"

	"transom.dev/render"
)

// TestVersionsAreHeldToTheirContractBeforeAnybodyRequestsThem needs no request for the version to find its Problems.
func TestVersionsAreHeldToTheirContractBeforeAnybodyRequestsThem(t *testing.T) {
	archive, err := txtar.ParseFile("testdata/contract.txtar")
	require.NoError(t, err)
	files, want := common(), ""
	for _, f := range archive.Files {
		if f.Name == "want" {
			want = string(f.Data)
			continue
		}
		put(files, f.Name, f.Data)
	}
	p := load(t, files)
	require.Empty(t, p.Problems)
	var r render.Renderer
	got := ""
	for _, problem := range r.Versions(p) {
		got += problem.String() + "\n"
	}
	if *update {
		rewriteWant(t, "testdata/contract.txtar", archive, got)
		return
	}
	require.Equal(t, want, got)
	require.NotEmpty(t, got)
}

// TestFieldsThatALaterKubernetesMayHaveAreWarnedOf, also where nobody requests the version: by the version that an environment names.
func TestFieldsThatALaterKubernetesMayHaveAreWarnedOf(t *testing.T) {
	archive, err := txtar.ParseFile("testdata/golden/later-kubernetes.txtar")
	require.NoError(t, err)
	for _, kubernetes := range []string{"1.37", "1.38"} {
		files := common()
		for _, f := range archive.Files {
			if strings.HasPrefix(f.Name, "offerings/") || f.Name == "environments/dev.yaml" {
				put(files, f.Name, bytes.ReplaceAll(f.Data, []byte("1.38"), []byte(kubernetes)))
			}
		}
		var r render.Renderer
		problems := r.Versions(load(t, files))
		require.Len(t, problems, 2)
		require.Equal(t, kubernetes == "1.38", problems[0].Warning, problems[0])
		require.False(t, problems[1].Warning, "no version takes %s", problems[1])
	}
}

func rewriteWant(t *testing.T, file string, archive *txtar.Archive, want string) {
	t.Helper()
	for n := range archive.Files {
		if archive.Files[n].Name == "want" {
			archive.Files[n].Data = []byte(want)
		}
	}
	require.NoError(t, os.WriteFile(file, txtar.Format(archive), 0o644))
}
