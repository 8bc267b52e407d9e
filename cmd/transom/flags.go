package main

import (
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"transom.dev/cmd/transom/internal/states"
	"transom.dev/cmd/transom/internal/workspace"
	"transom.dev/reconciler/gitrepo"
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

// statesHelp says where a command looks for the states of environments.
const statesHelp = `The state repositories that the platform names say what runs: those on this machine
are read in place, those elsewhere are fetched as this machine's git fetches, with its credential helpers and ssh agent. With
--state, state trees as they are say it, a directory per environment, such as clones of the state repositories.`

// statesFlags adds the flags that say where to look for the states of environments.
func statesFlags(cmd *cobra.Command, from *states.From) {
	cmd.Flags().StringVar(&from.Trees, "state", "", "read what runs from the state trees DIR/<environment>, or bare repositories DIR/<environment>.git")
	cmd.Flags().BoolVar(&from.Offline, "offline", false, "contact nothing: do not look at state repositories that are elsewhere")
	cmd.MarkFlagsMutuallyExclusive("state", "offline")
}

// completeEnvironments completes the name of an environment from the platform in a directory.
func completeEnvironments(in *platformDir) cobra.CompletionFunc {
	return func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
		p, err := in.load()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return workspace.Environments(p), cobra.ShellCompDirectiveNoFileComp
	}
}

// readCredentials reads the credentials for Git; without a file there are none.
func readCredentials(file string) (gitrepo.Credentials, error) {
	if file == "" {
		return gitrepo.Credentials{}, nil
	}
	return gitrepo.ReadCredentials(file)
}
