package main

import (
	"github.com/spf13/cobra"

	"transom.dev/render/wording"
)

// newHelp replaces cobra's own, which prints everything and fails for nothing where a name is misspelt.
func newHelp() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND|PAGE]",
		Short: "Help about a command, or a page for one kind of reader",
		RunE: func(cmd *cobra.Command, args []string) error {
			about := cmd.Root()
			for _, name := range args {
				next, there := subcommand(about, name)
				if next == nil {
					return misuse("there is no help about %q%s", name, wording.Suggest(name, there))
				}
				about = next
			}
			about.InitDefaultHelpFlag()
			return about.Help()
		},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
			about := cmd.Root()
			for _, name := range args {
				if about, _ = subcommand(about, name); about == nil {
					return nil, cobra.ShellCompDirectiveNoFileComp
				}
			}
			var names []cobra.Completion
			for _, c := range about.Commands() {
				if !c.Hidden {
					names = append(names, cobra.CompletionWithDesc(c.Name(), c.Short))
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
	}
}

// subcommand returns the command of a name below another, or nil and the names that there are.
func subcommand(of *cobra.Command, name string) (found *cobra.Command, there []string) {
	for _, c := range of.Commands() {
		if c.Name() == name || c.HasAlias(name) {
			return c, nil
		}
		there = append(there, c.Name())
	}
	return nil, there
}
