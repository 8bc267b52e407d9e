package kustomize_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
	"golang.org/x/tools/txtar"
	"sigs.k8s.io/yaml"

	"transom.dev/render/internal/kustomize"
)

// TestAnalyse analyses the version of each archive in testdata/analyse, with the components listed in the file
// components and the environment overlay below overlay/. The file said has its findings: objects, then Problems.
func TestAnalyse(t *testing.T) {
	files, err := filepath.Glob("testdata/analyse/*.txtar")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) { analyse(t, file) })
	}
}

func analyse(t *testing.T, file string) {
	archive, err := txtar.ParseFile(file)
	require.NoError(t, err)
	version, overlay := fstest.MapFS{}, fstest.MapFS{}
	inputs, want := map[string]any{}, ""
	var components []string
	kept := &txtar.Archive{Comment: archive.Comment}
	for _, f := range archive.Files {
		if f.Name == "said" {
			want = string(f.Data)
			continue
		}
		kept.Files = append(kept.Files, f)
		name, inOverlay := strings.CutPrefix(f.Name, "overlay/")
		switch {
		case f.Name == "inputs":
			require.NoError(t, yaml.Unmarshal(f.Data, &inputs))
		case f.Name == "components":
			components = strings.Fields(string(f.Data))
		case inOverlay:
			overlay[name] = &fstest.MapFile{Data: f.Data}
		default:
			version[f.Name] = &fstest.MapFile{Data: f.Data}
		}
	}
	w := kustomize.Wrapper{
		Inputs:     inputs,
		Trees:      []kustomize.Tree{{Dir: "offerings/web/1.0.0", Files: version}},
		Components: append([]string{"offerings/web/1.0.0"}, components...),
	}
	if len(overlay) > 0 {
		w.Trees = append(w.Trees, kustomize.Tree{Dir: "environments/prod/overlay", Files: overlay, Overlay: true})
		w.Components = append(w.Components, "environments/prod/overlay")
	}
	got := found(t, w)
	if *update {
		kept.Files = append(kept.Files, txtar.File{Name: "said", Data: []byte(got)})
		require.NoError(t, os.WriteFile(file, txtar.Format(kept), 0o644))
		return
	}
	require.Equal(t, want, got)
}

func found(t *testing.T, w kustomize.Wrapper) string {
	var out strings.Builder
	for _, tree := range w.Trees {
		for _, p := range kustomize.Guard(tree) {
			fmt.Fprintf(&out, "guard: %s\n", p)
		}
	}
	if out.Len() > 0 {
		return out.String()
	}
	skeleton, err := kustomize.Analyse(w)
	require.NoError(t, err)
	for _, o := range skeleton.Objects {
		fmt.Fprintf(&out, "%s:%d: %s %s %q/%s %v\n", o.File, o.Line, o.APIVersion, o.Kind, o.Namespace, o.Name, o.Subjects)
	}
	problems, err := skeleton.Coerced(w.Inputs)
	require.NoError(t, err)
	for _, p := range append(skeleton.Problems, problems...) {
		fmt.Fprintf(&out, "%s\n", p)
	}
	return out.String()
}
