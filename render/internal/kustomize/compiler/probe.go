package compiler

import (
	"fmt"
	"maps"
	"strconv"
	"strings"

	"transom.dev/render/internal/kustomize"
)

// probes is how often an instance's shape is built to see where its values go, each time with other markers for them:
// plain words, text full of characters that mean something in YAML, and digits that YAML takes for a number unless it is
// quoted.
const probes = 3

// markers stand for the values of a shape in one probe.
type markers []string

// at is the marker of a value; without markers, the value.
func (m markers) at(i int, text string) string {
	if m == nil {
		return text
	}
	return m[i]
}

// hostile is text that changes wherever something writes it as YAML or JSON into other text.
const hostile = ": #\"'{}[]\n&*!|>%@`,\\ "

func (s *shape) marked(probe int) markers {
	labels := len(s.program.labels)
	list := make(markers, len(s.values))
	bools := 0
	for i, v := range s.values {
		switch {
		case i == 0 && v.text != "":
			list[i] = [probes]string{"zqpa-", "zqpbbbb-", "zqpcc-"}[probe]
		case i == 1 && v.text != "":
			list[i] = [probes]string{"zqna", "zqnbbbb", "zqncc"}[probe]
		case i < 2:
		case v.kind == boolValue:
			bools++
			list[i] = strconv.FormatBool(bools>>probe&1 == 1)
		case v.kind == intValue:
			list[i] = strconv.Itoa([probes]int{7310000, 731000000000000, 84000}[probe] + i)
		case probe == 1 && i >= 2+labels:
			list[i] = fmt.Sprintf("zqv%03d%sz", i, s.allowed(hostile))
		case probe == 2:
			list[i] = strconv.Itoa(7620000 + i)
		default:
			list[i] = fmt.Sprintf("zqv%03d%sq", i, strings.Repeat("x", probe))
		}
	}
	return list
}

// allowed takes out of the hostile text the delimiters of this program's replacements.
func (s *shape) allowed(text string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(s.program.facts.delimiters, r) {
			return -1
		}
		return r
	}, text)
}

// probe is the wrapper with markers instead of the values.
func (s *shape) probe(m markers) (kustomize.Wrapper, error) {
	w := *s.wrapper
	w.Prefix, w.Namespace = m[0], m[1]
	w.Labels, w.Identity = maps.Clone(w.Labels), maps.Clone(w.Identity)
	for i, key := range s.program.labels {
		w.Labels[key] = m[2+i]
		if _, ok := w.Identity[key]; ok {
			w.Identity[key] = m[2+i]
		}
	}
	marked, err := s.program.shape(s.wrapper, m)
	if err != nil {
		return w, err
	}
	w.Inputs, _ = marked.inputs.(map[string]any)
	return w, nil
}
