package platform

import (
	"encoding/json"
)

// mergePatch applies a JSON merge patch (RFC 7386): objects merge, null removes, everything else replaces. Neither
// argument is changed.
func mergePatch(base, patch map[string]any) map[string]any {
	out := make(map[string]any, len(base)+len(patch))
	for k, v := range base {
		out[k] = v
	}
	for k, v := range patch {
		switch v := v.(type) {
		case nil:
			delete(out, k)
		case map[string]any:
			inner, _ := out[k].(map[string]any)
			out[k] = mergePatch(inner, v)
		default:
			out[k] = v
		}
	}
	return out
}

// normalise brings a value that a library returned to JSON's types, with int64 and float64 apart.
func normalise(v any) any {
	switch v.(type) {
	case nil, string, int64, float64, bool, map[string]any, []any:
		return v
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	var out any
	if json.Unmarshal(raw, &out) != nil {
		return nil
	}
	if f, ok := out.(float64); ok && f == float64(int64(f)) {
		return int64(f)
	}
	return out
}
