package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"transom.dev/cmd/transom/internal/states"
	"transom.dev/cmd/transom/internal/terminal"
	"transom.dev/cmd/transom/internal/workspace"
	"transom.dev/render/platform"
)

func newUsage() *cobra.Command {
	var o struct {
		output output
		in     platformDir
		from   states.From
	}
	cmd := &cobra.Command{
		Use:   "usage OFFERING",
		Short: "Show who runs which version, and what keeps a version from being retired",
		Long: `Show which team's request runs which version of an offering in which environment, and, for each version, what keeps
it from being retired: requests that no other version would satisfy, and environments that run it still.

The platform's work tree says what each request resolves to. ` + statesHelp + `
Where nobody looked, the output says so, and no version counts as removable.`,
		Example: `  transom usage postgres
  transom usage postgres --state ./state
  transom usage web -o json | jq -r '.versions[] | select(.removable) | .version'`,
		Args: takes(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := o.in.load()
			if err != nil {
				return err
			}
			offering, err := workspace.OfferingNamed(p, args[0])
			if err != nil {
				return err
			}
			running, err := o.from.Read(cmd.Context(), o.in.dir, p)
			if err != nil {
				return err
			}
			result := usageOf(p, offering, running)
			w := cmd.OutOrStdout()
			return o.output.print(w, result, func(w io.Writer) { result.text(w, terminal.PaintFor(w)) })
		},
	}
	o.output.flag(cmd)
	o.in.flag(cmd)
	statesFlags(cmd, &o.from)
	cmd.ValidArgsFunction = completeOfferings(&o.in)
	return cmd
}

// instanceOf is one request in one environment that uses an offering.
type instanceOf struct {
	Request     platform.RequestKey `json:"request"`
	Environment string              `json:"environment"`
	Version     string              `json:"version"`              // that it resolves to; with a state, the one that runs
	Constraint  string              `json:"constraint,omitempty"` // as its file says
	Wanted      string              `json:"wanted,omitempty"`     // where that is another version than the one that runs
	Otherwise   string              `json:"otherwise,omitempty"`  // that it would resolve to without this version
}

// instancesOf lists the instances that resolve to an offering's versions, sorted by request and environment.
func instancesOf(p *platform.Platform, o *platform.Offering) (all []instanceOf) {
	for _, environment := range workspace.Environments(p) {
		for _, i := range p.Instances(environment) {
			if i.Offering.Name != o.Name {
				continue
			}
			spec := i.Request.Spec
			constraint := cmp.Or(spec.Environments[environment].Version, spec.Version)
			one := instanceOf{Request: i.Request.Key, Environment: environment, Version: i.Version.Number.String(), Constraint: constraint}
			if other := without(o, i.Version).Match(constraint); other != nil {
				one.Otherwise = other.Number.String()
			}
			all = append(all, one)
		}
	}
	slices.SortStableFunc(all, func(a, b instanceOf) int { return a.Request.Compare(b.Request) })
	return all
}

// without is the offering as if a version had been withdrawn.
func without(o *platform.Offering, v *platform.Version) *platform.Offering {
	rest := *o
	rest.Versions = slices.DeleteFunc(slices.Clone(o.Versions), func(x *platform.Version) bool { return x.Number.Equal(v.Number) })
	return &rest
}

// offeringUsage is who uses an offering's versions.
type offeringUsage struct {
	Offering   string                `json:"offering"`
	Looked     bool                  `json:"looked"` // at the state of every environment; else the resolved versions stand in
	States     states.States         `json:"states"`
	Versions   []versionUsage        `json:"versions"`
	Unresolved []platform.RequestKey `json:"unresolved,omitempty"` // requests with a Problem: they keep their release
}

type versionUsage struct {
	versionEntry
	Instances    []instanceOf `json:"instances"`
	Withdrawable bool         `json:"withdrawable"`      // withdrawing it breaks nobody
	Looked       bool         `json:"looked"`            // at the state of every environment
	Removable    bool         `json:"removable"`         // nothing uses it, and somebody looked
	Blocked      []string     `json:"blocked,omitempty"` // the reasons why it cannot be retired, with remedies
}

func usageOf(p *platform.Platform, o *platform.Offering, running states.States) *offeringUsage {
	instances := runningOf(o, running, instancesOf(p, o))
	u := &offeringUsage{
		Offering: o.Name, Looked: len(running.Names(false)) == 0, States: running, Versions: []versionUsage{}, Unresolved: unresolved(p, o),
	}
	known := entryOf(o).Versions
	for _, i := range instances {
		if !slices.ContainsFunc(known, func(v versionEntry) bool { return v.Version == i.Version }) {
			known = append(known, versionEntry{Version: i.Version, Lifecycle: "removed"})
		}
	}
	for _, v := range known {
		use := versionUsage{versionEntry: v, Instances: []instanceOf{}, Looked: u.Looked}
		for _, i := range instances {
			if i.Version == v.Version {
				use.Instances = append(use.Instances, i)
			}
		}
		var stuck bool
		use.Blocked, stuck = blocked(p, use.Instances)
		use.Removable, use.Withdrawable = len(use.Instances) == 0 && u.Looked, !stuck
		u.Versions = append(u.Versions, use)
	}
	return u
}

// runningOf puts the versions that the environments run over those that the platform resolves to.
func runningOf(o *platform.Offering, running states.States, resolved []instanceOf) []instanceOf {
	all := slices.Clone(resolved)
	for _, state := range running {
		if !state.Looked {
			continue
		}
		for key, release := range state.Base.Releases {
			if release.Offering != o.Name || release.Absent {
				continue
			}
			wanted, n := "", slices.IndexFunc(all, func(i instanceOf) bool { return i.Request == key && i.Environment == state.Environment })
			if n >= 0 {
				wanted = all[n].Version
			}
			for _, version := range versionsOn(release) {
				one := instanceOf{Request: key, Environment: state.Environment, Version: version}
				switch {
				case n < 0:
					all = append(all, one)
				case version != wanted:
					one.Constraint, one.Wanted = all[n].Constraint, wanted
					all = append(all, one)
				}
			}
			if n >= 0 && !slices.Contains(versionsOn(release), wanted) {
				all = slices.Delete(all, n, n+1)
			}
		}
	}
	stage := func(environment string) int {
		return slices.IndexFunc(running, func(s states.State) bool { return s.Environment == environment })
	}
	slices.SortStableFunc(all, func(a, b instanceOf) int {
		return cmp.Or(a.Request.Compare(b.Request), cmp.Compare(stage(a.Environment), stage(b.Environment)), strings.Compare(a.Version, b.Version))
	})
	return all
}

// versionsOn lists the versions that a release's clusters run, of which some may not have moved yet, sorted.
func versionsOn(r *platform.Release) []string {
	versions := []string{r.Version}
	for _, placed := range r.Clusters {
		if placed.Version != "" && !slices.Contains(versions, placed.Version) {
			versions = append(versions, placed.Version)
		}
	}
	slices.Sort(versions)
	return versions
}

// unresolved lists the requests for an offering that have a Problem somewhere.
func unresolved(p *platform.Platform, o *platform.Offering) (all []platform.RequestKey) {
	for _, r := range p.Requests {
		inSome := r.Broken
		for environment := range r.Spec.Environments {
			inSome = inSome || p.Broken(environment, r.Key)
		}
		if r.Spec.Offering == o.Name && inSome {
			all = append(all, r.Key)
		}
	}
	slices.SortFunc(all, platform.RequestKey.Compare)
	return all
}

// blocked lists the reasons why a version cannot be retired: edits that somebody has to make, without which a request would
// be stuck, and rollouts to wait for.
func blocked(p *platform.Platform, instances []instanceOf) (all []string, stuck bool) {
	say := func(format string, args ...any) {
		if line := fmt.Sprintf(format, args...); !slices.Contains(all, line) {
			all = append(all, line)
		}
	}
	for _, i := range instances {
		file := fmt.Sprintf("requests/%s.yaml", i.Request)
		switch {
		case p.Request(i.Request) == nil:
			say("%s runs it for %s, which is no longer requested; wait until the removal has arrived", i.Environment, i.Request)
		case i.Wanted != "":
			say("%s runs it for %s, which resolves to %s; wait until that has arrived", i.Environment, i.Request, i.Wanted)
		case i.Constraint == "":
			say("%s runs it for %s, which cannot be resolved there; mend %s", i.Environment, i.Request, file)
		case i.Otherwise == "":
			stuck = true
			say("%s: version %q matches no other published version; change it", file, i.Constraint)
		}
	}
	return all, stuck
}

// text prints the versions, newest first.
func (u *offeringUsage) text(w io.Writer, p terminal.Paint) {
	for n, v := range u.Versions {
		if n > 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintln(w, p.Bold(u.Offering+"@"+v.brief()))
		v.instances(w, p)
		for _, line := range v.Blocked {
			fmt.Fprintf(w, "  %s\n", p.Yellow("blocks retirement: "+line))
		}
		switch {
		case v.Removable:
			fmt.Fprintf(w, "  %s\n", p.Green("nothing uses it: it can be removed"))
		case len(v.Instances) == 0:
			fmt.Fprintf(w, "  %s\n", p.Yellow("nothing requests it; whether something runs it is not known"))
		case v.Withdrawable && len(v.Blocked) == 0:
			fmt.Fprintf(w, "  %s\n", p.Green("can be withdrawn, and removed once nothing runs it"))
		}
	}
	for _, key := range u.Unresolved {
		fmt.Fprintf(w, "\n%s\n", p.Red(fmt.Sprintf("%s has a Problem, so what it runs is not known here; see \"transom check\"", key)))
	}
	if unknown := u.States.Unknown(); unknown != "" {
		fmt.Fprintf(w, "\n%s\n", p.Yellow(unknown))
	}
}

// instances prints a line for the environments in which a request uses the version in the same way.
func (v versionUsage) instances(w io.Writer, p terminal.Paint) {
	for rest := v.Instances; len(rest) > 0; {
		first := rest[0]
		var in []string
		for len(rest) > 0 && first.like(rest[0]) {
			in = append(in, rest[0].Environment)
			rest = rest[1:]
		}
		line := fmt.Sprintf("  %s in %s", first.Request, strings.Join(in, ", "))
		switch {
		case first.Wanted != "":
			line += p.Yellow(fmt.Sprintf("  resolves to %s now", first.Wanted))
		case first.Otherwise != "":
			line += p.Faint(fmt.Sprintf("  version %q, else %s", first.Constraint, first.Otherwise))
		case first.Constraint != "":
			line += p.Faint(fmt.Sprintf("  version %q", first.Constraint))
		}
		fmt.Fprintln(w, line)
	}
}

// like says whether two instances differ in nothing but their environment.
func (i instanceOf) like(o instanceOf) bool {
	o.Environment = i.Environment
	return i == o
}
