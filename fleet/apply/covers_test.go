package apply_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
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
