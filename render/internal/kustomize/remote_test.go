package kustomize_test

import (
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/kustomize/api/types"
	k8syaml "sigs.k8s.io/yaml"

	"transom.dev/render/internal/kustomize"
)

// leaves calls visit with a value of the type for each text that it can have, which is the one given; the name is where.
func leaves(of reflect.Type, name, text string, visit func(name string, value any)) {
	switch of.Kind() {
	case reflect.Pointer:
		leaves(of.Elem(), name, text, visit)
	case reflect.String:
		visit(name, text)
	case reflect.Slice:
		leaves(of.Elem(), name+"[0]", text, func(name string, value any) { visit(name, []any{value}) })
	case reflect.Map:
		visit(name, map[string]any{"key": text})
	case reflect.Struct:
		for i := range of.NumField() {
			field := of.Field(i)
			tag, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			switch {
			case !field.IsExported() || strings.Count(name, ".") > 6:
			case tag == "" && field.Anonymous:
				leaves(field.Type, name, text, visit)
			case tag != "" && tag != "-":
				leaves(field.Type, name+"."+tag, text, func(name string, value any) { visit(name, map[string]any{tag: value}) })
			}
		}
	}
}

// TestNoFieldIsAWayOut puts every spelling of something remote into every field that a kustomization of this Kustomize
// has, one at a time. A kustomization that the guard passes is built, and reaches nothing.
func TestNoFieldIsAWayOut(t *testing.T) {
	address, calls := trap(t)
	started := marks(t)
	passed, refused := 0, 0
	for _, spelling := range []string{
		"http://HOST/a.yaml", "https://HOST/repo//dir?ref=main", "ssh://git@HOST/repo//dir", "git@HOST:repo", "git::http://HOST/repo", "file:///nowhere/repo//dir",
		"github.com/nobody/none", "HOST/repo.git", "../../../../etc/passwd", "/etc/passwd",
	} {
		text := strings.ReplaceAll(spelling, "HOST", address)
		leaves(reflect.TypeFor[types.Kustomization](), "", text, func(_ string, value any) {
			fields := value.(map[string]any)
			for key, field := range map[string]string{"apiVersion": "kustomize.config.k8s.io/v1alpha1", "kind": "Component"} {
				if fields[key] == nil {
					fields[key] = field
				}
			}
			fields["metadata"] = map[string]any{"name": "c"}
			content, err := k8syaml.Marshal(fields)
			require.NoError(t, err)
			version := tree(map[string]string{
				"kustomization.yaml": component + "resources: [a.yaml]\ncomponents: [nested]\n", "nested/kustomization.yaml": string(content),
				"a.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {selector: {a: b}}\n",
			})
			if len(kustomize.Guard(version)) > 0 {
				refused++
				return
			}
			passed++
			w := wrapper(map[string]any{"parameters": map[string]any{"a": "b"}}, version)
			_, _ = kustomize.Analyse(w)
			_, _ = kustomize.Build(w)
		})
	}
	require.Zero(t, calls(), "connections")
	left, err := os.ReadDir(started)
	require.NoError(t, err)
	require.Empty(t, left, "programs started")
	require.Greater(t, passed, 100, "names, labels and texts may look like anything")
	require.Greater(t, refused, 500)
}

// TestRemotesAreFoundAnywhere: in the kustomization of a version and of an overlay, at any depth. One that no build comes to, and
// so is never read, may name them.
func TestRemotesAreFoundAnywhere(t *testing.T) {
	for _, dir := range []string{"", "nested/", "a/b/c/d/e/f/", "never-listed/"} {
		for _, overlay := range []bool{false, true} {
			for name, text := range remotes {
				files := map[string]string{"kustomization.yaml": component + "namePrefix: a-\n"}
				files[dir+"kustomization.yaml"] = component + strings.NewReplacer("URL", "http://example.com", "HOST", "example.com").Replace(text) + "\n"
				version := tree(files)
				version.Overlay = overlay
				if dir == "never-listed/" {
					require.Empty(t, kustomize.Guard(version))
					_, err := kustomize.Build(wrapper(map[string]any{}, version))
					require.NoError(t, err)
					continue
				}
				version.Components = []string{dir}
				problems := kustomize.Guard(version)
				require.NotEmpty(t, problems, "%s in %q", name, dir)
				require.Equal(t, version.Dir+"/"+dir+"kustomization.yaml", problems[0].File)
			}
		}
	}
}

// TestNoOfferingChangesHowTheNextIsRead: a version that would change Kustomize's global state is refused, in whichever order
// versions come, and a version that is built after it is built as it was before.
func TestNoOfferingChangesHowTheNextIsRead(t *testing.T) {
	patched := wrapper(nil, tree(map[string]string{
		"kustomization.yaml": component + "resources: [a.yaml]\npatches: [{path: p.yaml}]\n",
		"a.yaml":             "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec: {template: {spec: {containers: [{name: a, image: a}, {name: b, image: b}]}}}\n",
		"p.yaml":             "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec: {template: {spec: {containers: [{name: b, image: c}]}}}\n",
	}))
	before, err := kustomize.Build(patched)
	require.NoError(t, err)
	require.Contains(t, string(before), "image: a", "containers are merged by name")
	for _, field := range []string{"openapi: {path: schema.json}", "crds: [schema.json]", "configurations: [schema.json]", "openapi: {version: v1.20.4}", "OpenAPI: {path: schema.json}"} {
		files := map[string]string{"kustomization.yaml": component + field + "\n", "schema.json": `{"definitions": {}}`}
		require.NotEmpty(t, kustomize.Guard(tree(files)), field)
		nested := map[string]string{"kustomization.yaml": component + "components: [n]\n", "n/kustomization.yaml": files["kustomization.yaml"], "n/schema.json": files["schema.json"]}
		require.NotEmpty(t, kustomize.Guard(tree(nested)), field)
		after, err := kustomize.Build(patched)
		require.NoError(t, err)
		require.Equal(t, string(before), string(after), field)
	}
}

// TestLinksAreNotFollowed in any directory, whatever they are called and wherever they lead.
func TestLinksAreNotFollowed(t *testing.T) {
	for _, name := range []string{"a.yaml", "nested/a.yaml", "nested/kustomization.yaml", "never-listed"} {
		for _, mode := range []os.FileMode{os.ModeSymlink, os.ModeNamedPipe, os.ModeDevice, os.ModeIrregular} {
			files := fstest.MapFS{
				"kustomization.yaml": {Data: []byte(component)},
				name:                 {Data: []byte("/etc/passwd"), Mode: mode | 0o777},
			}
			problems := kustomize.Guard(kustomize.Tree{Dir: "offerings/web/1.0.0", Files: files})
			require.Contains(t, fmt.Sprint(problems), name+": not a regular file", "%v", mode)
		}
	}
}
