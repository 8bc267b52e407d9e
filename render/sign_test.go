package render_test

import (
	"bytes"
	"io/fs"
	"os"
	"path"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	sigs "sigs.k8s.io/yaml"

	"transom.dev/render/platform"
)

// acme is the example with a line more in the spec of its environments.
func acme(t *testing.T, line string) *platform.Platform {
	t.Helper()
	files := fstest.MapFS{}
	example := os.DirFS("../examples/acme")
	require.NoError(t, fs.WalkDir(example, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(example, name)
		if path.Dir(name) == "environments" {
			content = bytes.Replace(content, []byte("\nspec:\n"), []byte("\nspec:\n"+line), 1)
		}
		put(files, name, content)
		return err
	}))
	return load(t, files)
}

// TestWhatAnotherAgentAppliesCarriesItsDigest, and is the same otherwise: every object of the example, and of its
// namespaces.
func TestWhatAnotherAgentAppliesCarriesItsDigest(t *testing.T) {
	plain, signed := acme(t, ""), acme(t, "  apply: external\n")
	objects := 0
	for _, environment := range []string{"dev", "staging", "prod"} {
		before, after := renderAll(t, plain, environment, nil), renderAll(t, signed, environment, nil)
		for name, manifest := range before.Changes {
			if !strings.HasPrefix(name, "clusters/") {
				continue
			}
			want, got := objectsOf(t, manifest), objectsOf(t, after.Changes[name])
			require.Len(t, got, len(want), name)
			require.NotEqual(t, string(manifest), string(after.Changes[name]))
			for i, o := range got {
				annotations := o.GetAnnotations()
				require.Equal(t, platform.Digest(want[i].Object), annotations["transom.dev/digest"], "%s in %s", o.GetName(), name)
				delete(annotations, "transom.dev/digest")
				if o.SetAnnotations(annotations); len(annotations) == 0 {
					unstructured.RemoveNestedField(o.Object, "metadata", "annotations")
				}
				require.Equal(t, want[i].Object, o.Object)
				objects++
			}
		}
	}
	require.Greater(t, objects, 50)
}

// TestStrictIsAChangeOfTheEnvironment: every object of an instance says that its environment is strict, and is the same otherwise; the
// render keys change, so that it passes gates and waves. The objects around a namespace stay as they are, and so does everything
// while the environment does not ask for it.
func TestStrictIsAChangeOfTheEnvironment(t *testing.T) {
	plain, strict, correct := acme(t, ""), acme(t, "  drift: strict\n"), acme(t, "  drift: correct\n")
	before, after := renderAll(t, plain, "dev", nil), renderAll(t, strict, "dev", nil)
	require.Equal(t, before.Changes, renderAll(t, correct, "dev", nil).Changes)
	objects := 0
	for name, manifest := range before.Changes {
		if !strings.HasPrefix(name, "clusters/") {
			continue
		}
		if path.Base(name) == "_namespace.yaml" {
			require.Equal(t, string(manifest), string(after.Changes[name]))
			continue
		}
		want, got := objectsOf(t, manifest), objectsOf(t, after.Changes[name])
		require.Len(t, got, len(want), name)
		for i, o := range got {
			annotations := o.GetAnnotations()
			require.Equal(t, "strict", annotations["transom.dev/drift"])
			delete(annotations, "transom.dev/drift")
			if o.SetAnnotations(annotations); len(annotations) == 0 {
				unstructured.RemoveNestedField(o.Object, "metadata", "annotations")
			}
			require.Equal(t, want[i].Object, o.Object)
			objects++
		}
	}
	require.Greater(t, objects, 10)
	for key, release := range before.Releases {
		for cluster, placed := range release.Clusters {
			require.NotEqual(t, placed.RenderKey, after.Releases[key].Clusters[cluster].RenderKey)
		}
	}
}

func objectsOf(t *testing.T, manifest []byte) (all []*unstructured.Unstructured) {
	t.Helper()
	for document := range strings.SplitSeq(string(manifest), "\n---\n") {
		raw, err := sigs.YAMLToJSON([]byte(document))
		require.NoError(t, err)
		u := &unstructured.Unstructured{}
		require.NoError(t, u.UnmarshalJSON(raw))
		all = append(all, u)
	}
	return all
}
