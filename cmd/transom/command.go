package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"transom.dev/cmd/transom/internal/terminal"
	"transom.dev/render/wording"
)

// outcome is an exit code whose reason is printed already.
type outcome int

// The outcomes that are no error.
const (
	unwell  outcome = 1 // Problems, or the awaited outcome did not come about
	changes outcome = 2 // something would change, and --exit-code asked to be told
)

func (o outcome) Error() string { return fmt.Sprintf("exit code %d", int(o)) }

// usageError is an error of a command line; its message is followed by how to get help.
type usageError struct{ error }

// misuse makes a usageError.
func misuse(format string, args ...any) error {
	return usageError{fmt.Errorf(format, args...)}
}

// exitCode is the exit code of the process for the error of run.
func exitCode(err error) int {
	var o outcome
	switch {
	case err == nil:
		return 0
	case errors.As(err, &o):
		return int(o)
	default:
		return 1
	}
}

// takes is the argument rule of commands that take from least to most arguments, named in their usage line.
func takes(least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch n := len(args); {
		case n >= least && n <= most:
			return nil
		case most == 0:
			return misuse("%s takes no arguments, not %d", cmd.CommandPath(), n)
		default:
			_, arguments, _ := strings.Cut(cmd.Use, " ")
			arguments, _, _ = strings.Cut(arguments, " --")
			return misuse("%s takes %s, not %s", cmd.CommandPath(), arguments, terminal.Count(n, "argument"))
		}
	}
}

// group makes a command the parent of others. The parent alone prints its help.
func group(cmd *cobra.Command, commands ...*cobra.Command) *cobra.Command {
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		var there []string
		for _, c := range commands {
			there = append(there, c.Name())
		}
		return misuse("%s has no command %q%s", cmd.CommandPath(), args[0], wording.Suggest(args[0], there))
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	cmd.AddCommand(commands...)
	return cmd
}
