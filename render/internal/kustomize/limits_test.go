package kustomize_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/render/internal/kustomize"
)

const (
	base      = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
	configMap = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\ndata: {a: value, b: other}\n"
)

// bombs are small trees that come to very much, and the Problem that says how much. Each is one way in which Kustomize
// multiplies.
var bombs = []struct {
	name  string
	files func() map[string]string
	says  string // of the Problem's text: the file and the numbers
}{
	{"components of components", func() map[string]string {
		files := chain("components", 20, component)
		files["c20/kustomization.yaml"] = component + "namePrefix: x\n"
		return files
	}, "1.0.0/kustomization.yaml: expands to 2,097,151 components; at most 10,000; list each directory once"},
	{"an optional component of components", func() map[string]string {
		files := chain("components", 20, component)
		files["c20/kustomization.yaml"] = component + "namePrefix: x\n"
		files["option/kustomization.yaml"] = files["kustomization.yaml"]
		files["option/kustomization.yaml"] = strings.ReplaceAll(files["kustomization.yaml"], "c1", "../c1")
		files["kustomization.yaml"] = component + "namePrefix: x-\n"
		return files
	}, "1.0.0/option/kustomization.yaml: expands to 2,097,151 components; at most 10,000"},
	{"bases of bases", func() map[string]string {
		files := chain("resources", 12, base)
		files["c12/kustomization.yaml"] = base + "resources: [a.yaml]\n"
		files["c12/a.yaml"] = fmt.Sprintf(configMap, "a")
		return files
	}, "1.0.0/kustomization.yaml: comes to 4,096 objects; at most 1,000; split the version"},
	{"directories in directories", func() map[string]string {
		files := map[string]string{}
		for n := range 100 {
			files[strings.Repeat("d/", n)+"kustomization.yaml"] = component + "components: [d]\n"
		}
		files[strings.Repeat("d/", 100)+"kustomization.yaml"] = component + "namePrefix: x\n"
		return files
	}, "1.0.0/kustomization.yaml: lists directories that list directories, 101 levels deep; at most 64"},
	{"a list of objects", func() map[string]string {
		return with("list.yaml", "apiVersion: v1\nkind: List\nitems: ["+strings.Repeat("{a: b},", 5000)+"]\n")
	}, "1.0.0/kustomization.yaml: lists 5000 objects; at most 1000 are applied"},
	{"documents without objects", func() map[string]string {
		return with("o.yaml", strings.Repeat("---\n", 10_001)+fmt.Sprintf(configMap, "a"))
	}, "1.0.0/o.yaml: has 10,001 documents; at most 10,000; leave out those that are empty, or split it"},
	{"lists in lists of aliases", func() map[string]string {
		return with("list.yaml", "apiVersion: v1\nkind: List\nitems:\n- &a {kind: List, items: ["+strings.Repeat("{a: b},", 100)+"]}\n"+strings.Repeat("- *a\n", 99))
	}, "1.0.0/kustomization.yaml: lists 10000 objects; at most 1000 are applied"},
	{"a file read again and again", func() map[string]string {
		files := chain("components", 10, component)
		files["c10/kustomization.yaml"] = component + "patches: [{path: p.yaml, target: {kind: None}}]\n"
		files["c10/p.yaml"] = "a: " + strings.Repeat("x", 1<<20-100) + "\n"
		return files
	}, "1.0.0/kustomization.yaml: reads 1,073,"},
	{"long text behind aliases", func() map[string]string {
		return with("a.yaml", fmt.Sprintf(configMap, "a")+"c: &c "+strings.Repeat("x", 10<<10)+"\nd: ["+strings.Repeat("*c,", 10_000)+"]\n")
	}, "1.0.0/kustomization.yaml: comes to objects of 102,"},
	{"fields behind aliases", func() map[string]string {
		files, kustomization := map[string]string{}, component+"resources: ["
		for n := range 20 {
			name := fmt.Sprintf("a%d.yaml", n)
			files[name] = fmt.Sprintf(configMap, fmt.Sprint("a", n)) + "c: &c [" + strings.Repeat("1,", 100) + "]\nd: [" + strings.Repeat("*c,", 500) + "]\n"
			kustomization += name + ","
		}
		files["kustomization.yaml"] = kustomization + "]\n"
		return files
	}, "1.0.0/kustomization.yaml: comes to objects of 1,01"},
	{"many keys", func() map[string]string {
		return with("a.yaml", fmt.Sprintf(configMap, "a")+keys(20_000))
	}, "1.0.0/a.yaml:1:1: has a mapping with 20,004 keys; at most 10,000; split it, or make it a list"},
	{"a file generated from again and again", func() map[string]string {
		var from strings.Builder
		for n := range 1000 {
			fmt.Fprintf(&from, "k%d=data,", n)
		}
		return map[string]string{
			"kustomization.yaml": component + "configMapGenerator: [{name: a, files: [" + from.String() + "]}]\n",
			"data":               strings.Repeat("x", 1<<20),
		}
	}, "1.0.0/kustomization.yaml: reads 1,048,"},
	{"literals of many ConfigMaps", func() map[string]string {
		return map[string]string{"kustomization.yaml": component + "configMapGenerator: [" + strings.Repeat("{name: a},", 3000) + "]\n"}
	}, "1.0.0/kustomization.yaml: lists 3000 objects; at most 1000 are applied"},
	{"patches of many objects", func() map[string]string {
		files := objects(500)
		files["kustomization.yaml"] += "patches: [" + strings.Repeat("{target: {kind: ConfigMap}, patch: '[{op: add, path: /data/x, value: y}]'},", 5000) + "]\n"
		return files
	}, "1.0.0/kustomization.yaml: holds objects against patches, replacements and other changes 2,500,000 times; at most 1,000,000"},
	{"a large patch of many objects", func() map[string]string {
		files := objects(500)
		files["kustomization.yaml"] += "patches: [{target: {kind: ConfigMap}, path: p.yaml}]\n"
		files["p.yaml"] = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {x: " + strings.Repeat("x", 100<<10) + "}\n"
		return files
	}, "1.0.0/kustomization.yaml: comes to objects of 16,85"},
	{"references to many objects", func() map[string]string {
		files := objects(600)
		files["kustomization.yaml"] += "namePrefix: pre-\n"
		files["o.yaml"] += "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec: {template: {spec: {containers: [{name: a, envFrom: [" +
			strings.Repeat("{configMapRef: {name: o1}},", 4000) + "]}]}}}\n"
		return files
	}, "1.0.0/kustomization.yaml: holds references to other objects against the names of objects 2,404,000 times; at most 2,000,000"},
	{"a pattern of many steps", func() map[string]string {
		files := objects(1)
		files["kustomization.yaml"] += "patches: [{target: {kind: ConfigMap, name: '((a|b){0,30}.{0,30}){0,30}'}, patch: '[{op: add, path: /data/x, value: y}]'}]\n"
		return files
	}, "1.0.0/kustomization.yaml: has a pattern of "},
	{"patterns for many objects", func() map[string]string {
		files := objects(500)
		files["kustomization.yaml"] += "patches: [" + strings.Repeat("{target: {kind: ConfigMap, name: '.{0,900}'}, patch: '[{op: add, path: /data/x, value: y}]'},", 500) + "]\n"
		return files
	}, "1.0.0/kustomization.yaml: holds names against patterns of "},
	{"copies of copies", func() map[string]string {
		files := objects(1)
		files["kustomization.yaml"] += "patches: [{target: {kind: ConfigMap}, path: p.yaml}]\n"
		files["p.yaml"] = strings.Repeat("- {op: copy, from: /data, path: /data/x}\n", 2000)
		return files
	}, "1.0.0/kustomization.yaml: copies inside of objects 2,000 times; at most 1,000"},
	{"copies in objects of a prefixed name", func() map[string]string {
		files := objects(1)
		files["kustomization.yaml"] += "namePrefix: pre-\npatchesJson6902: [{target: {kind: ConfigMap, name: pre-o0}, path: p.yaml}]\n"
		files["p.yaml"] = strings.Repeat("- {op: copy, from: /data, path: /data/x}\n", 2000)
		return files
	}, "1.0.0/kustomization.yaml: copies inside of objects 2,000 times; at most 1,000"},
	{"images of many names", func() map[string]string {
		files := objects(500)
		files["kustomization.yaml"] += "images: [" + strings.Repeat("{name: a, newTag: b},", 5000) + "]\n"
		return files
	}, "1.0.0/kustomization.yaml: holds objects against patches, replacements and other changes 2,500,000 times"},
	{"images against images", func() map[string]string {
		files := objects(1)
		files["kustomization.yaml"] += "images: [" + strings.Repeat("{name: a, newTag: b},", 1200) + "]\n"
		files["o.yaml"] += "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec: {template: {spec: {containers: [" +
			strings.Repeat("{name: a, image: b},", 1000) + "]}}}\n"
		return files
	}, "1.0.0/kustomization.yaml: holds images against images 1,200,000 times; at most 1,000,000; leave out images that are the same everywhere, or split the version"},
	{"images that a replacement brings", func() map[string]string {
		files := objects(1)
		files["kustomization.yaml"] += "components: [c]\nimages: [" + strings.Repeat("{name: a, newTag: b},", 300) + "]\n"
		files["c/kustomization.yaml"] = component + "replacements:\n- source: {kind: Deployment, name: d, fieldPath: spec}\n  targets: [{select: {kind: Thing}, fieldPaths: [spec], options: {create: true}}]\n"
		files["o.yaml"] += "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec: {template: {spec: {containers: [" + strings.Repeat("{name: a, image: b},", 1000) + "]}}}\n"
		for n := range 5 {
			files["o.yaml"] += fmt.Sprintf("---\napiVersion: example.com/v1\nkind: Thing\nmetadata: {name: t%d}\n", n)
		}
		return files
	}, "1.0.0/kustomization.yaml: holds images against images 1,800,000 times; at most 1,000,000"},
	{"images that a replacement writes to many items", func() map[string]string {
		files := objects(1)
		files["kustomization.yaml"] += "components: [c]\nimages: [" + strings.Repeat("{name: a, newTag: b},", 1200) + "]\n"
		files["c/kustomization.yaml"] = component + "replacements:\n- source: {kind: Thing, name: t, fieldPath: from}\n  targets: [{select: {kind: Thing}, fieldPaths: [spec.list.*.image], options: {create: true}}]\n"
		files["o.yaml"] += "apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: t}\nfrom: b\nspec: {list: [" + strings.Repeat("{name: a},", 1000) + "]}\n"
		return files
	}, "1.0.0/kustomization.yaml: holds images against images 1,200,000 times; at most 1,000,000"},
	{"images that a patch writes", func() map[string]string {
		files := objects(1)
		files["kustomization.yaml"] += "components: [c]\nimages: [" + strings.Repeat("{name: a, newTag: b},", 1200) + "]\n"
		files["c/kustomization.yaml"] = component + "patches: [{target: {kind: Thing}, path: p.yaml}]\n"
		for n := range 1000 {
			files["c/p.yaml"] += fmt.Sprintf("- {op: add, path: /spec/list/%d/image, value: b}\n", n)
		}
		files["o.yaml"] += "apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: t}\nspec: {list: [" + strings.Repeat("{name: a},", 1000) + "]}\n"
		return files
	}, "1.0.0/kustomization.yaml: holds images against images 1,200,000 times; at most 1,000,000"},
	{"labels of list items", func() map[string]string {
		return labelled("labels: [" + strings.Repeat("{pairs: {l: v}, fields: [{path: 'spec/items/metadata/labels', create: true}]},", 600) + "]\n")
	}, "1.0.0/kustomization.yaml: walks over 100,"},
	{"labels of list items by a transformer", func() map[string]string {
		return labelled("transformers:\n- |\n  apiVersion: builtin\n  kind: LabelTransformer\n  metadata: {name: l}\n  labels: {" + keysNamed("l", 300) +
			"}\n  fieldSpecs: [{path: 'spec/items[]/metadata/labels', create: true}]\n")
	}, "1.0.0/kustomization.yaml: comes to objects of 610,813 fields and items"},
	{"labels of selectors", func() map[string]string {
		files := labelled("commonLabels: {" + keysNamed("l", 300) + "}\n")
		files["o.yaml"] = strings.ReplaceAll(files["o.yaml"], "labels:", "matchLabels:")
		return files
	}, "1.0.0/kustomization.yaml: comes to objects of 610,813 fields and items"},
	{"very many labels", func() map[string]string {
		files := objects(1)
		files["kustomization.yaml"] += "labels: [{pairs: {" + keysNamed("l", 9000) + "}}]\n"
		return files
	}, "1.0.0/kustomization.yaml: walks over 121,"},
	{"a long image", func() map[string]string {
		files := objects(1)
		files["kustomization.yaml"] += "images: [{name: a, newTag: " + strings.Repeat("x", 10_000) + "}]\n"
		return files
	}, "1.0.0/kustomization.yaml: has a prefix, suffix, namespace, label or image of 10,000 bytes; at most 4,096; shorten it"},
	{"long annotations on many objects", func() map[string]string {
		files := objects(500)
		files["kustomization.yaml"] += "commonAnnotations: {a: " + strings.Repeat("x", 100_000) + "}\n"
		return files
	}, "1.0.0/kustomization.yaml: comes to objects of 100,"},
	{"labels on every level", func() map[string]string {
		files := objects(900)
		files["kustomization.yaml"] += "components: [" + strings.Repeat("l,", 8000) + "]\n"
		files["l/kustomization.yaml"] = component + "namespace: x\n"
		return files
	}, "1.0.0/l/kustomization.yaml: walks over 100,"},
	{"prefixes of prefixes", func() map[string]string {
		files := map[string]string{}
		for n := range 60 {
			files[strings.Repeat("d/", n)+"kustomization.yaml"] = component + "components: [d]\nnamePrefix: " + strings.Repeat("x", 5000) + "\n"
		}
		files[strings.Repeat("d/", 60)+"kustomization.yaml"] = component + "resources: [a.yaml]\n"
		files[strings.Repeat("d/", 60)+"a.yaml"] = fmt.Sprintf(configMap, "a")
		return files
	}, "kustomization.yaml: has a prefix, suffix, namespace, label or image of 5,000 bytes; at most 4,096"},
	{"many prefixes", func() map[string]string {
		files := objects(1)
		var all []string
		for n := range 200 {
			all = append(all, fmt.Sprintf("p%d", n))
			files[all[n]+"/kustomization.yaml"] = fmt.Sprintf("%snamePrefix: p%d-\n", component, n)
		}
		files["kustomization.yaml"] += "components: [" + strings.Join(all, ", ") + "]\n"
		return files
	}, "1.0.0/kustomization.yaml: has 200 different prefixes and suffixes; at most 100"},
	{"long lists merged", func() map[string]string {
		files := with("d.yaml", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec: {list: ["+strings.Repeat("{name: a},", 20_000)+"]}\n")
		files["kustomization.yaml"] += "patches: [{target: {kind: Deployment}, patch: '{apiVersion: apps/v1, kind: Deployment, metadata: {name: d}, spec: {list: [{name: b}]}}'}]\n"
		return files
	}, "1.0.0/kustomization.yaml: walks over 4,00"},
	{"replacements that feed each other", func() map[string]string {
		files := objects(2)
		var all strings.Builder
		for range 40 {
			for _, way := range [][2]string{{"o0", "o1"}, {"o1", "o0"}} {
				fmt.Fprintf(&all, "- source: {kind: ConfigMap, name: %s, fieldPath: data.a}\n  targets: [{select: {name: %s}, fieldPaths: [data.a], options: {delimiter: '+', index: 99}}]\n", way[0], way[1])
			}
		}
		files["kustomization.yaml"] += "replacements:\n" + all.String()
		return files
	}, "1.0.0/kustomization.yaml: has replacements that copy "},
	{"replacements of maps", func() map[string]string {
		files := objects(1)
		files["kustomization.yaml"] += "replacements:\n"
		for n := range 40 {
			files["kustomization.yaml"] += fmt.Sprintf("- {source: {kind: ConfigMap, fieldPath: data}, targets: [{select: {kind: ConfigMap}, fieldPaths: [data.x%d], options: {create: true}}]}\n", n)
		}
		return files
	}, "1.0.0/kustomization.yaml: has replacements that copy "},
	{"a long text for many fields", func() map[string]string {
		files := objects(500)
		files["kustomization.yaml"] += "replacements: [{sourceValue: " + strings.Repeat("x", 100_000) + ", targets: [{select: {kind: ConfigMap}, fieldPaths: [data.a]}]}]\n"
		return files
	}, "1.0.0/kustomization.yaml: has replacements that copy 50,000,000 bytes; at most 16,777,216"},
	{"many files", func() map[string]string {
		files := objects(1)
		for n := range 20_000 {
			files[fmt.Sprintf("more/%d.txt", n)] = ""
		}
		return files
	}, "offerings/web/1.0.0: has 20,002 files; at most 10,000; publish what is built, and keep the rest elsewhere"},
	{"a long file of data", func() map[string]string {
		return map[string]string{
			"kustomization.yaml": component + "configMapGenerator: [{name: a, files: [data]}]\n",
			"data":               strings.Repeat("x", 5<<20),
		}
	}, "1.0.0/data: is 5,242,880 bytes long; at most 4,194,304; split it"},
}

// chain lists, in each of so many directories, the next one twice.
func chain(field string, length int, kind string) map[string]string {
	files := map[string]string{}
	list := func(n int, up string) string {
		return fmt.Sprintf("%s%s: [%sc%d, %sc%d]\nnamePrefix: x\n", kind, field, up, n+1, up, n+1)
	}
	files["kustomization.yaml"] = strings.Replace(list(0, ""), kind, component, 1)
	for n := 1; n < length; n++ {
		files[fmt.Sprintf("c%d/kustomization.yaml", n)] = list(n, "../")
	}
	return files
}

func with(name, text string) map[string]string {
	return map[string]string{"kustomization.yaml": component + "resources: [" + name + "]\n", name: text}
}

func objects(count int) map[string]string {
	var all strings.Builder
	for n := range count {
		fmt.Fprintf(&all, configMap+"---\n", fmt.Sprint("o", n))
	}
	return with("o.yaml", all.String())
}

func keys(count int) string {
	var all strings.Builder
	for n := range count {
		fmt.Fprintf(&all, "key%d: v\n", n)
	}
	return all.String()
}

// TestWorkIsCountedBeforeItIsDone: each tree is refused by its number and file, in little memory: nothing was built.
func TestWorkIsCountedBeforeItIsDone(t *testing.T) {
	for _, bomb := range bombs {
		t.Run(bomb.name, func(t *testing.T) {
			files := bomb.files()
			version := tree(files)
			if _, optional := files["option/kustomization.yaml"]; optional {
				version.Components = []string{"option"}
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			problems := kustomize.Guard(version)
			runtime.ReadMemStats(&after)
			require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(400<<20))
			var said strings.Builder
			for _, p := range problems {
				said.WriteString(p.String() + "\n")
				require.Less(t, len(p.Message), 300)
			}
			require.Contains(t, said.String(), bomb.says)
		})
	}
}

// keysNamed are so many entries of a mapping.
func keysNamed(name string, count int) string {
	var keys strings.Builder
	for n := range count {
		fmt.Fprintf(&keys, "%s%d: v, ", name, n)
	}
	return keys.String()
}

// labelled is an object with a list of a thousand items that may have labels, and a kustomization.
func labelled(text string) map[string]string {
	files := objects(1)
	files["kustomization.yaml"] += text
	files["o.yaml"] = "apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: o0}\nspec: {items: [" + strings.Repeat("{name: a, metadata: {labels: {a: b}}},", 1000) + "]}\n"
	return files
}
