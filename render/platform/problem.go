package platform

import (
	"cmp"
	"fmt"
	"strings"

	"transom.dev/render/strictyaml"
	"transom.dev/render/wording"
)

// A Problem is a mistake in the platform repository that its author must mend, or, where Warning is set, one that
// blocks nothing. Its text is deterministic and free of secrets, because it lands in status.
type Problem struct {
	File    string `json:"file"`
	Line    int    `json:"line,omitempty"`   // from 1; 0 where the mistake is the file itself
	Column  int    `json:"column,omitempty"` // from 1
	Field   string `json:"field,omitempty"`  // such as spec.parameters.storage
	Rule    string `json:"rule"`             // a stable name for machines, such as unknown-field
	Message string `json:"message"`          // the mistake and its remedy
	Warning bool   `json:"warning,omitempty"`

	// The subject beside the file, where that is known.
	Environment string      `json:"environment,omitempty"`
	Request     *RequestKey `json:"request,omitempty"`
}

// FromYAML returns the Problem of a file that reading it as YAML found.
func FromYAML(file string, p strictyaml.Problem) Problem {
	return Problem{File: file, Line: p.Line, Column: p.Column, Field: p.Field, Rule: p.Rule, Message: p.Message}
}

// String is the form "file:line:column: field: message".
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d", p.Line)
		if p.Column > 0 {
			fmt.Fprintf(&b, ":%d", p.Column)
		}
	}
	b.WriteString(": ")
	if p.Field != "" {
		b.WriteString(p.Field)
		b.WriteString(": ")
	}
	if p.Warning {
		b.WriteString("warning: ")
	}
	b.WriteString(p.Message)
	return b.String()
}

// Same reports whether another Problem reads the same, in whichever environment and request.
func (p Problem) Same(o Problem) bool {
	return p.Message == o.Message && p.File == o.File && p.Line == o.Line && p.Column == o.Column && p.Field == o.Field && p.Warning == o.Warning
}

// Cleaned returns the Problem as a terminal, a log and a page may show it. Its text repeats text that people wrote. The name of a
// file or a key may have line breaks: a Problem that begins a second line could look like another one.
func (p Problem) Cleaned() Problem {
	p.File, p.Field, p.Message = wording.CleanLine(wording.Clean(p.File)), wording.CleanLine(wording.Clean(p.Field)), wording.Clean(p.Message)
	return p
}

// ruleBroken is the rule of a Problem that only says that something else has one, such as the version that a request gets.
const ruleBroken = "broken"

// Follows says whether a Problem only says that something else has one.
func (p Problem) Follows() bool { return p.Rule == ruleBroken }

// Compare orders Problems as a reader meets them: by file, line, column, environment and text.
func (p Problem) Compare(o Problem) int {
	if file := strings.Compare(p.File, o.File); file != 0 {
		return file // nearly always, and there may be very many
	}
	return cmp.Or(
		cmp.Compare(p.Line, o.Line),
		cmp.Compare(p.Column, o.Column),
		strings.Compare(p.Environment, o.Environment),
		strings.Compare(p.Field, o.Field),
		strings.Compare(p.Message, o.Message),
	)
}
