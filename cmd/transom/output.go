package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"transom.dev/cmd/transom/internal/terminal"
	"transom.dev/render/platform"
)

// output is the flag -o of all commands that print: a pflag.Value that takes the formats that there are.
type output struct {
	format string
	also   []string // formats that this command has beside text and json
}

func (o *output) flag(cmd *cobra.Command) {
	cmd.Flags().VarP(o, "output", "o", "how to print: "+terminal.OrList(o.formats()))
	must(cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(o.formats(), cobra.ShellCompDirectiveNoFileComp)))
}

// formats lists the formats that the command can print.
func (o *output) formats() []string {
	return slices.Concat([]string{"text"}, o.also, []string{"json"})
}

// String is part of pflag.Value.
func (o *output) String() string { return cmp.Or(o.format, "text") }

// Type is part of pflag.Value.
func (o *output) Type() string { return "string" }

// Set is part of pflag.Value. A format that does not exist is refused before anything is done.
func (o *output) Set(format string) error {
	if !slices.Contains(o.formats(), format) {
		return fmt.Errorf("it is %s", terminal.OrList(o.formats()))
	}
	o.format = format
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

// must is for calls that fail only by a defect of this program.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

// tellProblems prints Problems, and is an outcome if there are any.
func tellProblems(stderr io.Writer, problems []platform.Problem) error {
	wrong := false
	for _, problem := range problems {
		fmt.Fprintln(stderr, problem)
		wrong = wrong || !problem.Warning
	}
	if wrong {
		return unwell
	}
	return nil
}
