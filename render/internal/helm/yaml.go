package helm

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strconv"
	"strings"

	yamlv2 "go.yaml.in/yaml/v2"

	"transom.dev/render/internal/keyorder"
)

// The bounds of the texts that are kept for a chart, in bytes.
const (
	keptTexts = 256 << 10
	largeText = keptTexts / 16 // is not kept
)

// yamlTexts keeps the YAML of values that templates printed. Most of them are the chart's own, and the same for each release. The zero
// value is ready.
type yamlTexts struct {
	kept map[string]string // by their JSON
	size int
}

// of is the function toYaml of Helm.
func (t *yamlTexts) of(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		return ""
	}
	if kept, known := t.kept[string(text)]; known {
		return kept
	}
	found := yamlOf(text)
	if size := len(text) + len(found); size < largeText {
		if t.size += size; t.size > keptTexts || t.kept == nil {
			t.kept, t.size = map[string]string{}, size
		}
		t.kept[string(text)] = found
	}
	return found
}

// toYAML is the function toYaml of Helm, which prints nothing of a value that has no JSON.
func toYAML(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		return ""
	}
	return yamlOf(text)
}

// mustToYAML is the function mustToYaml of Helm, which fails for such a value.
func mustToYAML(value any) (string, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return "", err
	}
	return yamlOf(text), nil
}

// yamlOf returns the YAML of a JSON text as Helm prints it, with keys always in the same order: Helm has several for keys such as 1d, 7d and
// 14d. Helm reads the text as YAML, which takes several times as long as to read it as JSON, and comes to the same for all but odd texts.
func yamlOf(text []byte) string {
	value, ok := asYAMLReads(text)
	if !ok {
		if yamlv2.Unmarshal(text, &value) != nil {
			return ""
		}
		value = withTextKeys(value)
	}
	printed, err := keyorder.Marshal(value)
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(string(printed), "\n")
}

// withTextKeys gives objects of JSON that were read as YAML the type that they have as JSON.
func withTextKeys(value any) any {
	switch v := value.(type) {
	case map[any]any:
		object := make(map[string]any, len(v))
		for key, inner := range v {
			name, _ := key.(string) // as all keys of JSON are
			object[name] = withTextKeys(inner)
		}
		return object
	case []any:
		for n := range v {
			v[n] = withTextKeys(v[n])
		}
	}
	return value
}

// longKey is less than the length of a key, quoted, that YAML does not read.
const longKey = 1000

// asYAMLReads decodes a JSON text to the value that a reader of YAML would get. It reports false for a text that such a reader may
// understand otherwise: with characters beyond ASCII, of great depth, with long keys, or with numbers that YAML takes for texts.
func asYAMLReads(text []byte) (value any, ok bool) {
	odd := func(c rune) bool { return c < ' ' || c > '~' }
	if len(text) > largeText || bytes.IndexFunc(text, odd) >= 0 {
		return nil, false
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if decoder.Decode(&value) != nil {
		return nil, false
	}
	return numbered(value)
}

// yamlFloat is a number with a fraction or an exponent as YAML knows it.
var yamlFloat = regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)?(e[-+][0-9]+)?$`)

// numbered gives numbers of JSON the types that YAML gives them.
func numbered(value any) (_ any, ok bool) {
	switch v := value.(type) {
	case json.Number:
		if n, err := strconv.ParseInt(v.String(), 10, 64); err == nil {
			return n, true
		}
		if n, err := strconv.ParseUint(v.String(), 10, 64); err == nil {
			return n, true
		}
		n, err := v.Float64()
		return n, err == nil && yamlFloat.MatchString(v.String())
	case map[string]any:
		for key := range v {
			if v[key], ok = numbered(v[key]); !ok || len(key) > longKey/len(`\u0000`) {
				return nil, false
			}
		}
	case []any:
		for n := range v {
			if v[n], ok = numbered(v[n]); !ok {
				return nil, false
			}
		}
	}
	return value, true
}
