// Package keyorder writes YAML with the keys of objects in one fixed order, that of go.yaml.in/yaml/v2, which Kustomize prints
// with: the same value is always the same bytes. In come values made of JSON's types, out come bytes.
package keyorder

import (
	"maps"
	"slices"
	"sort"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v2"
)

// Marshal writes a value made of JSON's types as go.yaml.in/yaml/v2 does, in always the same order. Objects are
// map[string]any or yaml.MapSlice. The value is the function's to change.
func Marshal(value any) ([]byte, error) { return yaml.Marshal(ordered(value)) }

// ordered fixes the order of keys at any depth. Only where there are digits in them does the library have several.
func ordered(value any) any {
	switch v := value.(type) {
	case map[string]any:
		digits := false
		for key, inner := range v {
			v[key] = ordered(inner)
			digits = digits || strings.ContainsFunc(key, unicode.IsDigit)
		}
		if digits {
			return inOrder(v)
		}
	case yaml.MapSlice:
		values := make(map[string]any, len(v))
		for _, item := range v {
			key, _ := item.Key.(string) // as all keys of JSON are
			values[key] = ordered(item.Value)
		}
		return inOrder(values)
	case []any:
		for i := range v {
			v[i] = ordered(v[i])
		}
	}
	return value
}

func inOrder(values map[string]any) yaml.MapSlice {
	keys := slices.Collect(maps.Keys(values))
	Sort(keys)
	sorted := make(yaml.MapSlice, len(keys))
	for i, key := range keys {
		sorted[i] = yaml.MapItem{Key: key, Value: values[key]}
	}
	return sorted
}

// Sort sorts the keys of a map as go.yaml.in/yaml/v2 prints them, which Kustomize prints with: digits by the
// number that they are, and letters behind all else. By that, 1a is before 9, 9 before 10a, and 10a before 1a, so that
// the library prints such keys in an order that depends on how they lie in memory. Here it is always the same one of
// the orders that the library comes to.
func Sort(keys []string) {
	slices.Sort(keys)
	sort.Sort(yamlKeys(keys))
}

type yamlKeys []string

func (k yamlKeys) Len() int           { return len(k) }
func (k yamlKeys) Swap(i, j int)      { k[i], k[j] = k[j], k[i] }
func (k yamlKeys) Less(i, j int) bool { return yamlKeyLess([]rune(k[i]), []rune(k[j])) }

// yamlKeyLess compares as the library does.
func yamlKeyLess(a, b []rune) bool {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	if i == len(a) || i == len(b) {
		return len(a) < len(b)
	}
	switch first, second := unicode.IsLetter(a[i]), unicode.IsLetter(b[i]); {
	case first && second:
		return a[i] < b[i]
	case first || second:
		return second
	}
	var leading int64
	if a[i] == '0' || b[i] == '0' {
		leading = withinNumber(a[:i])
	}
	aEnd, aNumber := number64(a, i, leading)
	bEnd, bNumber := number64(b, i, leading)
	switch {
	case aNumber != bNumber:
		return aNumber < bNumber
	case aEnd != bEnd:
		return aEnd < bEnd
	}
	return a[i] < b[i]
}

// withinNumber is 1 where the text before is a number that a zero would continue.
func withinNumber(before []rune) int64 {
	for _, r := range slices.Backward(before) {
		if !unicode.IsDigit(r) {
			break
		}
		if r != '0' {
			return 1
		}
	}
	return 0
}

// number64 reads the digits from i on, and says where they end.
func number64(key []rune, i int, n int64) (end int, number int64) {
	for ; i < len(key) && unicode.IsDigit(key[i]); i++ {
		n = n*10 + int64(key[i]-'0')
	}
	return i, n
}
