package kustomize

import (
	"fmt"
	"strings"

	"transom.dev/render/platform"
)

// A Read is a field of the inputs on its way into a field of an object.
type Read struct {
	Component string           // the directory of the wrapper's component that it is written in
	Source    []string         // the path in the inputs
	Position  platform.Problem // where the replacement stands

	target target
}

// Reads lists the inputs that the replacements of the versions among the trees read, in the order in which they run. An
// environment's overlays meet instances of every version.
func (s *Skeleton) Reads() []Read {
	var reads []Read
	for _, t := range s.targets {
		if !t.write.overlay {
			reads = append(reads, Read{t.write.component, t.source, t.write.position, t})
		}
	}
	return reads
}

// Mismatch says why a value of this type does not fit the target, and by which rule; empty if it fits. Types are named as
// messages name them: a string, an integer, a number, a boolean, a map or a list.
func (r Read) Mismatch(from string) (rule, message string) {
	if collection := from == "a map" || from == "a list"; collection && r.target.field == nil && r.target.metadataText() {
		return RuleStructure, r.target.structureless(strings.Join(r.target.source, "."), from)
	}
	return "coercion", r.target.mismatch(from)
}

func (t target) mismatch(from string) string {
	to := ""
	if t.field != nil {
		to = typeOf(t.field.YNode())
	}
	switch parts := t.parts(); {
	case parts && from != "a map" && from != "a list":
		if to != "" && to != "a string" {
			return fmt.Sprintf("%s of %s is %s, of which no part can be replaced; quote it", t.path, t.object, to)
		}
		return ""
	case !parts && takesType(to, from):
		return ""
	case parts:
		return fmt.Sprintf("%s is %s, of which no part can be taken", strings.Join(t.source, "."), from)
	}
	return t.says(from, to)
}

// takesType reports whether a field of a type, or a new one, takes a value of a type.
func takesType(to, from string) bool {
	switch to {
	case "", from:
		return true
	case "a number":
		return from == "an integer"
	}
	return false
}

// parts reports whether the replacement takes or fills a part of a string.
func (t target) parts() bool {
	options := t.write.Source.Options
	takesPart := options != nil && options.Delimiter != ""
	return t.split || takesPart
}
