package main

import (
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"transom.dev/cmd/transom/internal/workspace"
	"transom.dev/render/platform"
)

// platformDir is the flag -C of commands whose arguments name something in a platform repository.
type platformDir struct{ dir string }

func (d *platformDir) flag(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&d.dir, "directory", "C", ".", "the platform repository's directory")
	must(cmd.MarkFlagDirname("directory"))
}

func (d *platformDir) load() (*platform.Platform, error) { return workspace.Load(d.dir) }

// completeOfferings completes the name of an offering from the platform in a directory.
func completeOfferings(in *platformDir) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		p, err := in.load()
		if err != nil || len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var names []cobra.Completion
		for _, name := range slices.Sorted(maps.Keys(p.Offerings)) {
			names = append(names, cobra.CompletionWithDesc(name, p.Offerings[name].Title))
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

// directory is the argument DIR of the commands that work on a platform repository by themselves.
func directory(args []string) string {
	if len(args) == 0 {
		return "."
	}
	return args[0]
}
