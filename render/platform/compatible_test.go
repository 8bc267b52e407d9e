package platform_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"transom.dev/render/platform"
)

// TestWhatOneVersionTookTheNextTakes: over random schemas, each made from the one before by a few changes, a value that
// a version takes is taken by every later version of its major, unless a narrowing says which one refuses it. Rules in
// CEL are omitted: which values they refuse cannot be told.
func TestWhatOneVersionTookTheNextTakes(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 7))
	loaded, kept := 0, 0
	for range 250 {
		schemas := []map[string]any{(&schemaMaker{random}).object(2)}
		for range 2 {
			schemas = append(schemas, (&schemaMaker{random}).changed(schemas[len(schemas)-1]))
		}
		versions, narrowed := loadSchemas(t, schemas)
		loaded += len(versions)
		for i, later := range versions {
			if narrowed[later.Number.String()] {
				continue
			}
			for _, earlier := range versions[:i] {
				for range 40 * count(!narrowed[earlier.Number.String()]) { // what one broke, a later one may undo
					value := (&schemaMaker{random}).value(schemas[random.IntN(3)])
					parameters, ok := value.(map[string]any)
					if !ok || !takes(earlier, parameters) {
						continue
					}
					kept++
					require.True(t, takes(later, parameters),
						"%s takes %s and %s does not\n%s", earlier, asJSON(value), later, asJSON(schemas))
				}
			}
		}
	}
	require.Greater(t, loaded, 500)
	require.Greater(t, kept, 2000, "the test is about values that are taken")
}

// takes says whether parameters are valid for a version.
func takes(v *platform.Version, parameters map[string]any) bool {
	_, wrong := v.Parameters.Complete(parameters)
	return len(wrong) == 0
}

func count(counts bool) int {
	if counts {
		return 1
	}
	return 0
}

func asJSON(v any) string {
	text, _ := json.Marshal(v)
	return string(text)
}

// loadSchemas loads an offering whose versions 1.0.0, 1.1.0 and so on have these schemas, and says which are narrowed.
func loadSchemas(t *testing.T, schemas []map[string]any) (versions []*platform.Version, narrowed map[string]bool) {
	t.Helper()
	const header = "apiVersion: transom.dev/v1alpha1\nmetadata: {name: db}\n"
	files := fstest.MapFS{"offerings/db/offering.yaml": {Data: []byte(header + "kind: Offering\nspec: {}\n")}}
	for i, s := range schemas {
		dir := fmt.Sprintf("offerings/db/1.%d.0", i)
		files[dir+"/version.yaml"] = &fstest.MapFile{Data: []byte(header + "kind: Version\nspec: {parameters: " + asJSON(s) + "}\n")}
		files[dir+"/kustomization.yaml"] = &fstest.MapFile{Data: []byte("apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n")}
	}
	p, err := platform.Load(files)
	require.NoError(t, err)
	narrowed = map[string]bool{}
	for _, problem := range p.Problems {
		if problem.Rule == "narrowed" {
			narrowed[problem.File[len("offerings/db/"):len("offerings/db/1.0.0")]] = true
			continue
		}
		require.Equal(t, "schema", problem.Rule, problem)
		return nil, nil // some changes do not go together
	}
	return p.Offerings["db"].Versions, narrowed
}

// A schemaMaker makes schemas of a version's parameters, and values for them.
type schemaMaker struct{ *rand.Rand }

var propertyNames = []string{"a", "b", "c"}

func (m *schemaMaker) one(of ...any) any { return of[m.IntN(len(of))] }

func (m *schemaMaker) sometimes() bool { return m.IntN(3) == 0 }

func (m *schemaMaker) object(depth int) map[string]any {
	s := map[string]any{"type": "object"}
	if depth < 2 && m.sometimes() {
		s["additionalProperties"] = m.one(true, m.schema(depth-1), m.schema(depth-1))
		return s
	}
	properties := map[string]any{}
	for _, name := range propertyNames {
		if m.sometimes() {
			properties[name] = m.schema(depth - 1)
		}
	}
	s["properties"] = properties
	m.vary(s, depth)
	return s
}

func (m *schemaMaker) schema(depth int) map[string]any {
	s := map[string]any{}
	if depth <= 0 {
		s["type"] = m.one("string", "integer", "number", "boolean")
		m.vary(s, depth)
		return s
	}
	switch m.IntN(6) {
	case 0:
		return m.object(depth)
	case 1:
		s = map[string]any{"type": "array", "items": m.schema(0)}
	case 2:
		return map[string]any{"x-kubernetes-int-or-string": true}
	case 3:
		return map[string]any{"x-kubernetes-preserve-unknown-fields": true}
	default:
		return m.schema(0)
	}
	m.vary(s, depth)
	return s
}

// vary adds, takes away or changes a keyword that the type of a schema allows.
func (m *schemaMaker) vary(s map[string]any, depth int) {
	set := func(name string, value any) {
		if s[name] != nil && m.sometimes() {
			delete(s, name)
		} else {
			s[name] = value
		}
	}
	switch s["type"] {
	case "string":
		switch m.IntN(6) {
		case 0:
			set("enum", m.one([]any{"x"}, []any{"x", "yy"}, []any{"x", "yy", "zzz"}))
		case 1:
			set("pattern", m.one("^x", "^[a-z]+$"))
		case 2:
			set("maxLength", m.one(1, 2, 3))
		case 3:
			set("minLength", m.one(0, 1, 2))
		case 4:
			set("nullable", true)
		case 5:
			set("anyOf", m.one([]any{map[string]any{"maxLength": 1}}, []any{map[string]any{"maxLength": 1}, map[string]any{"minLength": 3}}))
		}
	case "integer", "number":
		switch m.IntN(6) {
		case 0:
			set("minimum", m.one(0, 1, 2))
		case 1:
			set("maximum", m.one(3, 4))
		case 2:
			set("multipleOf", m.one(1, 2, 4))
		case 3:
			if s["minimum"] != nil {
				set("exclusiveMinimum", true)
			}
		case 4:
			set("not", m.one(map[string]any{"minimum": 4}, map[string]any{"maximum": 0}))
		case 5:
			s["type"] = m.one("integer", "number")
		}
	case "array":
		switch m.IntN(4) {
		case 0:
			set("minItems", m.one(0, 1, 2))
		case 1:
			set("maxItems", m.one(2, 3))
		case 2:
			set("x-kubernetes-list-type", m.one("set", "atomic"))
		case 3:
			m.vary(s["items"].(map[string]any), 0)
		}
	case "object":
		m.varyObject(s, depth)
	}
}

func (m *schemaMaker) varyObject(s map[string]any, depth int) {
	properties, _ := s["properties"].(map[string]any)
	if properties == nil {
		if rest, ok := s["additionalProperties"].(map[string]any); ok {
			m.vary(rest, depth-1)
		}
		return
	}
	name := propertyNames[m.IntN(len(propertyNames))]
	property, _ := properties[name].(map[string]any)
	switch m.IntN(7) {
	case 0:
		if m.sometimes() {
			delete(properties, name)
			delete(s, "required")
		}
	case 1:
		properties[name] = m.schema(depth - 1)
	case 2:
		if property != nil {
			s["required"] = []any{name}
		}
	case 3:
		if len(property) == 1 {
			switch property["type"] {
			case "string":
				property["default"] = "x"
			case "integer":
				property["default"] = 2
			}
		}
	case 4:
		if property != nil {
			delete(property, "default")
		}
	case 5:
		if depth < 2 {
			s["x-kubernetes-preserve-unknown-fields"] = true
		}
	case 6:
		if property != nil && property["default"] == nil {
			m.vary(property, depth-1)
		}
	}
}

// changed is a schema with a few changes.
func (m *schemaMaker) changed(s map[string]any) map[string]any {
	next := map[string]any{}
	if err := json.Unmarshal([]byte(asJSON(s)), &next); err != nil {
		panic(err)
	}
	for range 1 + m.IntN(2) {
		m.vary(next, 2)
	}
	return next
}

// value is one that a schema may take, or nearly.
func (m *schemaMaker) value(s map[string]any) any {
	switch {
	case s["nullable"] != nil && m.sometimes():
		return nil
	case m.IntN(12) == 0:
		return m.one("x", int64(3), map[string]any{"a": "x"})
	}
	if enum, ok := s["enum"].([]any); ok {
		return enum[m.IntN(len(enum))]
	}
	switch s["type"] {
	case "string":
		return m.one("x", "xx", "yy", "zzz", "1", "xxxx", "")
	case "integer":
		return int64(m.IntN(6))
	case "number":
		return m.one(0.5, 1.0, 2.5, int64(2), int64(3))
	case "boolean":
		return m.sometimes()
	case "array":
		list := []any{}
		for range m.IntN(4) {
			list = append(list, m.value(s["items"].(map[string]any)))
		}
		return list
	case "object":
		return m.fields(s)
	}
	return m.one("x", int64(1), true, map[string]any{"a": int64(1)})
}

func (m *schemaMaker) fields(s map[string]any) map[string]any {
	fields := map[string]any{}
	properties, _ := s["properties"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		if m.IntN(4) > 0 {
			fields[name] = m.value(properties[name].(map[string]any))
		}
	}
	if rest, ok := s["additionalProperties"].(map[string]any); ok && m.sometimes() {
		fields["a"] = m.value(rest)
	}
	if (s["x-kubernetes-preserve-unknown-fields"] != nil || s["additionalProperties"] != nil) && m.sometimes() {
		fields[propertyNames[m.IntN(3)]] = m.one("x", int64(1))
	}
	return fields
}
