package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// output is the flag -o of all commands that print.
type output struct {
	format string
	also   string // a format that this command has beside text and json
}

func (o *output) flag(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&o.format, "output", "o", "text", "how to print: "+orList(o.formats()))
	must(cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(o.formats(), cobra.ShellCompDirectiveNoFileComp)))
}

func (o *output) formats() []string {
	if o.also != "" {
		return []string{"text", o.also, "json"}
	}
	return []string{"text", "json"}
}

func orList(words []string) string {
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}

// check refuses a format that does not exist, before anything is done.
func (o *output) check() error {
	if !slices.Contains(o.formats(), o.format) {
		return misuse("-o %s: it is %s", o.format, orList(o.formats()))
	}
	return nil
}

// print writes v as JSON, or as text where that was asked for.
func (o *output) print(w io.Writer, v any, text func(io.Writer)) error {
	if o.format != "json" {
		text(w)
		return nil
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("print JSON: %w", err)
	}
	return nil
}

// must is for what only a defect of this program can break.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

// paint colours words for a terminal; its zero value leaves them plain.
type paint struct{ on bool }

// painter returns a paint that colours only where a person looks at a terminal that can and may show it.
func painter(w io.Writer) paint {
	return paint{isTerminal(w) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
}

// isTerminal says whether a person watches what is written to w.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

func (p paint) green(s string) string  { return p.code("32", s) }
func (p paint) yellow(s string) string { return p.code("33", s) }
func (p paint) red(s string) string    { return p.code("31", s) }
func (p paint) bold(s string) string   { return p.code("1", s) }
func (p paint) faint(s string) string  { return p.code("2", s) }

func (p paint) code(code, s string) string {
	if !p.on || s == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

// count is a number with its noun, in the plural where it is due.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// short is how people read a hash.
func short(hash string) string {
	if len(hash) > 7 && hash[:min(7, len(hash))] == "sha256:" {
		hash = hash[7:]
	}
	return hash[:min(len(hash), 7)]
}
