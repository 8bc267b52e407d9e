package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// screen shows how something goes: lines that are redrawn in place where a person watches, and elsewhere a line
// whenever its text has changed.
type screen struct {
	w        io.Writer
	terminal bool
	last     []string
}

func newScreen(w io.Writer) *screen { return &screen{w: w, terminal: isTerminal(w)} }

// show makes these lines what is seen.
func (s *screen) show(lines ...string) {
	if s.terminal {
		s.clear()
		for _, line := range lines {
			fmt.Fprintln(s.w, fit(line, terminalWidth(s.w)))
		}
	} else {
		for i, line := range lines {
			if line != "" && (i >= len(s.last) || s.last[i] != line) {
				fmt.Fprintln(s.w, line)
			}
		}
	}
	s.last = lines
}

// end takes away what was drawn, so that a result can be printed in its place.
func (s *screen) end() {
	if s.terminal {
		s.clear()
	}
	s.last = nil
}

func (s *screen) clear() {
	if len(s.last) > 0 {
		fmt.Fprintf(s.w, "\x1b[%dA\x1b[J", len(s.last))
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
