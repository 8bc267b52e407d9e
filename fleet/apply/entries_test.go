package apply_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"

	"transom.dev/fleet/apply"
)

// TestManagedFieldsThatCannotBeReadAreNotTold: an API server that is not well would have each of its events on the standard error.
func TestManagedFieldsThatCannotBeReadAreNotTold(t *testing.T) {
	var told []error
	before := utilruntime.ErrorHandlers
	utilruntime.ErrorHandlers = []utilruntime.ErrorHandler{func(_ context.Context, err error, _ string, _ ...any) { told = append(told, err) }} //nolint:reassign // they write to the standard error
	t.Cleanup(func() { utilruntime.ErrorHandlers = before })                                                                                    //nolint:reassign // likewise
	for _, entries := range []string{`null`, `[null]`, `{}`, `[7]`, `[{"time":"never"}]`, `[{"manager":7}]`, `[{"fieldsV1":7}]`} {
		event := `{"type":"ADDED","object":{"metadata":{"name":"web","resourceVersion":"5","managedFields":` + entries + `}}}`
		for _, kind := range []schema.GroupVersionKind{{Group: "apps", Version: "v1", Kind: "Deployment"}, {Version: "v1", Kind: "ConfigMap"}} {
			require.NoError(t, apply.Take(kind, []byte(event)))
		}
		require.Empty(t, told, entries)
	}
}
