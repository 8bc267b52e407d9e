package platform

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"unicode/utf8"
)

// Digest returns "sha256:<hex>" over the canonical JSON of v: keys sorted, no insignificant space, no HTML escaping.
// It panics if v cannot be written as JSON, which is a mistake of the caller and never of an input.
func Digest(v any) string {
	canonical, err := canonicalJSON(v)
	if err != nil {
		panic(fmt.Sprintf("digest of %T: %v", v, err))
	}
	sum := sha256.Sum256(canonical)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// canonicalJSON goes through the generic form, because the fields of a struct come in the order they are declared. A value
// that is generic already is written at once.
func canonicalJSON(v any) ([]byte, error) {
	raw, err := marshalJSON(v)
	if err != nil || isGeneric(v) {
		return raw, err
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var generic any
	if err := dec.Decode(&generic); err != nil {
		return nil, err
	}
	return marshalJSON(generic)
}

// isGeneric reports whether a value is made of nothing but the types that JSON has. Text that is no UTF-8 is not: it is
// replaced in two different ways.
func isGeneric(v any) bool {
	switch v := v.(type) {
	case nil, bool, int, int64, float64:
		return true
	case string:
		return utf8.ValidString(v)
	case []string:
		return !slices.ContainsFunc(v, func(s string) bool { return !utf8.ValidString(s) })
	case []any:
		return !slices.ContainsFunc(v, func(item any) bool { return !isGeneric(item) })
	case map[string]any:
		for key, item := range v {
			if !utf8.ValidString(key) || !isGeneric(item) {
				return false
			}
		}
		return true
	}
	return false
}

func marshalJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
