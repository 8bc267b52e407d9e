// Package terminal is for text that a person looks at: colours where they may be shown, lines that are redrawn in place, and
// numbers, hashes and choices in words.
//
// In come a writer and plain text. It knows nothing of the text's subject, and where nobody watches a terminal it adds
// nothing: pipes and files get plain lines.
package terminal

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"golang.org/x/term"
)

// Screen shows how something goes: lines that are redrawn in place where a person watches, and elsewhere a line
// whenever its text has changed.
type Screen struct {
	W    io.Writer
	Live bool // a person watches
	last []string
}

// NewScreen returns a screen on w.
func NewScreen(w io.Writer) *Screen { return &Screen{W: w, Live: isTerminal(w)} }

// Show makes these the visible lines.
func (s *Screen) Show(lines ...string) {
	if s.Live {
		s.clear()
		for _, line := range lines {
			fmt.Fprintln(s.W, fit(line, terminalWidth(s.W)))
		}
	} else {
		for i, line := range lines {
			changed := i >= len(s.last) || s.last[i] != line
			if line != "" && changed {
				fmt.Fprintln(s.W, line)
			}
		}
	}
	s.last = lines
}

// Fitting are as many of the lines as the terminal can redraw, and how many more there are.
func (s *Screen) Fitting(lines []string) []string {
	height := 24
	if f, ok := s.W.(*os.File); ok {
		if _, rows, err := term.GetSize(int(f.Fd())); err == nil && rows > 2 {
			height = rows
		}
	}
	if len(lines) < height {
		return lines
	}
	cut := height - 2
	return append(slices.Clone(lines[:cut]), fmt.Sprintf("… and %s", Count(len(lines)-cut, "more line")))
}

// End takes the drawn lines away, so that a result can be printed in its place.
func (s *Screen) End() {
	if s.Live {
		s.clear()
	}
	s.last = nil
}

func (s *Screen) clear() {
	if len(s.last) > 0 {
		fmt.Fprintf(s.W, "\x1b[%dA\x1b[J", len(s.last))
	}
}

// fit cuts a line to the width of the terminal, as one that wraps could not be redrawn. Colours take no room.
func fit(line string, width int) string {
	line = strings.ReplaceAll(line, "\n", " ")
	var out strings.Builder
	seen, escape := 0, false
	for _, r := range line {
		switch {
		case r == '\x1b':
			escape = true
		case escape:
			escape = r != 'm'
		default:
			if seen++; seen >= width {
				continue
			}
		}
		out.WriteRune(r)
	}
	return out.String()
}

func terminalWidth(w io.Writer) int {
	if f, ok := w.(*os.File); ok {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 1 {
			return width
		}
	}
	return 80
}
