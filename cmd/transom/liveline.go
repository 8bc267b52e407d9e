package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// liveLine shows how something goes: one line that is redrawn where a person watches, and elsewhere a line whenever
// the text has changed.
type liveLine struct {
	w        io.Writer
	terminal bool
	last     string
}

func newLiveLine(w io.Writer) *liveLine { return &liveLine{w: w, terminal: isTerminal(w)} }

func (l *liveLine) show(text string) {
	if text == l.last {
		return
	}
	l.last = text
	if !l.terminal {
		fmt.Fprintln(l.w, text)
		return
	}
	text = strings.ReplaceAll(text, "\n", " ")
	if width := terminalWidth(l.w); len([]rune(text)) >= width {
		text = string([]rune(text)[:width-1])
	}
	fmt.Fprintf(l.w, "\r\x1b[K%s", text)
}

// end leaves the terminal to what comes next.
func (l *liveLine) end() {
	if l.terminal && l.last != "" {
		fmt.Fprint(l.w, "\r\x1b[K")
	}
}

func terminalWidth(w io.Writer) int {
	if f, ok := w.(*os.File); ok {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 1 {
			return width
		}
	}
	return 80
}
