package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"transom.dev/cmd/transom/internal/terminal"
	"transom.dev/render/platform"
)

// platformDir is the flag -C of commands whose arguments name something in a platform repository.
type platformDir struct{ dir string }

func (d *platformDir) flag(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&d.dir, "directory", "C", ".", "the platform repository's directory")
	must(cmd.MarkFlagDirname("directory"))
}

func (d *platformDir) load() (*platform.Platform, error) { return loadTree(d.dir) }

// exactly is the argument rule of commands that take n arguments, named in their usage line.
func exactly(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != n {
			return misuse("%s takes %q, not %s", cmd.CommandPath(), cmd.Use, terminal.Count(len(args), "argument"))
		}
		return nil
	}
}

// offeringNamed finds an offering, or says which there are.
func offeringNamed(p *platform.Platform, name string) (*platform.Offering, error) {
	if o := p.Offerings[name]; o != nil {
		return o, nil
	}
	if len(p.Offerings) == 0 {
		return nil, fmt.Errorf("no offering %q: there are none; \"transom new offering %s\" starts one", name, name)
	}
	return nil, fmt.Errorf("no offering %q; there are: %s", name, strings.Join(slices.Sorted(maps.Keys(p.Offerings)), ", "))
}

// versionNamed finds a published version, or, where no number is given, the one that a new request should take.
func versionNamed(o *platform.Offering, number string) (*platform.Version, error) {
	if len(o.Versions) == 0 {
		return nil, fmt.Errorf("%s has no version: \"transom new version %s 1.0.0\" starts one", o.Name, o.Name)
	}
	if number == "" {
		return recommended(o), nil
	}
	var published []string
	for _, v := range o.Versions {
		if v.Number.String() == number {
			return v, nil
		}
		published = append(published, v.Number.String())
	}
	return nil, fmt.Errorf("%s has no version %q; published: %s", o.Name, number, strings.Join(published, ", "))
}

// recommended is the highest active release of an offering, or what comes closest.
func recommended(o *platform.Offering) *platform.Version {
	for _, fits := range []func(*platform.Version) bool{
		func(v *platform.Version) bool {
			return v.Lifecycle == platform.Active && v.Number.Prerelease() == "" && !v.Broken
		},
		func(v *platform.Version) bool { return v.Lifecycle != platform.Withdrawn && !v.Broken },
	} {
		for _, v := range slices.Backward(o.Versions) {
			if fits(v) {
				return v
			}
		}
	}
	return o.Versions[len(o.Versions)-1]
}

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
