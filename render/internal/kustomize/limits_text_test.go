package kustomize_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/render/internal/kustomize"
)

// longText is a ConfigMap with a text of so many bytes, and a kustomization with so many entries of a field.
func longText(text, field string, count int, entry string) map[string]string {
	files := with("o.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: o}\ndata:\n  other: '{}'\n  text: '"+text+"'\n")
	var entries strings.Builder
	for n := range count {
		entries.WriteString(strings.ReplaceAll(entry, "%d", fmt.Sprint(n)))
	}
	files["kustomization.yaml"] += field + ":\n" + entries.String()
	return files
}

const addKey = "- {target: {kind: ConfigMap}, patch: '- {op: add, path: /data/k%d, value: v}'}\n"

// TestTextsThatAreRewrittenAreCounted: a change of a part of something large reads and writes all of it.
func TestTextsThatAreRewrittenAreCounted(t *testing.T) {
	const at = "offerings/web/1.0.0/kustomization.yaml: "
	intoText := "- {sourceValue: v, targets: [{select: {kind: ConfigMap}, options: {create: true}, fieldPaths: [data.text.k%d]}]}\n"
	growing := "- {sourceValue: " + strings.Repeat("x", 4_000) + ", targets: [{select: {kind: ConfigMap}, options: {create: true}, fieldPaths: [data.other.k%d]}]}\n"
	escaping := "- {source: {kind: ConfigMap, fieldPath: data.other}, targets: [{select: {kind: ConfigMap}, options: {create: true}, fieldPaths: [data.other.k]}]}\n"
	divided := "- {sourceValue: v, targets: [{select: {kind: ConfigMap}, options: {delimiter: x, index: 1}, fieldPaths: [data.text]}]}\n"
	for _, c := range []struct {
		name  string
		files map[string]string
		says  string
	}{
		{"patches of a long text", longText(strings.Repeat("x", 600_000), "patches", 100, addKey), "has patches and replacements that read and write 33,608,624 bytes; at most 33,554,432"},
		{"replacements into a long text", longText(`{"a": "`+strings.Repeat("x", 600_000)+`"}`, "replacements", 100, intoText), "has patches and replacements that read and write 120,"},
		{"replacements into a text that grows", longText("", "replacements", 150, growing), "has patches and replacements that read and write 53"},
		{"a text in a text in a text", longText("", "replacements", 60, escaping), "has replacements that copy "},
		{"parts of a long text", longText(strings.Repeat("x", 600_000), "replacements", 100, divided), "has patches and replacements that read and write 120,0"},
		{
			"a deep text that is printed", longText(strings.Repeat("[", 1000)+strings.Repeat("1,", 20_000)+strings.Repeat("]", 1000), "replacements", 1, strings.Replace(intoText, "k%d", "0", 1)),
			"has patches and replacements that read and write 41,146,007",
		},
		{"a name of an image that is a pattern", func() map[string]string {
			files := longText("", "images", 1000, "- {name: '[a-z]*x%d', newTag: v1}\n")
			files["o.yaml"] += "image: " + strings.Repeat("a", 500_000) + "\n"
			return files
		}(), "holds names against patterns of "},
	} {
		t.Run(c.name, func(t *testing.T) { require.Contains(t, said(c.files), at+c.says) })
	}
}

// TestTextsOfInputsThatAreRewrittenAreCounted: what a component brings of the inputs, another rewrites.
func TestTextsOfInputsThatAreRewrittenAreCounted(t *testing.T) {
	files := longText("", "patches", 30, addKey)
	files["kustomization.yaml"] += "components: [inputs]\n"
	files["inputs/kustomization.yaml"] = component + "replacements: [{source: {kind: Inputs, fieldPath: parameters.text}, targets: [{select: {kind: ConfigMap, name: o}, fieldPaths: [data.text]}]}]\n"
	for size, says := range map[int]string{1_000: "", 900_000: "has patches and replacements that read and write 54,"} {
		inputs := map[string]any{"parameters": map[string]any{"text": strings.Repeat("x", size)}}
		skeleton, err := kustomize.Analyse(wrapper(inputs, tree(files)))
		require.NoError(t, err)
		require.Contains(t, skeleton.Outgrown(inputs), says)
		require.Equal(t, says == "", skeleton.Outgrown(inputs) == "")
	}
}

// TestLabelsCountTheFieldsOfTheirPath: what was written elsewhere has none of them.
func TestLabelsCountTheFieldsOfTheirPath(t *testing.T) {
	files := longText(strings.Repeat("x", 400_000), "replacements", 1, "- {sourceValue: "+strings.Repeat("y", 400_000)+", targets: [{select: {kind: ConfigMap}, fieldPaths: [data.text]}]}\n")
	files["base/kustomization.yaml"] = strings.Replace(files["kustomization.yaml"], component, base, 1)
	files["base/o.yaml"] = files["o.yaml"]
	labels := func(path string) string {
		return component + "resources: [base]\nlabels: [{pairs: {a: b, c: d, e: f}, fields: [{path: " + path + ", create: true}]}]\n"
	}
	files["kustomization.yaml"] = labels("spec/template/metadata/labels")
	require.Empty(t, said(files))
	files["kustomization.yaml"] = labels("data/text/labels")
	require.Contains(t, said(files), "comes to objects of 1,400,039", "what was written may be a list of fields with labels")
}

// TestImagesAndNamesOfInputsAreHeldAgainstOthers: those that a value brings count like those of the files, and ten times as many may be there
// where the version runs.
func TestImagesAndNamesOfInputsAreHeldAgainstOthers(t *testing.T) {
	replaced := func(path string) string {
		return component + "replacements: [{source: {kind: Inputs, fieldPath: parameters.value}, targets: [{select: {kind: Thing}, fieldPaths: [" + path + "], options: {create: true}}]}]\n"
	}
	things := func(count int) string {
		var all strings.Builder
		for n := range count {
			fmt.Fprintf(&all, "apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: t%d}\n---\n", n)
		}
		return all.String()
	}
	images := func(count int, name string) string {
		return "images: [" + strings.Repeat("{name: '"+name+"', newTag: b},", count) + "]\n"
	}
	list := func(count int, item map[string]any) []any {
		all := make([]any, count)
		for n := range all {
			all[n] = item
		}
		return all
	}
	container := map[string]any{"name": "a", "image": "b"}
	reference := map[string]any{"configMapRef": map[string]any{"name": "x"}}
	for _, c := range []struct {
		name          string
		objects       int
		images        string // after the value is there
		path          string
		less, more    any
		mostOfAll     any // that a version that runs may have; nil: it is not tried
		says, saysAll string
	}{
		{"images of a list", 1, images(100, "a"), "spec.list", list(9500, container), list(10_500, container), list(105_000, container), "holds images against images 1,050,000 times; at most 1,000,000", "holds images against images 10,500,000 times"},
		{"an image that is a text", 1, images(60, "[a-z]*x"), "spec.image", "b", strings.Repeat("b", 2_000_000), nil, "holds names against patterns of ", ""},
		{"long images of a list", 1, images(100, "[a-z]*x"), "spec.list", list(10, container), list(10, map[string]any{"image": strings.Repeat("b", 80_000)}), nil, "holds names against patterns of ", ""},
		{"names of objects", 900, "", "spec.list", list(2, reference), list(3, reference), nil, "holds references to other objects against the names of objects 2,430,000 times; at most 2,000,000", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := map[string]string{
				"kustomization.yaml": component + "resources: [o.yaml]\ncomponents: [inputs]\n" + c.images, "o.yaml": things(c.objects), "inputs/kustomization.yaml": replaced(c.path),
			}
			skeleton, err := kustomize.Analyse(wrapper(nil, tree(files)))
			require.NoError(t, err)
			compared := func(value any, taken bool) (string, bool) {
				return skeleton.Compared(map[string]any{"parameters": map[string]any{"value": value}}, taken)
			}
			says, _ := compared(c.less, false)
			require.Empty(t, says)
			says, excused := compared(c.more, false)
			require.Contains(t, says, c.says)
			require.False(t, excused)
			says, excused = compared(c.more, true)
			require.Contains(t, says, c.says)
			require.True(t, excused)
			if c.mostOfAll != nil {
				says, excused = compared(c.mostOfAll, true)
				require.Contains(t, says, c.saysAll)
				require.False(t, excused)
			}
		})
	}
}

// TestImagesAfterAValueAreCounted: those that were compared before it was written meet none of it.
func TestImagesAfterAValueAreCounted(t *testing.T) {
	files := objects(1)
	files["kustomization.yaml"] += "components: [images, inputs]\n"
	files["images/kustomization.yaml"] = component + "images: [" + strings.Repeat("{name: a, newTag: b},", 100) + "]\n"
	files["inputs/kustomization.yaml"] = component + "replacements: [{source: {kind: Inputs, fieldPath: parameters.value}, targets: [{select: {kind: ConfigMap}, fieldPaths: [data.list], options: {create: true}}]}]\n"
	value := make([]any, 25_000)
	for n := range value {
		value[n] = map[string]any{"image": "b"}
	}
	inputs := map[string]any{"parameters": map[string]any{"value": value}}
	skeleton, err := kustomize.Analyse(wrapper(inputs, tree(files)))
	require.NoError(t, err)
	says, _ := skeleton.Compared(inputs, false)
	require.Empty(t, says)
}
