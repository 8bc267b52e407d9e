package schema

import (
	"fmt"
	"regexp"
	"slices"

	structural "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"

	"transom.dev/render/internal/fieldpath"
)

// maxSearched is how long a text may be that has a rule which looks for texts in texts by indexOf or lastIndexOf. CEL tries each position,
// charges for one look at the text, and cannot be ended meanwhile: of a megabyte one call takes minutes.
const maxSearched = 8 << 10

var searches = regexp.MustCompile(`(?i)indexOf\s*\(`)

// searchesTexts reports whether a rule of a schema looks for texts in texts.
func searchesTexts(of *structural.Structural) bool {
	if of == nil {
		return false
	}
	for _, rule := range of.XValidations {
		if searches.MatchString(rule.Rule) || searches.MatchString(rule.MessageExpression) {
			return true
		}
	}
	for _, field := range of.Properties {
		if searchesTexts(&field) {
			return true
		}
	}
	return searchesTexts(of.Items) || of.AdditionalProperties != nil && searchesTexts(of.AdditionalProperties.Structural)
}

// tooLong is the Mistake of a text that is too long for the rules of a schema; nil: none is.
func tooLong(s *Schema, value map[string]any) *Mistake {
	if !s.searches {
		return nil
	}
	at, length := longText("", value)
	if length <= maxSearched {
		return nil
	}
	return &Mistake{at, RuleTooMuchWork, fmt.Sprintf("has %d bytes of text, and a rule of the schema looks for texts in texts by indexOf, which takes "+
		"too long beyond %d; shorten the text, or have the version use matches or contains instead", length, maxSearched)}
}

// longText is the first text of a value that is longer than maxSearched, or else an empty one.
func longText(at string, value any) (field string, length int) {
	switch v := value.(type) {
	case string:
		if len(v) > maxSearched {
			return at, len(v)
		}
	case []any:
		for i, item := range v {
			if field, length = longText(fieldpath.Index(at, i), item); length > 0 {
				return field, length
			}
		}
	case map[string]any:
		names := make([]string, 0, len(v))
		for name := range v {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			if field, length = longText(fieldpath.Join(at, name), v[name]); length > 0 {
				return field, length
			}
		}
	}
	return "", 0
}

// stepsOver is how many steps of CEL rules may take where the largest list or map has so many entries. A loop takes the square of its rounds,
// for which CEL does not charge: all of these steps together take some seconds.
func stepsOver(entries int) int64 {
	const together = 10_000_000_000
	return min(together/int64(max(entries, 1)), AllWork.Steps)
}

// tooLarge is the Mistake of a value whose largest list or map has so many entries that the rules of the schema take too many steps.
func tooLarge(entries int) Mistake {
	return Mistake{"", RuleTooMuchWork, fmt.Sprintf("have a list or map of %d entries, and rules of the schema that take more than %d steps of CEL with so many; "+
		"shorten it, or have the version ask less of it", entries, stepsOver(entries))}
}

// largest is the size of the largest list or map of a value.
func largest(value any) (entries int) {
	switch v := value.(type) {
	case []any:
		entries = len(v)
		for _, item := range v {
			entries = max(entries, largest(item))
		}
	case map[string]any:
		entries = len(v)
		for _, field := range v {
			entries = max(entries, largest(field))
		}
	}
	return entries
}
