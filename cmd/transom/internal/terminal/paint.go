package terminal

import (
	"io"
	"os"

	"golang.org/x/term"
)

// Paint colours words for a terminal; its zero value leaves them plain.
type Paint struct{ On bool }

// PaintFor returns a paint that colours only where a person looks at a terminal that can and may show it.
func PaintFor(w io.Writer) Paint {
	return Paint{isTerminal(w) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
}

// isTerminal says whether a person watches the text that is written to w.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// Green is for healthy states.
func (p Paint) Green(s string) string { return p.code("32", s) }

// Yellow is for states that are worth a look.
func (p Paint) Yellow(s string) string { return p.code("33", s) }

// Red is for faults.
func (p Paint) Red(s string) string { return p.code("31", s) }

// Bold is for a heading.
func (p Paint) Bold(s string) string { return p.code("1", s) }

// Faint is for text that need not be read.
func (p Paint) Faint(s string) string { return p.code("2", s) }

func (p Paint) code(code, s string) string {
	if !p.On || s == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}
