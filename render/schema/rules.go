package schema

import (
	"fmt"
	"regexp"
	"slices"

	structural "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"

	"transom.dev/render/expression"
	"transom.dev/render/internal/fieldpath"
)

// maxSearched is how long a text may be that has a rule which looks for computed texts in texts by indexOf or lastIndexOf. CEL tries each
// position, charges for one look at the text, and cannot be ended meanwhile: of a megabyte one call takes minutes.
const maxSearched = 8 << 10

// ruleTooLarge is that of a Mistake in values that are too large to be looked at.
const ruleTooLarge = "too-large"

var (
	searches = regexp.MustCompile(`(?i)indexOf\s*\(`)
	// searchesBriefly matches the calls that look for a few characters which stand in the rule: at each position no more of them are tried, so that
	// CEL charges enough for it.
	searchesBriefly = regexp.MustCompile(`(?i)indexOf\s*\(\s*(?:'[^'\\\n]{0,16}'|"[^"\\\n]{0,16}")\s*[,)]`)
)

// isSearch says whether an expression looks for computed texts, or long ones, in texts.
func isSearch(expression string) bool {
	return searches.MatchString(searchesBriefly.ReplaceAllString(expression, ""))
}

// searchesTexts reports whether a rule of a schema looks for computed texts, or long ones, in texts.
func searchesTexts(of *structural.Structural) bool {
	if of == nil {
		return false
	}
	for _, rule := range of.XValidations {
		if isSearch(rule.Rule) || isSearch(rule.MessageExpression) {
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
	return &Mistake{at, ruleTooLarge, fmt.Sprintf("has %d bytes of text, and a rule of the schema looks for texts in texts by indexOf, which takes "+
		"too long beyond %d; shorten the text, or have the version look for at most 16 characters that stand in the rule, or use matches or contains instead", length, maxSearched)}
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

// A spread is how much there is of values for rules to go over.
type spread struct{ largest, nodes int } // the entries of the largest list or map, and all fields and items

func spreadOf(value any) (s spread) {
	s.nodes = 1
	take := func(child any) {
		of := spreadOf(child)
		s = spread{max(s.largest, of.largest), s.nodes + of.nodes}
	}
	switch v := value.(type) {
	case []any:
		s.largest = len(v)
		for _, item := range v {
			take(item)
		}
	case map[string]any:
		s.largest = len(v)
		for _, field := range v {
			take(field)
		}
	}
	return s
}

// steps is how many steps of CEL rules may take over so much. A loop takes the square of its rounds, and whole values are compared entry by
// entry, for neither of which CEL charges: all of these steps together take some seconds.
func (s spread) steps(compares bool) int64 {
	const squares, entries = 10_000_000_000, 200_000_000
	most := min(squares/int64(max(s.largest, 1)), AllWork.Steps)
	if compares {
		most = min(most, entries/int64(max(s.nodes, 1)))
	}
	return most
}

// tooMuch is the Mistake of values over which the rules of the schema take more steps than they may.
func (s spread) tooMuch(compares bool) Mistake {
	return Mistake{"", ruleTooLarge, fmt.Sprintf("have %d fields and items, %d in one list or map, and rules of the schema that take more than %d steps of CEL "+
		"with so many; shorten them, or have the version ask less of them", s.nodes, s.largest, s.steps(compares))}
}

// comparesWhole reports whether a rule of a schema compares lists, maps or objects as a whole.
func comparesWhole(of *structural.Structural) bool {
	if of == nil {
		return false
	}
	if len(of.XValidations) > 0 {
		names := expression.NewScope()
		self := names.Schema("self", of)
		names.Declare("self", self)
		names.Declare("oldSelf", self)
		for _, rule := range of.XValidations {
			if expression.ComparesWhole(rule.Rule, names) || expression.ComparesWhole(rule.MessageExpression, names) {
				return true
			}
		}
	}
	for _, field := range of.Properties {
		if comparesWhole(&field) {
			return true
		}
	}
	return comparesWhole(of.Items) || of.AdditionalProperties != nil && comparesWhole(of.AdditionalProperties.Structural)
}
