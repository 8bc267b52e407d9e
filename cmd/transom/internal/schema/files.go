package schema

import (
	"maps"
	"slices"
	"strings"

	"transom.dev/cmd/transom/internal/workspace"
	"transom.dev/render/decision"
	"transom.dev/render/platform"
)

// Files are those of a platform, by file name.
func Files(p *platform.Platform) map[string]map[string]any {
	all := map[string]map[string]any{}
	for _, kind := range platform.Kinds() {
		all[strings.ToLower(kind)+".json"] = platform.JSONSchema(kind)
	}
	request := all["request.json"]
	kinds := slices.Sorted(slices.Values(decision.Kinds()))
	one := map[string]any{
		"$schema": request["$schema"], "title": "Decision", "type": "object", "required": []any{"kind"},
		"properties": map[string]any{"kind": map[string]any{"enum": values(kinds)}},
	}
	for _, kind := range kinds {
		alternative(one, map[string]any{"kind": map[string]any{"enum": []any{string(kind)}}}, strings.ToLower(string(kind))+".json")
	}
	all["decision.json"] = one
	knowing(request, p)
	for _, name := range slices.Sorted(maps.Keys(p.Offerings)) {
		file := "request-" + name + ".json"
		all[file] = requestSchema(p.Offerings[name])
		knowing(all[file], p)
		its := map[string]any{"required": []any{"offering"}, "properties": map[string]any{"offering": map[string]any{"enum": []any{name}}}}
		alternative(request, map[string]any{"spec": its}, file)
	}
	if names := slices.Sorted(maps.Keys(p.Offerings)); len(names) > 0 {
		propertyOf(propertyOf(request, "spec"), "offering")["enum"] = values(names)
	}
	return all
}

// alternative adds to a schema: an object with these properties must satisfy the schema in a file.
func alternative(schema, properties map[string]any, file string) {
	var required []any
	for name := range properties {
		required = append(required, name)
	}
	all, _ := schema["allOf"].([]any)
	schema["allOf"] = append(all, map[string]any{
		"if":   map[string]any{"required": required, "properties": properties},
		"then": map[string]any{"$ref": file},
	})
}

// knowing adds the names of the platform's environments to a schema of requests.
func knowing(schema map[string]any, p *platform.Platform) {
	if names := workspace.Environments(p); len(names) > 0 {
		propertyOf(propertyOf(schema, "spec"), "environments")["propertyNames"] = map[string]any{"enum": values(names)}
	}
}

func values[S ~string](names []S) []any {
	all := make([]any, len(names))
	for i, name := range names {
		all[i] = string(name)
	}
	return all
}
