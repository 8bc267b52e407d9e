package apply_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"transom.dev/e2e/bounded"
	"transom.dev/fleet/apply"
)

// Events of a watch may come in any order and any number of times: each is reduced, and no object that is known gives way to an older one.
func FuzzWatchEvents(f *testing.F) {
	for _, events := range []string{
		`{"type":"ADDED","object":{"metadata":{"name":"web","namespace":"a","uid":"1","resourceVersion":"5","generation":1,` +
			`"labels":{"transom.dev/team":"a","transom.dev/request":"web","app.kubernetes.io/managed-by":"transom"},` +
			`"annotations":{"transom.dev/digest":"x"},"managedFields":[{"manager":"transom","operation":"Apply","fieldsV1":{"f:spec":{}}}]},` +
			`"spec":{"replicas":1},"status":{"observedGeneration":1,"conditions":[{"type":"Available","status":"True"}]}}}`,
		`{"type":"MODIFIED","object":{"metadata":{"name":"web","resourceVersion":"9"}}}{"type":"ADDED","object":{"metadata":{"name":"web","resourceVersion":"8"}}}`,
		`{"type":"ADDED","object":{"metadata":{"name":"web","resourceVersion":"9"}}}{"type":"DELETED","object":{"metadata":{"name":"web","resourceVersion":"8"}}}`,
		`{"type":"ADDED","object":{"metadata":[],"status":{"conditions":{}},"spec":7}}`,
		`{"type":"ADDED","object":{"metadata":{"name":7,"labels":[],"managedFields":{},"annotations":"x"},"status":{"conditions":[7,null,{}]}}}`,
		`{"type":"ADDED","object":{"metadata":{"name":"web","managedFields":[null,{"time":"never"}]}}}`,
		`{"type":"ADDED"}{"type":"DELETED","object":null}`,
		"{\"a\":\"\\\"}\"}\n[[[\n",
		"\x00\x00\x00\x03abc\x00\x00",
	} {
		f.Add([]byte(events))
	}
	kinds := []schema.GroupVersionKind{
		{Version: "v1", Kind: "ConfigMap"},
		{Version: "v1", Kind: "Secret"},
		{Version: "v1", Kind: "Pod"},
		{Group: "apps", Version: "v1", Kind: "Deployment"},
		{Group: "batch", Version: "v1", Kind: "Job"},
		{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"},
		{Group: "widgets.example", Version: "v1", Kind: "Widget"},
	}
	f.Fuzz(func(t *testing.T, events []byte) {
		bounded.Usual.Run(func() {
			for _, kind := range kinds {
				require.NoError(t, apply.Take(kind, events))
			}
			for _, framed := range []bool{false, true} {
				longest, within := apply.Frames(framed, events, len(events)+1)
				inParts, withinParts := apply.Frames(framed, events, 3)
				require.Equal(t, longest, inParts, "it makes no difference how it arrives")
				require.Equal(t, within, withinParts)
			}
		})
	})
}
