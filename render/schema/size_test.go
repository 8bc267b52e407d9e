package schema_test

import (
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/render/schema"
)

// growing is a schema with a default that makes much of a list of empty items.
var growing = `
type: object
properties:
  items:
    type: array
    items:
      type: object
      properties: {each: {type: array, items: {type: integer}, default: [` + strings.Repeat("0, ", 999) + `0]}}
`

func many(n int) map[string]any {
	items := make([]any, n)
	for i := range items {
		items[i] = map[string]any{}
	}
	return map[string]any{"items": items}
}

// requireFrugal requires that an act takes little memory beside the values that it is given.
func requireFrugal(t *testing.T, act func()) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	act()
	runtime.ReadMemStats(&after)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(10<<20))
}

// TestDefaultsThatComeToTooMuchAreNotFilledIn: a value of a few kilobytes would take gigabytes with its defaults.
func TestDefaultsThatComeToTooMuchAreNotFilledIn(t *testing.T) {
	s := compile(t, growing+"x-kubernetes-validations: [{rule: 'size(self.items) > size(oldSelf.items)'}]\n")
	requireFrugal(t, func() {
		require.Empty(t, s.Default(many(1100))["items"].([]any)[0])
		require.Empty(t, s.Transition(many(1100), many(1), schema.AllWork), "no step before this one")
	})
	custom := compileCustom(t, growing)
	requireFrugal(t, func() {
		require.Equal(t, []schema.Mistake{{
			Rule: "too-large", Message: "comes to more than 4194304 bytes with the defaults of its CustomResourceDefinition; shorten it",
		}}, custom.Mistakes(many(1100)))
	})
	require.Empty(t, custom.Mistakes(many(10)))
}
