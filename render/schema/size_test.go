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

// TestALongTextIsNotSearched by rules for which CEL tries each position: of a megabyte one call takes minutes. A few characters are looked for.
func TestALongTextIsNotSearched(t *testing.T) {
	given := func(length int) map[string]any {
		return map[string]any{"values": map[string]any{"text": strings.Repeat("a", length), "part": "b"}}
	}
	for _, c := range []struct {
		rule string
		most int
	}{
		{"self.text.indexOf(self.part) != 0", 8 << 10},
		{"self.text.lastIndexOf('b' + self.part) < 0", 8 << 10},
		{"self.text.indexOf('" + strings.Repeat("b", 17) + "') < 0", 8 << 10},
		{"self.text.indexOf('b') < 0 && self.text.indexOf(self.part, 3) != 0", 8 << 10},
		{"self.text.indexOf(\\\"b\\\") < 0 && self.text.lastIndexOf( 'b' ) < 0", 60_000},
		{"self.text.indexOf('" + strings.Repeat("b", 16) + "', 2) < 0", 60_000},
		{"self.text.contains('a')", 60_000},
	} {
		s := compile(t, "type: object\nproperties: {values: {type: object, properties: {text: {type: string}, part: {type: string}}, x-kubernetes-validations: [{rule: \""+c.rule+"\"}]}}\n")
		_, wrong := s.Complete(given(c.most))
		require.Empty(t, wrong, c.rule)
		if c.most == 60_000 {
			continue
		}
		require.Empty(t, compileCustom(t, "type: object\nproperties: {values: {type: object, properties: {text: {type: string}, part: {type: string}}, x-kubernetes-validations: [{rule: \""+c.rule+"\"}]}}\n").
			Mistakes(given(c.most+1)), "an API server takes it")
		_, wrong = s.Complete(given(c.most + 1))
		require.Len(t, wrong, 1, c.rule)
		require.Equal(t, "values.text", wrong[0].Field)
		require.Equal(t, "too-large", wrong[0].Rule, "it is no work of the version")
		require.Contains(t, wrong[0].Message, "has 8193 bytes of text, and a rule of the schema looks for texts in texts by indexOf")
		require.Empty(t, s.Transition(given(c.most+1), given(1), schema.AllWork))
	}
}

// TestRulesOverManyEntriesTakeFewSteps: CEL takes the square of the rounds of a loop, half a minute for a list of a few hundred kilobytes.
func TestRulesOverManyEntriesTakeFewSteps(t *testing.T) {
	s := compile(t, "type: object\nproperties: {list: {type: array, maxItems: 500000, items: {type: integer}, x-kubernetes-validations: [{rule: 'self.all(i, i > 0)'}]}}\n")
	given := func(n int) map[string]any {
		list := make([]any, n)
		for i := range list {
			list[i] = int64(1)
		}
		return map[string]any{"list": list}
	}
	_, wrong := s.Complete(given(5_000))
	require.Empty(t, wrong)
	_, wrong = s.Complete(given(100_000))
	require.Equal(t, []schema.Mistake{{Rule: "too-large", Message: "have 100002 fields and items, 100000 in one list or map, and rules of the schema that " +
		"take more than 100000 steps of CEL with so many; shorten them, or have the version ask less of them"}}, wrong)
}

// TestRulesThatCompareWholeValuesTakeFewSteps: CEL charges for the top level of a value, however much is in it.
func TestRulesThatCompareWholeValuesTakeFewSteps(t *testing.T) {
	const lists = "{type: array, maxItems: 3, items: {type: array, maxItems: 200000, items: {type: integer}}}"
	given := func(rounds, n int) map[string]any {
		list := func(count int, last int64) []any {
			all := make([]any, count)
			for i := range all {
				all[i] = int64(1)
			}
			all[count-1] = last
			return all
		}
		return map[string]any{"a": []any{list(n, 1)}, "b": []any{list(n, 2)}, "rounds": list(rounds, 1)}
	}
	for rule, few := range map[string]bool{
		"self.rounds.all(i, self.a != self.b)": true, "self.rounds.all(i, !(self.b[0] in self.a))": true,
		"self.rounds.all(i, i != 2 && i in [1, 5] && self.a.size() == 1)": false,
	} {
		s := compile(t, "type: object\nproperties: {a: "+lists+", b: "+lists+", rounds: {type: array, maxItems: 1000, items: {type: integer}}}\n"+
			"x-kubernetes-validations: [{rule: '"+rule+"'}]\n")
		_, wrong := s.Complete(given(20, 100))
		require.Empty(t, wrong, rule)
		_, wrong = s.Complete(given(500, 50_000))
		require.Equal(t, few, len(wrong) > 0, "%s: %v", rule, wrong)
		if few {
			require.Contains(t, wrong[0].Message, "and rules of the schema that take more than 1989 steps of CEL", rule)
		}
	}
}
