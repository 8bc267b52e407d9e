package expression

import (
	"errors"
	"fmt"
	"strings"
)

// A Template is a text with expressions in it, each as ${EXPRESSION}: https://slo.example.com/${request.team}.
type Template struct {
	Source string

	parts []part
}

// A part is plain text, or an expression.
type part struct {
	text  string
	value *Expression // nil: it is plain text
}

// CompileTemplate checks the expressions of a template against the variables that they may name.
func CompileTemplate(source string, names *Scope) (*Template, error) {
	t := &Template{Source: source}
	for rest := source; rest != ""; {
		text, after, found := strings.Cut(rest, "${")
		if text != "" {
			t.parts = append(t.parts, part{text: text})
		}
		if !found {
			return t, nil
		}
		end := closing(after)
		if end < 0 {
			return nil, errors.New("has a ${ without its }")
		}
		e, err := Compile(after[:end], names, Any)
		if err != nil {
			return nil, fmt.Errorf("${%s}: %w", after[:end], err)
		}
		if kind := JSONType(e.Result()); kind == "array" || kind == "object" {
			return nil, fmt.Errorf("${%s}: results in an %s; only text, numbers and booleans can stand in a text", after[:end], kind)
		}
		t.parts = append(t.parts, part{value: e})
		rest = after[end+1:]
	}
	return t, nil
}

// closing is the index of the brace that closes an expression, or -1. Braces in its strings close nothing.
func closing(text string) int {
	depth, quote := 0, rune(0)
	escaped := false
	for i, c := range text {
		switch {
		case escaped:
			escaped = false
		case quote != 0 && c == '\\':
			escaped = true
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"', c == '\'':
			quote = c
		case c == '{':
			depth++
		case c == '}' && depth == 0:
			return i
		case c == '}':
			depth--
		}
	}
	return -1
}

// Head is the plain text before the first expression.
func (t *Template) Head() string {
	if len(t.parts) == 0 || t.parts[0].value != nil {
		return ""
	}
	return t.parts[0].text
}

// Plain reports whether there is no expression in the template.
func (t *Template) Plain() bool { return t.Head() == t.Source }

// Fill puts the values of the expressions in, each as quote writes it, as far as a tally goes.
func (t *Template) Fill(vars map[string]any, quote func(string) string, spent *Tally) (string, error) {
	var b strings.Builder
	for _, p := range t.parts {
		if p.value == nil {
			b.WriteString(p.text)
			continue
		}
		value, err := spent.Evaluate(p.value, vars)
		if err != nil {
			return "", fmt.Errorf("${%s}: %w", p.value.Source, err)
		}
		switch value.(type) {
		case string, bool, int64, float64:
			b.WriteString(quote(fmt.Sprint(value)))
		default:
			return "", fmt.Errorf("${%s}: results in no text, number or boolean", p.value.Source)
		}
		if b.Len() > MaxValue {
			return "", fmt.Errorf("comes to more than %d bytes", MaxValue)
		}
	}
	return b.String(), nil
}
