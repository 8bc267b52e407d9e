package kustomize_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/render/internal/kustomize"
)

// webhooks are two configurations of so many webhooks each, and replacements that copy a field of one webhook into all others, each
// by its name, as published bases have them.
func webhooks(count int) map[string]string {
	var objects, replacements strings.Builder
	for _, kind := range []string{"Mutating", "Validating"} {
		fmt.Fprintf(&objects, "---\napiVersion: admissionregistration.k8s.io/v1\nkind: %sWebhookConfiguration\nmetadata: {name: all}\nwebhooks:\n", kind)
		fmt.Fprintf(&replacements, "  - select: {kind: %sWebhookConfiguration, name: all}\n    options: {create: true}\n    fieldPaths:\n", kind)
		for n := range count {
			fmt.Fprintf(&objects, "- name: thing%d.example.com\n  admissionReviewVersions: [v1]\n  clientConfig: {service: {name: hook, namespace: system, path: /thing%d}}\n"+
				"  failurePolicy: Fail\n  rules: [{apiGroups: [example.com], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [thing%d]}]\n  sideEffects: None\n", n, n, n)
			if kind == "Mutating" || n > 0 {
				fmt.Fprintf(&replacements, "    - webhooks.[name=thing%d.example.com].namespaceSelector\n", n)
			}
		}
	}
	return map[string]string{
		"objects.yaml": objects.String(),
		"kustomization.yaml": component + "resources: [objects.yaml]\npatches:\n- patch: |\n    apiVersion: admissionregistration.k8s.io/v1\n    kind: ValidatingWebhookConfiguration\n" +
			"    metadata: {name: all}\n    webhooks: [{name: thing0.example.com, namespaceSelector: {matchExpressions: [{key: kubernetes.io/metadata.name, operator: NotIn, values: [kube-system]}]}}]\n" +
			"replacements:\n- source: {kind: ValidatingWebhookConfiguration, name: all, fieldPath: 'webhooks.[name=thing0.example.com].namespaceSelector'}\n  targets:\n" + replacements.String(),
	}
}

// TestOneFieldIsCopiedIntoManyItems: what is written to one item of a list is not counted for all others.
func TestOneFieldIsCopiedIntoManyItems(t *testing.T) {
	for _, count := range []int{20, 100} {
		version := tree(webhooks(count))
		require.Empty(t, kustomize.Guard(version))
		built := build(t, wrapper(nil, version))
		require.Equal(t, 2*count, strings.Count(string(built), "operator: NotIn"))
	}
}

// TestFieldsTravelAlongItems: each replacement reads a field of another item of the same list than the one before it wrote to.
func TestFieldsTravelAlongItems(t *testing.T) {
	files := objects(1)
	var all strings.Builder
	for n := range 60 {
		fmt.Fprintf(&all, "- source: {kind: Thing, name: o, fieldPath: 'items.[name=i%d-].value'}\n  targets: [{select: {kind: Thing}, options: {create: true}, fieldPaths: ['items.[name=j%d-].value', 'items.[name=k%d-].value']}]\n", n, n, n)
	}
	files["kustomization.yaml"] += "replacements:\n" + all.String()
	files["o.yaml"] = "apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: o}\nitems:\n"
	for n := range 60 {
		files["o.yaml"] += fmt.Sprintf("- {name: i%d-, value: text}\n- {name: j%d-}\n", n, n)
	}
	require.Empty(t, kustomize.Guard(tree(files)))
	require.Equal(t, 180, strings.Count(string(build(t, wrapper(nil, tree(files)))), "value: text"))
}

// things is an object with a list of so many items, and replacements that write 100,000 bytes to fields of it.
func things(count int, item, replacements string) map[string]string {
	files := objects(1)
	files["kustomization.yaml"] += "replacements:\n" + replacements + "- {sourceValue: " + strings.Repeat("x", 100_000) + ", targets: [{select: {kind: Thing}, options: {create: true}, fieldPaths: ['%s']}]}\n"
	files["o.yaml"] = "apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: o}\nitems: [" + strings.Repeat(item+",", count) + "]\n"
	return files
}

// TestReplacementsOfManyItemsAreRefused: whichever way a path comes to lead to very many items.
func TestReplacementsOfManyItemsAreRefused(t *testing.T) {
	const copies = "offerings/web/1.0.0/kustomization.yaml: has replacements that copy "
	for _, c := range []struct{ name, item, before, path, says string }{
		{"every item", "{name: a, text: b}", "", "items.*.text", copies + "100,"},
		{"every item, of which none has the field", "{name: a}", "", "items.*.text", copies + "100,"},
		{"a pattern", "{name: a1, text: b}", "", "items.[name=^a.$].text", copies + "100,"},
		{"names that were written", "{name: a, text: b}", "- {sourceValue: b, targets: [{select: {kind: Thing}, fieldPaths: [items.*.name]}]}\n", "items.[name=b].text", copies + "100,"},
		{"a list that was written", "{name: a}", "- {source: {kind: Thing, fieldPath: items}, targets: [{select: {kind: Thing}, options: {create: true}, fieldPaths: [more]}]}\n", "more.[name=a].text", copies},
		{"a long pattern", "{name: a, text: b}", "", "items.[name=((a|b){0,30}.{0,30}){0,30}].text", "offerings/web/1.0.0/kustomization.yaml: has a pattern of "},
		{
			"very many paths", "{name: a}", "- {sourceValue: text, targets: [{select: {kind: Thing}, options: {create: true}, fieldPaths: [" + strings.Repeat("'items.[name=b].text', ", 500) + "]}]}\n",
			"items.[name=b].text", "offerings/web/1.0.0/kustomization.yaml: walks over 100,",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := things(1000, c.item, c.before)
			files["kustomization.yaml"] = strings.Replace(files["kustomization.yaml"], "%s", c.path, 1)
			require.Contains(t, said(files), c.says)
		})
	}
	files := things(1, "{name: a}", "")
	files["kustomization.yaml"] = strings.Replace(files["kustomization.yaml"], "%s", "items.[name=b].text", 1) + "patches: [{path: patch.yaml}]\n"
	files["patch.yaml"] = things(1000, "{name: b}", "")["o.yaml"]
	require.Contains(t, said(files), copies+"100,", "names that a patch gives")
}
