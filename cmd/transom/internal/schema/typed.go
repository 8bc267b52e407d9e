package schema

import (
	"fmt"
	"slices"
	"strconv"

	"go.yaml.in/yaml/v3"

	"transom.dev/cmd/transom/internal/yamledit"
	"transom.dev/render/platform"
)

// For is the schema of a request: its offering's, or that of any request.
func For(p *platform.Platform, r *platform.Request) map[string]any {
	if o := p.Offerings[r.Spec.Offering]; o != nil {
		return requestSchema(o)
	}
	return platform.JSONSchema("Request")
}

// At follows a path into a schema; nil where that says nothing.
func At(schema map[string]any, path yamledit.Path) map[string]any {
	for _, step := range path {
		if several, ok := schema["anyOf"].([]any); ok { // as versions differ; the newest comes first
			schema, _ = several[0].(map[string]any)
		}
		var next map[string]any
		if step.Key == "" {
			next, _ = schema["items"].(map[string]any)
		} else if next = propertyOf(schema, step.Key); next == nil {
			next, _ = schema["additionalProperties"].(map[string]any)
		}
		schema = next
	}
	if several, ok := schema["anyOf"].([]any); ok {
		schema, _ = several[0].(map[string]any)
	}
	return schema
}

// Typed reads a value from the command line as its schema wants it.
func Typed(written string, schema map[string]any) (any, error) {
	kinds, several := schema["type"].([]any)
	if !several {
		kinds = []any{schema["type"]}
	}
	if slices.Contains(kinds, any("null")) && written == "null" {
		return nil, nil
	}
	switch kinds[0] {
	case "string":
		return written, nil
	case "integer":
		if n, err := strconv.ParseInt(written, 10, 64); err == nil {
			return n, nil
		} else if slices.Contains(kinds, any("string")) {
			return written, nil
		}
		return nil, fmt.Errorf("must be an integer, not %q", written)
	case "number":
		if n, err := strconv.ParseFloat(written, 64); err == nil {
			return n, nil
		}
		return nil, fmt.Errorf("must be a number, not %q", written)
	case "boolean":
		if written == "true" || written == "false" {
			return written == "true", nil
		}
		return nil, fmt.Errorf("must be true or false, not %q", written)
	}
	var value any
	if err := yaml.Unmarshal([]byte(written), &value); err != nil {
		return nil, fmt.Errorf("%q is no YAML: %w", written, err)
	}
	return value, nil
}
