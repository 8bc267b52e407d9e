package kustomize_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
	k8syaml "sigs.k8s.io/yaml"

	"go.yaml.in/yaml/v3"

	"transom.dev/render/internal/kustomize"
	"transom.dev/render/internal/kustomize/compiler"
	"transom.dev/render/worker"
)

// A feature is one thing that a kustomization can do, of testdata/corpus/features.yaml.
type feature struct {
	name  string
	plain bool // it always goes the plain way
	apart bool // it and others of these rule out each other
	files map[string]string
	adds  map[string]any // to a kustomization
}

func features(t testing.TB) []feature {
	content, err := os.ReadFile("testdata/corpus/features.yaml")
	require.NoError(t, err)
	var list []feature
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	for {
		var one struct {
			Name  string
			Plain bool
			Apart bool
			Files map[string]string
			Adds  map[string]any `yaml:",inline"`
		}
		err := decoder.Decode(&one)
		if errors.Is(err, io.EOF) {
			return list
		}
		require.NoError(t, err)
		list = append(list, feature{one.Name, one.Plain, one.Apart, one.Files, one.Adds})
	}
}

// featured is a tree that uses all the features.
func featured(t testing.TB, dir string, resources map[string]string, features ...feature) kustomize.Tree {
	files := maps.Clone(resources)
	if files == nil {
		files = map[string]string{}
	}
	k := map[string]any{"apiVersion": "kustomize.config.k8s.io/v1alpha1", "kind": "Component", "metadata": map[string]any{"name": "c"}}
	if len(files) > 0 {
		k["resources"] = []any{}
		for _, name := range slices.Sorted(maps.Keys(files)) {
			k["resources"] = append(k["resources"].([]any), name)
		}
	}
	for _, f := range features {
		maps.Copy(files, f.files)
		for key, value := range f.adds {
			if list, ok := value.([]any); ok && k[key] != nil {
				k[key] = append(slices.Clone(k[key].([]any)), list...)
			} else {
				k[key] = value
			}
		}
	}
	content, err := k8syaml.Marshal(k)
	require.NoError(t, err)
	m := fstest.MapFS{"kustomization.yaml": {Data: content}}
	for name, content := range files {
		m[name] = &fstest.MapFile{Data: []byte(content)}
	}
	return kustomize.Tree{Dir: dir, Files: m, Digest: dir}
}

// offering puts some features into a version and others into an overlay that comes after it.
func offering(t testing.TB, version, overlay []feature) kustomize.Wrapper {
	objects, err := os.ReadFile("testdata/corpus/objects.yaml")
	require.NoError(t, err)
	trees := []kustomize.Tree{featured(t, "offerings/web/1.0.0", map[string]string{"objects.yaml": string(objects)}, version...)}
	if len(overlay) > 0 {
		trees = append(trees, featured(t, "environments/prod/overlay", nil, overlay...))
	}
	return wrapper(nil, trees...)
}

// An instance is the part that differs between wrappers of one program.
type instance struct {
	prefix, namespace string
	parameters        map[string]any
}

func (i instance) of(w kustomize.Wrapper) kustomize.Wrapper {
	w.Prefix, w.Namespace = i.prefix, i.namespace
	w.Labels, w.Identity = maps.Clone(w.Labels), maps.Clone(w.Identity)
	request := strings.TrimSuffix(i.prefix, "-")
	for _, labels := range []map[string]string{w.Labels, w.Identity} {
		labels["transom.dev/team"], labels["transom.dev/request"] = i.namespace, request
	}
	w.Inputs = map[string]any{
		"parameters": i.parameters, "namespace": i.namespace, "request": map[string]any{"name": request, "team": i.namespace},
	}
	return w
}

func parameters(text, word, name, image string, count any, flag bool, env ...string) map[string]any {
	list := []any{}
	for _, name := range env {
		list = append(list, map[string]any{"name": name, "value": text + name})
	}
	return map[string]any{
		"text": text, "word": word, "name": name, "image": image, "count": count, "flag": flag, "other": !flag,
		"env": list, "list": []any{word, "--" + name, text}, "map": map[string]any{"one": word, "two/b": name},
	}
}

// instances are usual ones, and such whose values mean something to the features.
func instances() []instance {
	return []instance{
		{"shop-", "payments", parameters("hello", "blue", "token", "registry/app:1", 3, true, "A", "B")},
		{"cart-", "search", parameters("a longer text", "green", "other", "ghcr.io/x/y@sha256:0", 12, false, "C", "D")},
		{"shop-", "payments", parameters("text", "app", "web", "app:2", 8080, true, "LOG_LEVEL", "ADDED")},
		{"web-", "here", parameters("a: b", "shop-web", "shop-generated", "app", 9090, false, "A", "A")},
		{"pre-", "elsewhere", parameters("{a: 1}\n", "no", "settings", "a:b:c/d", 1_000_000, false, "y", "X")},
		{"on-", "team", parameters("  two\nlines  ", "1e3", "generated", "x", int64(1)<<60, true)},
		{"e-", "s", parameters("", "0o17", "payments", "registry.example.com:5000/proxy:1", -1, true, "a b")},
	}
}

// same builds an instance both ways, and wants the same. It returns why the program takes the plain way, which fallsBack
// looks at. The program has workers run Kustomize, while it runs here for the plain build.
func same(t testing.TB, p *compiler.Program, w kustomize.Wrapper) (why error) {
	t.Helper()
	if why := p.Why(inWorker(w)); why != nil {
		require.NotContains(t, why.Error(), "does not print what Kustomize prints")
		return why
	}
	want, err := kustomize.Build(w)
	require.NoError(t, err, "what fails is not compiled")
	got, err := p.Build(inWorker(w))
	require.NoError(t, err)
	require.Equal(t, string(want), string(got))
	return nil
}

func inWorker(w kustomize.Wrapper) kustomize.Wrapper {
	w.Run = worker.Run
	return w
}

// fallsBack builds an instance that is not compiled, and wants the result of Kustomize, be it an error.
func fallsBack(t testing.TB, p *compiler.Program, w kustomize.Wrapper) {
	t.Helper()
	want, wantErr := kustomize.Build(w)
	got, err := p.Build(inWorker(w))
	require.Equal(t, string(want), string(got))
	require.Equal(t, fmt.Sprint(wantErr), fmt.Sprint(err))
}

// TestFeaturesAlone builds each feature with all instances, in the version and in an overlay.
func TestFeaturesAlone(t *testing.T) {
	for _, f := range features(t) {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			for _, w := range []kustomize.Wrapper{offering(t, []feature{f}, nil), offering(t, nil, []feature{f})} {
				p := compiler.Compile(w)
				for i, instance := range instances() {
					why := same(t, p, instance.of(w))
					if i < 2 {
						require.Equal(t, f.plain, why != nil, "%v", why)
					}
					if i == 0 && why != nil {
						fallsBack(t, p, instance.of(w))
					} else if i == 0 {
						require.Equal(t, string(onDisk(t, instance.of(w))), string(build(t, instance.of(w))))
					}
					if len(w.Trees) > 1 && i == 2 || f.adds["replacements"] == nil && i == 3 {
						break
					}
				}
			}
		})
	}
}

// TestFeaturesInPairs builds every two features together, in the same version or in a version and an overlay: in groups
// that have every pair among them, but one by one those that rule out each other, and wherever a group does not go by
// template.
func TestFeaturesInPairs(t *testing.T) {
	list := slices.DeleteFunc(features(t), func(f feature) bool { return f.plain })
	for n, group := range covering(list, 10) {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			why := together(t, group, n)
			if why == nil || len(group) == 2 {
				return
			}
			t.Logf("one by one, for %v", why)
			for i, a := range group {
				for j, b := range group[:i] {
					_ = together(t, []feature{a, b}, n+i+j)
				}
			}
		})
	}
}

// covering sorts features into groups of at most so many, such that every two are in one of them together. Two that rule
// out each other are a group of their own.
func covering(list []feature, size int) (groups [][]feature) {
	met := map[[2]int]bool{}
	pair := func(a, b int) [2]int { return [2]int{min(a, b), max(a, b)} }
	for a := range list {
		for b := range a {
			if met[pair(a, b)] {
				continue
			}
			group := []int{a, b}
			for len(group) < size && !(list[a].apart && list[b].apart) {
				best, most := -1, 0
				for c := range list {
					news := 0
					for _, member := range group {
						if c == member || list[c].apart && list[member].apart {
							news = -size
						} else if !met[pair(c, member)] {
							news++
						}
					}
					if news > most {
						best, most = c, news
					}
				}
				if best < 0 {
					break
				}
				group = append(group, best)
			}
			var members []feature
			for i, member := range group {
				members = append(members, list[member])
				for _, other := range group[:i] {
					met[pair(member, other)] = true
				}
			}
			groups = append(groups, members)
		}
	}
	return groups
}

// together builds features of which n selects where they are and the instances: all in a version, or every other in an
// overlay. It returns why a usual instance does not go by template.
func together(t testing.TB, group []feature, n int) (why error) {
	t.Helper()
	version, overlay := group, []feature(nil)
	if n%2 == 1 {
		version = nil
		for i, f := range group {
			if i%2 == 0 {
				version = append(version, f)
			} else {
				overlay = append(overlay, f)
			}
		}
	}
	w := offering(t, version, overlay)
	p := compiler.Compile(w)
	list := instances()
	if why := p.Why(list[n%2].of(w)); why != nil { // which compares it with the plain build
		require.NotContains(t, why.Error(), "does not print what Kustomize prints")
		return why
	}
	if len(group) > 2 {
		_ = same(t, p, list[2+n%(len(list)-2)].of(w))
	}
	return nil
}
