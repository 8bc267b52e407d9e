package render_test

import (
	"os"
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

func rewriteWant(t *testing.T, file string, archive *txtar.Archive, want string) {
	t.Helper()
	for n := range archive.Files {
		if archive.Files[n].Name == "want" {
			archive.Files[n].Data = []byte(want)
		}
	}
	require.NoError(t, os.WriteFile(file, txtar.Format(archive), 0o644))
}
