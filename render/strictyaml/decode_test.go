package strictyaml_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/render/strictyaml"
)

type ship struct {
	Name   string `decode:"required"`
	Size   string `oneof:"small|large"`
	Decks  int
	Ports  []string
	Cabins map[string]cabin
	Cargo  map[string]any
}

type cabin struct{ Beds int }

// pirate marks cabins.
func pirate(marked *[]string) strictyaml.Mark {
	return strictyaml.Mark{Of: reflect.TypeFor[cabin](), Name: "pirate", Description: "Has a pirate.", Set: func(object string) string {
		if object == "cabins.captain" {
			return "is for the captain"
		}
		*marked = append(*marked, object)
		return ""
	}}
}

func decode(t *testing.T, data string) (s ship, marked []string, problems []strictyaml.Problem) {
	t.Helper()
	o, problems := strictyaml.Parse([]byte(data))
	require.Empty(t, problems)
	problems = o.Decode(&s, pirate(&marked))
	return s, marked, problems
}

func TestObjectIsDecoded(t *testing.T) {
	s, marked, problems := decode(t, "name: Nina\nsize: small\ndecks: 3\nports: [Palos]\ncabins: {a.b: {beds: 2, pirate: true}, c: {pirate: false}}\ncargo: {gold: [1, 2.5, x, null]}\n")
	require.Empty(t, problems)
	require.Equal(t, []string{"cabins.a.b"}, marked)
	require.Equal(t, ship{
		Name: "Nina", Size: "small", Decks: 3, Ports: []string{"Palos"}, Cabins: map[string]cabin{"a.b": {Beds: 2}, "c": {}},
		Cargo: map[string]any{"gold": []any{int64(1), 2.5, "x", nil}},
	}, s)
}

func TestEveryMistakeIsFoundAtOnce(t *testing.T) {
	_, marked, problems := decode(t, `size: smal
dekcs: 3
decks: "3"
ports: Palos
cabins:
  captain: {beds: two, pirate: true}
  mate: {pirate: maybe}
cargo: {012: gold}
`)
	require.Empty(t, marked)
	require.Equal(t, `f:1:1: size: must be one of small, large, not "smal"; did you mean "small"?
f:2:1: dekcs: unknown field; did you mean "decks"?
f:3:1: decks: must be an integer, not the string "3"; write it without quotes
f:4:1: ports: must be a list, not the string "Palos"
f:6:13: cabins.captain.beds: must be an integer, not the string "two"
f:6:24: cabins.captain.pirate: is for the captain
f:7:10: cabins.mate.pirate: must be true or false, not the string "maybe"
f:8:9: cargo.012: a key must be a string, not 012; quote it: "012"
f:1:1: name: is required
`, lines("f", problems))
}

func TestFieldsAreFoundByTheirPath(t *testing.T) {
	o, problems := strictyaml.Parse([]byte("a: {b.c: x, b: {c: y}}\nlist:\n- d: z\n"))
	require.Empty(t, problems)
	require.Equal(t, "x", o.Text("a.b.c"), "the longest key wins")
	require.Equal(t, "z", o.Text("list[0].d"))
	require.Empty(t, o.Text("list"))
	require.True(t, o.Has("list[0]"))
	require.False(t, o.Has("list[1]"))
	line, column := o.Position("list[0].e.f")
	require.Equal(t, []int{3, 3}, []int{line, column}, "the nearest field that is there")
}

func TestNoObjectHasNoFields(t *testing.T) {
	for data, wrong := range map[string]string{
		"":        "f: is empty; delete the file or write an object\n",
		"# a\n":   "f: is empty; delete the file or write an object\n",
		"- a\n":   "f:1:1: must be an object, not a list\n",
		"a: 1: 2": "f:1: is not YAML: mapping values are not allowed in this context\n",
	} {
		o, problems := strictyaml.Parse([]byte(data))
		require.Equal(t, wrong, lines("f", problems))
		require.Nil(t, o)
		require.False(t, o.Has("a"))
		require.Empty(t, o.Text("a"))
		line, _ := o.Position("a")
		require.Zero(t, line)
	}
}

func TestJSONSchemaHasTagsDescriptionsAndMarks(t *testing.T) {
	schema := strictyaml.JSONSchema(reflect.TypeFor[ship](), "Ship", map[string]string{"Ship.cabins.*.beds": "How many sleep here."}, pirate(nil))
	require.Equal(t, "Ship", schema["title"])
	require.Equal(t, []any{"name"}, schema["required"])
	properties := schema["properties"].(map[string]any)
	require.Equal(t, map[string]any{"type": "string", "enum": []any{"small", "large"}}, properties["size"])
	require.Equal(t, map[string]any{
		"type": "object", "additionalProperties": false, "properties": map[string]any{
			"beds":   map[string]any{"type": "integer", "description": "How many sleep here."},
			"pirate": map[string]any{"type": "boolean", "description": "Has a pirate."},
		},
	}, properties["cabins"].(map[string]any)["additionalProperties"])
}

// TestFieldsOfALongMappingAreFound as those of a short one are: the longest key wins.
func TestFieldsOfALongMappingAreFound(t *testing.T) {
	var long strings.Builder
	for n := range 100 {
		fmt.Fprintf(&long, "k%d: {a: %d}\n", n, n)
	}
	o, problems := strictyaml.Parse([]byte(long.String() + "k7.a: {b: x}\nlist: [y]\n"))
	require.Empty(t, problems)
	require.True(t, o.Has("k99.a"))
	require.Equal(t, "8", o.Text("k8.a"))
	require.Equal(t, "x", o.Text("k7.a.b"))
	require.Equal(t, "y", o.Text("list[0]"))
	require.False(t, o.Has("k7.b"), "k7.b is no field")
	require.False(t, o.Has("k100.a"))
	line, _ := o.Position("k50.a.c")
	require.Equal(t, 51, line)
}
