package main

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"
)

var (
	block       = regexp.MustCompile("(?m)^```(?:sh)?\n((?:[^`].*\n|\n)*)```")
	inline      = regexp.MustCompile("`((?:transom |--)[^`]+)`")
	continued   = regexp.MustCompile(`\\\n\s*`)
	quotation   = regexp.MustCompile(`'[^']*'|"[^"]*"`)
	remark      = regexp.MustCompile(`(?m)(^|\s)#.*$`)
	nextCommand = regexp.MustCompile(`&&|\|\||[|;&\n()]`)
	assignment  = regexp.MustCompile(`^\w+=`)
	redirection = regexp.MustCompile(`^\d?>+`)
)

// commandLines are the arguments of each call of transom in a text of shell commands. Quoted text becomes a word without meaning.
func commandLines(text string) (calls [][]string) {
	text = remark.ReplaceAllString(quotation.ReplaceAllString(continued.ReplaceAllString(text, " "), "x"), "")
	for _, command := range nextCommand.Split(text, -1) {
		words := strings.Fields(command)
		for len(words) > 0 && assignment.MatchString(words[0]) {
			words = words[1:]
		}
		if len(words) == 0 || words[0] != "transom" {
			continue
		}
		if at := slices.IndexFunc(words, redirection.MatchString); at >= 0 {
			words = words[:at]
		}
		calls = append(calls, slices.DeleteFunc(words[1:], func(w string) bool { return w == "…" }))
	}
	return calls
}

// flagsOf are the names of all flags of a command and those below it.
func flagsOf(cmd *cobra.Command, names map[string]bool) {
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) { names[f.Name] = true })
	for _, below := range cmd.Commands() {
		flagsOf(below, names)
	}
}

// mistakeIn says why a call is none that transom takes; empty: it is one. Its arguments are not looked at.
func mistakeIn(call []string) string {
	root := newRoot()
	root.InitDefaultHelpCmd()
	cmd, rest, err := root.Find(call)
	if err != nil {
		return err.Error()
	}
	err = cmd.ParseFlags(rest)
	switch {
	case errors.Is(err, pflag.ErrHelp):
		return ""
	case err != nil:
		return err.Error()
	case cmd.HasSubCommands() && cmd.Flags().NArg() > 0: // which may be arguments
		if err := cmd.ValidateArgs(cmd.Flags().Args()); err != nil {
			return err.Error()
		}
	}
	return ""
}

// TestCommandsOfPagesAreThere: every call of transom on a page, in a block or in a sentence, is a command with flags that it has, and so is
// every flag that a sentence names by itself.
func TestCommandsOfPagesAreThere(t *testing.T) {
	flags := map[string]bool{}
	flagsOf(newRoot(), flags)
	pages, err := fs.Glob(documents(), "*.md")
	require.NoError(t, err)
	require.Subset(t, pages, []string{"operator.md", "developer.md", "platform.md"})
	calls := 0
	for _, page := range pages {
		content, err := fs.ReadFile(documents(), page)
		require.NoError(t, err)
		var all [][]string
		for _, b := range block.FindAllStringSubmatch(string(content), -1) {
			all = append(all, commandLines(b[1])...)
		}
		for _, code := range inline.FindAllStringSubmatch(block.ReplaceAllString(string(content), ""), -1) {
			if name, _, _ := strings.Cut(strings.TrimPrefix(code[1], "--"), " "); strings.HasPrefix(code[1], "--") {
				name, _, _ = strings.Cut(name, "=")
				of, _, family := strings.Cut(name, "…") // such as --git-…
				known := flags[name] || family && slices.ContainsFunc(slices.Collect(maps.Keys(flags)), func(f string) bool { return strings.HasPrefix(f, of) })
				require.True(t, known, "%s: no command has the flag of %q", page, code[1])
				continue
			}
			all = append(all, commandLines(code[1])...)
		}
		for _, call := range all {
			require.Empty(t, mistakeIn(call), "%s: transom %s", page, strings.Join(call, " "))
		}
		calls += len(all)
	}
	require.Greater(t, calls, 60)
}

func TestMistakesInCallsAreFound(t *testing.T) {
	calls := commandLines("A=b transom check . --bass main | tee log # transom not\nsleep 1; transom stats > x && transom serve --listen :7460 \\\n  --data 'd e' …")
	require.Equal(t, [][]string{{"check", ".", "--bass", "main"}, {"stats"}, {"serve", "--listen", ":7460", "--data", "x"}}, calls)
	require.Contains(t, mistakeIn(calls[0]), "unknown flag: --bass")
	require.Contains(t, mistakeIn(calls[1]), `transom has no command "stats"`)
	require.Empty(t, mistakeIn(calls[2]))
}

// TestReadmeNamesEveryCommand: the README's table has each command that a person calls.
func TestReadmeNamesEveryCommand(t *testing.T) {
	content, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	_, table, found := strings.Cut(string(content), "\n## Commands\n")
	require.True(t, found)
	table, _, _ = strings.Cut(table, "\n## ")
	for _, cmd := range newRoot().Commands() {
		if cmd.IsAvailableCommand() {
			require.Regexp(t, "`"+cmd.Name()+"\\b", table)
		}
	}
}
