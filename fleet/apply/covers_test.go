package apply_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"transom.dev/fleet/apply"
)

// The sets are as API servers write them.
func TestCoversReadsFieldSets(t *testing.T) {
	for name, c := range map[string]struct{ set, object, missing string }{
		"all of it":              {`{"f:data":{"f:a":{}}}`, `{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: b}, data: {a: "1"}}`, ""},
		"a field":                {`{"f:data":{"f:a":{}}}`, `{data: {a: "1", b: "2"}}`, "data.b"},
		"the first leaf below":   {`{"f:data":{}}`, `{spec: {template: {spec: {x: 1}}}}`, "spec.template.spec.x"},
		"a leaf covers all":      {`{"f:spec":{"f:selector":{}}}`, `{spec: {selector: {app: web, tier: {a: b}}}}`, ""},
		"an empty map":           {`{"f:spec":{"f:emptyDir":{}}}`, `{spec: {emptyDir: {}}}`, ""},
		"a lost empty map":       {`{"f:spec":{".":{}}}`, `{spec: {emptyDir: {}}}`, "spec.emptyDir"},
		"an empty list of items": {`{"f:c":{"k:{\"name\":\"app\"}":{".":{},"f:name":{}}}}`, `{c: [{name: app, env: []}], initContainers: []}`, ""},
		"null is not applied":    {`{"f:spec":{".":{}}}`, `{spec: {replicas: null}}`, ""},
		"status is not ours":     {`{"f:spec":{}}`, `{spec: {}, status: {ready: true}}`, ""},
		"item by key":            {`{"f:c":{"k:{\"name\":\"app\"}":{".":{},"f:name":{},"f:image":{}}}}`, `{c: [{name: app, image: x}]}`, ""},
		"field of an item":       {`{"f:c":{"k:{\"name\":\"app\"}":{".":{},"f:name":{}}}}`, `{c: [{name: app, image: x}]}`, "c[name=app].image"},
		"lost item":              {`{"f:c":{"k:{\"name\":\"app\"}":{".":{},"f:name":{}}}}`, `{c: [{name: app}, {name: side}]}`, "c[name=side]"},
		"defaulted key":          {`{"f:ports":{"k:{\"port\":80,\"protocol\":\"TCP\"}":{".":{},"f:port":{}}}}`, `{ports: [{port: 80}]}`, ""},
		"other key":              {`{"f:ports":{"k:{\"port\":80,\"protocol\":\"TCP\"}":{".":{},"f:port":{}}}}`, `{ports: [{port: 81}]}`, "ports[0]"},
		"both keys":              {`{"f:ports":{"k:{\"port\":53,\"protocol\":\"TCP\"}":{".":{},"f:port":{},"f:protocol":{}}}}`, `{ports: [{port: 53, protocol: UDP}]}`, "ports[0]"},
		"set":                    {`{"f:finalizers":{".":{},"v:\"a/b\"":{}}}`, `{finalizers: [a/b]}`, ""},
		"lost value of a set":    {`{"f:finalizers":{".":{},"v:\"a/b\"":{}}}`, `{finalizers: [a/b, c/d]}`, "finalizers[1]"},
		"atomic list":            {`{"f:args":{}}`, `{args: [a, b]}`, ""},
		"metadata":               {`{"f:metadata":{"f:labels":{"f:a":{}}}}`, `{metadata: {name: x, uid: u, labels: {a: b, c: d}}}`, "metadata.labels.c"},
		"nothing":                {`{}`, `{spec: {replicas: 1}}`, "spec.replicas"},
	} {
		var set, object map[string]any
		require.NoError(t, json.Unmarshal([]byte(c.set), &set), name)
		raw, err := yaml.YAMLToJSON([]byte(c.object))
		require.NoError(t, err, name)
		require.NoError(t, json.Unmarshal(raw, &object), name)
		require.Equal(t, c.missing, apply.Uncovered(set, object), name)
	}
}

// Clusters have the same manifest, and as a rule the same entry in managedFields. That is compared once, and any other one for itself.
func TestFieldSetsAreComparedOnceForManyClusters(t *testing.T) {
	const whole, less = `{"f:data":{"f:a":{},"f:b":{}}}`, `{"f:data":{"f:a":{}}}`
	const digest = `"f:metadata":{"f:annotations":{"f:transom.dev/digest":{}}},`
	entries := func(set string) []metav1.ManagedFieldsEntry {
		raw := &metav1.FieldsV1{}
		raw.SetRawBytes([]byte("{" + digest + set[1:]))
		return []metav1.ManagedFieldsEntry{{Manager: "transom", Operation: metav1.ManagedFieldsOperationApply, FieldsV1: raw}}
	}
	atomic := []metav1.ManagedFieldsEntry{entries(whole)[0], {Manager: "kubectl-edit", Operation: metav1.ManagedFieldsOperationUpdate, FieldsV1: &metav1.FieldsV1{}}}
	atomic[1].FieldsV1.SetRawBytes([]byte(`{"f:list":{}}`))
	for name, c := range map[string]struct {
		more    string
		ignored []string
		sets    [][]metav1.ManagedFieldsEntry
		missing []string
	}{
		"alike":                {"", nil, [][]metav1.ManagedFieldsEntry{entries(whole), entries(whole)}, []string{"", ""}},
		"one lost a field":     {"", nil, [][]metav1.ManagedFieldsEntry{entries(whole), entries(less), entries(whole)}, []string{"", "data.b", ""}},
		"the first lost it":    {"", nil, [][]metav1.ManagedFieldsEntry{entries(less), entries(less), entries(whole)}, []string{"data.b", "data.b", ""}},
		"no entry":             {"", nil, [][]metav1.ManagedFieldsEntry{entries(whole), nil}, []string{"", "data.a"}},
		"a field of others":    {"", []string{"data.b"}, [][]metav1.ManagedFieldsEntry{entries(whole), entries(less)}, []string{"", ""}},
		"an empty list taken":  {", list: []", nil, [][]metav1.ManagedFieldsEntry{entries(whole), atomic}, []string{"", "list"}},
		"an empty list, first": {", list: []", nil, [][]metav1.ManagedFieldsEntry{atomic, entries(whole)}, []string{"list", ""}},
	} {
		var shared apply.Shared
		text := []byte("{apiVersion: v1, kind: ConfigMap, metadata: {name: web}, data: {a: x, b: y}" + c.more + "}")
		for i, set := range c.sets {
			missing, err := shared.Missing(text, set, c.ignored...)
			require.NoError(t, err, name)
			require.Equal(t, c.missing[i], missing, "%s, cluster %d", name, i)
		}
		require.True(t, shared.Unaltered(text), name)
	}
}
