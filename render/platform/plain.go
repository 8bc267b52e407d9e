package platform

import (
	"strconv"
	"strings"

	"go.yaml.in/yaml/v2"
)

// MarshalYAML writes a value made of JSON's types as go.yaml.in/yaml/v2 does, in always the same order. Nearly all of a record is plain: names,
// digests, versions and quantities, for each of which the library's emitter copies hundreds of bytes. That is written
// here, as far as nobody could doubt how the library writes it; where one key or text is out of the ordinary, the library
// writes the whole record. A test holds the two against each other.
func MarshalYAML(v map[string]any) ([]byte, error) {
	w := plainWriter{out: make([]byte, 0, 1<<10)}
	if w.mapping(v, 0); !w.odd && len(v) > 0 {
		return w.out, nil
	}
	return yaml.Marshal(inYAMLOrder(v))
}

// inYAMLOrder fixes the order of the keys at any depth.
func inYAMLOrder(value any) any {
	switch v := value.(type) {
	case map[string]any:
		keys := sortedKeys(v)
		SortYAMLKeys(keys)
		sorted := make(yaml.MapSlice, len(keys))
		for i, key := range keys {
			sorted[i] = yaml.MapItem{Key: key, Value: inYAMLOrder(v[key])}
		}
		return sorted
	case []any:
		for i := range v {
			v[i] = inYAMLOrder(v[i])
		}
	}
	return value
}

// A plainWriter writes YAML in block style.
type plainWriter struct {
	out []byte
	odd bool // something is not as plain as it has to be
}

func (w *plainWriter) mapping(m map[string]any, indent int) {
	keys := sortedKeys(m)
	for i, key := range keys {
		w.odd = w.odd || !plainWord(key) || i > 0 && !inOrder(keys[i-1], key)
		if i > 0 || len(w.out) == 0 || w.out[len(w.out)-1] == '\n' {
			w.indent(indent) // else it follows the dash of a list
		}
		w.out = append(append(w.out, key...), ':')
		w.value(m[key], indent)
	}
}

func (w *plainWriter) indent(n int) {
	for range n {
		w.out = append(w.out, ' ')
	}
}

// value writes what follows a key.
func (w *plainWriter) value(v any, indent int) {
	switch v := v.(type) {
	case map[string]any:
		if len(v) > 0 {
			w.out = append(w.out, '\n')
			w.mapping(v, indent+2)
			return
		}
		w.out = append(w.out, " {}\n"...)
	case []any:
		if len(v) > 0 {
			w.out = append(w.out, '\n')
			w.list(v, indent)
			return
		}
		w.out = append(w.out, " []\n"...)
	default:
		w.out = append(w.out, ' ')
		w.scalar(v)
	}
}

func (w *plainWriter) list(items []any, indent int) {
	for _, item := range items {
		w.indent(indent)
		w.out = append(w.out, "- "...)
		switch item := item.(type) {
		case map[string]any:
			w.odd = w.odd || len(item) == 0
			w.mapping(item, indent+2)
		case []any:
			w.odd = true
		default:
			w.scalar(item)
		}
	}
}

func (w *plainWriter) scalar(v any) {
	switch v := v.(type) {
	case nil:
		w.out = append(w.out, "null"...)
	case string:
		w.text(v)
	case bool:
		w.out = strconv.AppendBool(w.out, v)
	case int64:
		w.out = strconv.AppendInt(w.out, v, 10)
	default:
		w.odd = true
	}
	w.out = append(w.out, '\n')
}

func (w *plainWriter) text(s string) {
	switch {
	case plainWord(s) || plainVersion(s):
		w.out = append(w.out, s...)
	case digits(s) > 0 && strings.Trim(s, "0123456789.") == "": // with one point at most
		w.out = append(append(append(w.out, '"'), s...), '"') // it would be a number
	default:
		w.odd = w.odd || !w.quoted(s)
	}
}

// quoted asks the library about a text that it may have to quote, and reports whether its answer is good at any place:
// what has no space is not folded.
func (w *plainWriter) quoted(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	written, err := yaml.Marshal([]string{s})
	w.out = append(w.out, strings.TrimSuffix(strings.TrimPrefix(string(written), "- "), "\n")...)
	return err == nil
}

// plainWord reports whether text begins with a letter, has no other characters than those of names, paths, images and
// digests, and is no word that YAML knows. A longer key would be written in another way.
func plainWord(s string) bool {
	if s == "" || len(s) > 100 || !letter(s[0]) || s[len(s)-1] == ':' {
		return false
	}
	for i := 1; i < len(s); i++ {
		if c := s[i]; !letter(c) && !digit(c) && !strings.ContainsRune("-./:@_", rune(c)) {
			return false
		}
	}
	switch strings.ToLower(s) {
	case "y", "n", "yes", "no", "on", "off", "true", "false", "null":
		return false
	}
	return true
}

// plainVersion reports whether text is digits with more points than a number has.
func plainVersion(s string) bool {
	return strings.Count(s, ".") > 1 && digit(s[0]) && strings.Trim(s, "0123456789.") == ""
}

// inOrder reports whether the library too sorts one key before another, of which the first is less. It reads digits as
// numbers, and puts letters behind all else.
func inOrder(a, b string) bool {
	for i := range min(len(a), len(b)) {
		if a[i] == b[i] {
			continue
		}
		if digit(a[i]) || digit(b[i]) {
			n := digits(a[i:])
			return letter(b[i]) || n == digits(b[i:]) && n > 0 && n < 16
		}
		return letter(b[i]) || !letter(a[i])
	}
	return true
}

// digits counts those that text begins with.
func digits(s string) int { return len(s) - len(strings.TrimLeft(s, "0123456789")) }

func letter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

func digit(c byte) bool { return c >= '0' && c <= '9' }
