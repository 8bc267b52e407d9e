package reconciler

import (
	"reflect"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/promotion"
)

// readings name, for every field of a View, the inputs of a pass that it is read from. A pass whose inputs are those of the last
// one is skipped until the time of schedule.next, so a View has nothing that neither an input nor the time tells.
var readings = map[string][]string{
	"Platform":    {"platform"},
	"Environment": {"platform"},
	"Head":        {"platform"},
	"Lookup":      {"platform", "head", "pins", "builds"},
	"State":       {"head"},
	"Releases":    {"head"},
	"Elsewhere":   {"elsewhere"},
	"Observe":     {"news"},
	"Told":        {"news"},
	"Merged":      {"platform"},
	"Failures":    {"platform", "builds"},
	"Check":       {"answers"},
	"Memory":      nil, // it decides nothing
	"Now":         nil, // Admission.Next
}

// TestEveryInputOfADecisionIsCompared before a pass is skipped.
func TestEveryInputOfADecisionIsCompared(t *testing.T) {
	compared := fieldsOf(reflect.TypeFor[inputs]())
	var read []string
	for _, field := range fieldsOf(reflect.TypeFor[promotion.View]()) {
		from, known := readings[field]
		require.True(t, known, "which inputs tell of View.%s?", field)
		read = append(read, from...)
	}
	for _, input := range read {
		require.Contains(t, compared, input)
	}
	for _, input := range compared {
		require.True(t, slices.Contains(read, input), "nothing is read from %s", input)
	}
}

func fieldsOf(t reflect.Type) (names []string) {
	for i := range t.NumField() {
		names = append(names, t.Field(i).Name)
	}
	return names
}
