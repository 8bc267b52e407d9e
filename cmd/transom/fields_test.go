package main

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/render/platform"
)

// placesOfKinds are the kinds in the order of the page, with the place of their files.
var placesOfKinds = [][2]string{
	{"Offering", "offerings/NAME/offering.yaml"},
	{"Version", "offerings/OFFERING/VERSION/version.yaml"},
	{"Request", "requests/TEAM/NAME.yaml"},
	{"Environment", "environments/NAME.yaml"},
	{"Cluster", "clusters/NAME.yaml"},
	{"Policy", "policies/NAME.yaml"},
	{"Notification", "notifications/NAME.yaml"},
	{"Approval", "decisions/ENVIRONMENT/NAME.yaml"},
	{"Hold", "decisions/ENVIRONMENT/NAME.yaml"},
	{"Override", "decisions/ENVIRONMENT/NAME.yaml"},
	{"Pin", "decisions/ENVIRONMENT/NAME.yaml"},
}

const fieldsHead = `# Fields of the files

Every field of every kind of file in a platform repository. Each file has one object with ` + "`apiVersion: " + platform.APIVersion + "`" + `, its ` + "`kind`" + `,
and a ` + "`metadata.name`" + `: the NAME in the path of its file, or, of a Version, the OFFERING. A Cluster has its labels in ` + "`metadata.labels`" + `.

The fields below are those of ` + "`spec`" + `; ` + "`[]`" + ` is each entry of a list, and ` + "`*`" + ` each name in a map. A duration is a text of hours, minutes and
seconds, such as ` + "`48h`, `1h30m` or `30s`" + `: there are no days. ` + "`transom export jsonschema`" + ` writes the same for editors.
`

// TestFieldsPageHasEveryField: the page is made of the decoders' own schemas, and has a meaning for each field that a reader could not guess.
func TestFieldsPageHasEveryField(t *testing.T) {
	var kinds []string
	page := fieldsHead
	for _, of := range placesOfKinds {
		kinds = append(kinds, of[0])
		spec := platform.JSONSchema(of[0])["properties"].(map[string]any)["spec"].(map[string]any)
		page += fmt.Sprintf("\n## %s\n\n%#q\n\n| field | is | meaning |\n|---|---|---|\n", of[0], of[1])
		page += strings.Join(fieldRows("", spec), "")
	}
	require.ElementsMatch(t, platform.Kinds(), kinds)
	if *update {
		require.NoError(t, os.WriteFile("docs/fields.md", []byte(page), 0o644))
	}
	now, err := os.ReadFile("docs/fields.md")
	require.NoError(t, err)
	require.Equal(t, page, string(now), "go test ./cmd/transom -run TestFieldsPage -update")
	for line := range strings.Lines(page) {
		if strings.HasSuffix(line, "|  |\n") {
			require.Regexp(t, "^\\| `[^`]*(group|kind|kinds|namespace|separate|routine|items\\[\\]\\.[a-z]+)` ", line, "what does it mean?")
		}
	}
}

// fieldRows are the rows of an object's fields, those that are required first.
func fieldRows(prefix string, schema map[string]any) (rows []string) {
	properties, _ := schema["properties"].(map[string]any)
	required, _ := schema["required"].([]any)
	names := slices.Sorted(maps.Keys(properties))
	slices.SortStableFunc(names, func(a, b string) int {
		return boolInt(slices.Contains(required, any(b))) - boolInt(slices.Contains(required, any(a)))
	})
	for _, name := range names {
		field := properties[name].(map[string]any)
		is := typeOfField(field)
		if is == "any value" && name != "example" { // which the decoder reads as one or the other
			is = "number or text"
		}
		if slices.Contains(required, any(name)) {
			is += ", required"
		}
		meaning, _ := field["description"].(string)
		rows = append(rows, fmt.Sprintf("| %#q | %s | %s |\n", prefix+name, is, strings.ReplaceAll(meaning, "|", "\\|")))
		if is, _, _ = strings.Cut(is, ","); is == "label selector" {
			continue
		}
		rows = append(rows, fieldRows(prefix+name+".", field)...)
		if entries, ok := field["items"].(map[string]any); ok {
			rows = append(rows, fieldRows(prefix+name+"[].", entries)...)
		}
		if entries, ok := field["additionalProperties"].(map[string]any); ok {
			rows = append(rows, fieldRows(prefix+name+".*.", entries)...)
		}
	}
	return rows
}

func boolInt(is bool) int {
	if is {
		return 1
	}
	return 0
}

// typeOfField says in a word or two which value a field has.
func typeOfField(field map[string]any) string {
	if words, ok := field["enum"].([]any); ok {
		var all []string
		for _, word := range words {
			all = append(all, fmt.Sprintf("`%v`", word))
		}
		return strings.Join(all, " or ")
	}
	properties, _ := field["properties"].(map[string]any)
	switch {
	case properties["matchLabels"] != nil:
		return "label selector"
	case field["$ref"] != nil:
		return "schema"
	case field["anyOf"] != nil:
		return "word or object"
	case field["type"] == "array":
		entries, _ := field["items"].(map[string]any)
		return "list of " + typeOfField(entries) + "s"
	case field["type"] == "object" && properties == nil:
		return "map"
	}
	name, known := map[any]string{"string": "text", "integer": "number", "boolean": "`true` or `false`", "object": "object"}[field["type"]]
	if !known {
		return "any value"
	}
	return name
}
