package kustomize_test

import (
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
	"golang.org/x/tools/txtar"

	"transom.dev/render/internal/kustomize"
)

const component = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"

// TestGuardSaysExactly runs every archive of testdata/guard: the files of a tree, and the Problems of Guard about it in
// problems.
func TestGuardSaysExactly(t *testing.T) {
	files, err := filepath.Glob("testdata/guard/*.txtar")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			require.NoError(t, err)
			content, want := map[string]string{}, ""
			for _, f := range archive.Files {
				if f.Name == "problems" {
					want = string(f.Data)
					continue
				}
				content[f.Name] = string(f.Data)
			}
			got := said(content)
			if *update {
				rewriteProblems(t, file, archive, got)
				return
			}
			require.Equal(t, want, got)
		})
	}
}

func said(files map[string]string) string {
	var lines strings.Builder
	of := tree(files)
	for name := range files {
		if strings.HasPrefix(strings.ToLower(path.Base(name)), "kustomization") && !strings.HasPrefix(name, "tests/") {
			of.Components = append(of.Components, path.Dir(name)) // so that every one is looked at
		}
	}
	slices.Sort(of.Components)
	for _, p := range kustomize.Guard(of) {
		lines.WriteString(p.String() + "\n")
	}
	return lines.String()
}

func rewriteProblems(t *testing.T, file string, a *txtar.Archive, problems string) {
	t.Helper()
	out := &txtar.Archive{Comment: a.Comment}
	for _, f := range a.Files {
		if f.Name != "problems" {
			out.Files = append(out.Files, f)
		}
	}
	out.Files = append(out.Files, txtar.File{Name: "problems", Data: []byte(problems)})
	require.NoError(t, os.WriteFile(file, txtar.Format(out), 0o644))
}

func TestGuardPassesWhatPublishedBasesUse(t *testing.T) {
	require.Empty(t, said(map[string]string{
		"kustomization.yaml":      component + "resources: [base, ./more.yaml]\ncomponents: [components/extra/]\n",
		"base/kustomization.yaml": "resources:\n- a.yaml\ncommonLabels: {app: x}\nnamespace: kube-system\n",
		"base/a.yaml":             "a: &a {b: c}\nd: *a\n---\ne: f\n",
		"more.yaml":               "g: h\n",
		"components/extra/kustomization.yaml": component + `
patches:
- {path: patch.yaml, target: {kind: Deployment}}
- {patch: "- {op: remove, path: /spec}", target: {kind: Service}}
configMapGenerator:
- {name: files, files: [data.bin, key=../../more.yaml], envs: [x.env], literals: [a=https://example.com]}
replacements:
- path: replacement.yaml
images: [{name: nginx, newTag: "1"}]
`,
		"components/extra/patch.yaml":       "i: j\n",
		"components/extra/data.bin":         "\xff\xfe not text",
		"components/extra/x.env":            "A=B\n",
		"components/extra/replacement.yaml": "source: {kind: Inputs}\ntargets: [{select: {kind: Service}}]\n",
		"tests/a/kustomization.yaml":        "resources: [https://example.com/never-read.yaml]\n",
	}))
}

func TestGuardFollowsNoSymlink(t *testing.T) {
	files := fstest.MapFS{
		"kustomization.yaml": &fstest.MapFile{Data: []byte(component + "resources: [secret.yaml]\n")},
		"secret.yaml":        &fstest.MapFile{Data: []byte("/etc/passwd"), Mode: os.ModeSymlink | 0o777},
		"library":            &fstest.MapFile{Mode: os.ModeIrregular},
	}
	var said []string
	for _, p := range kustomize.Guard(kustomize.Tree{Dir: "offerings/web/1.0.0", Files: files}) {
		said = append(said, p.String())
	}
	require.Contains(t, said, "offerings/web/1.0.0/library: not a regular file; symlinks and submodules are not followed")
	require.Contains(t, said, "offerings/web/1.0.0/secret.yaml: not a regular file; symlinks and submodules are not followed")
}
