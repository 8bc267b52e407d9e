package yamledit

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Scalar writes a string as a YAML scalar on one line that every reader takes for that string: plain where it can
// be, else quoted. In a flow collection commas and brackets end a plain scalar.
func Scalar(s string, flow bool) string {
	if isPlain(s, flow) {
		return s
	}
	switch {
	case !isOneLine(s):
		return strconv.QuoteToASCII(s) // whose escapes are all YAML's too
	case strings.ContainsAny(s, `"\`):
		return "'" + strings.ReplaceAll(s, "'", "''") + "'"
	default:
		return `"` + s + `"`
	}
}

// isPlain says whether a string can stand without quotes: YAML 1.2 and 1.1 must both read it as that string.
func isPlain(s string, flow bool) bool {
	endsInFlow := flow && strings.ContainsAny(s, ",[]{}")
	if s == "" || !isOneLine(s) || strings.TrimSpace(s) != s || endsInFlow {
		return false
	}
	if looksTyped(s) || strings.HasSuffix(s, ":") || strings.Contains(s, ": ") || strings.Contains(s, " #") {
		return false
	}
	var n yaml.Node
	if err := yaml.Unmarshal([]byte(s), &n); err != nil || len(n.Content) != 1 {
		return false
	}
	v := n.Content[0]
	return v.Kind == yaml.ScalarNode && v.Tag == "!!str" && v.Style == 0 && v.Value == s && v.Anchor == "" && v.LineComment == ""
}

// looksTyped finds the words and numbers of YAML 1.1 and of Kubernetes' tools that are no strings to some reader.
func looksTyped(s string) bool {
	switch strings.ToLower(s) {
	case "y", "n", "yes", "no", "on", "off", "true", "false", "null", "~", "=", "<<", "---", "...":
		return true
	}
	return strings.ContainsRune("0123456789+-.", rune(s[0])) && strings.Trim(s, "0123456789+-._xXoOabcdefABCDEF:TZ ") == ""
}

func isOneLine(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		return r < ' ' || r == 0x7f || r == 0x85 || r == 0x2028 || r == 0x2029 || r == 0xfeff
	})
}

// Inline writes a generic value on one line.
func Inline(v any, flow bool) string {
	switch v := v.(type) {
	case string:
		return Scalar(v, flow)
	case map[string]any:
		var entries []string
		for _, name := range slices.Sorted(maps.Keys(v)) {
			entries = append(entries, Scalar(name, true)+": "+Inline(v[name], true))
		}
		return "{" + strings.Join(entries, ", ") + "}"
	case []any:
		var items []string
		for _, item := range v {
			items = append(items, Inline(item, true))
		}
		return "[" + strings.Join(items, ", ") + "]"
	}
	data, err := json.Marshal(v)
	if err != nil {
		return "null"
	}
	return string(data)
}
