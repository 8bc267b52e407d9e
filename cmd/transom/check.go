package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"transom.dev/cmd/transom/internal/installation"
	"transom.dev/cmd/transom/internal/states"
	"transom.dev/cmd/transom/internal/terminal"
	"transom.dev/cmd/transom/internal/workspace"
	"transom.dev/render"
	"transom.dev/render/platform"
)

// checkOptions are the flags of check.
type checkOptions struct {
	output output
	base   string
	update bool
	detail bool
	states states.From
}

func newCheck() *cobra.Command {
	o := checkOptions{output: output{also: []string{gitHubReport, gitLabReport}}}
	cmd := &cobra.Command{
		Use:   "check [DIR]",
		Short: "Find every Problem of a platform repository before it is merged",
		Long: `Find every Problem of a platform repository before it is merged: load it, resolve every request, and render every
environment for every cluster, as the daemon will; then run the golden tests of offerings. Objects are held to the fields,
types and lifecycle of the kinds of Kubernetes 1.37, and custom resources to the definitions of the repository. For an
environment whose spec.kubernetes is later than that, wrong fields and types are Warnings.

` + statesHelp + ` There, a version that an
environment runs must not be changed or removed, and what runs is only warned of under a policy that came later. Where
nobody looked, requests are rendered as if they were new, and the end of the output says so.

A golden test is a directory offerings/<offering>/<version>/tests/<case> with request.yaml, a Request, and want.yaml,
the manifest that it renders to, which --update rewrites. environment.yaml and cluster.yaml, if they are there, stand
for the platform's, and other files are requests that it can be bound to. What moving a case from the versions before to
this one would replace or remove is a Warning. The cases of one version may render to 100,000 lines
together, where each counts as 200 at least. Policies judge a case as they judge a request.

Where the repository has a file rights.yaml, which "transom install --rights . > rights.yaml" writes, a Warning says which rights
a version needs beyond those.

Prints a line per Problem, then per Warning: where, what, and how to mend it. Of Problems that only follow from another one, such as
those of all requests for a version, it prints the first three and how many more there are. Exits with 1 if there is a Problem, and if it was interrupted.
With --base, only Problems count that the revision does not have; the others are listed as known. A window that never opens is one where it is known to be new.
In a pipeline a forge shows Problems and Warnings at their files and lines: with -o github, which prints a command to the runner of
GitHub Actions for each, and with -o gitlab, which prints a report of GitLab's kind "code quality" (artifacts: reports:
codequality) to standard output, and the text to standard error.
With -v, says of each version how it is rendered: compiled, or, for what the compiler cannot prove, as Kustomize does it,
and why. Both give the same bytes.`,
		Example: `  transom check
  transom check ./platform
  transom check --base origin/main
  transom check --base origin/main -o github
  transom check --base origin/main -o gitlab > gl-code-quality-report.json
  transom check --update && git diff
  transom check -v
  transom check -o json | jq -r '.problems[].file'`,
		Args: takes(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			result, err := o.check(cmd.Context(), directory(args))
			if err != nil {
				return err
			}
			if err := o.tell(cmd, directory(args), result); err != nil {
				return err
			}
			if len(result.Problems) > 0 {
				return unwell
			}
			return nil
		},
	}
	o.output.flag(cmd)
	statesFlags(cmd, &o.states)
	cmd.Flags().StringVar(&o.base, "base", "", "a Git revision: its Problems are known and do not fail the check")
	cmd.Flags().BoolVarP(&o.detail, "verbose", "v", false, "say of each version whether it is rendered compiled, and why not")
	cmd.Flags().BoolVar(&o.update, "update", false, "rewrite want.yaml of golden tests to what they render to")
	return cmd
}

// tell prints a result in the format that was asked for.
func (o *checkOptions) tell(cmd *cobra.Command, dir string, result *checked) error {
	w := cmd.OutOrStdout()
	switch o.output.format {
	case gitHubReport:
		result.tellGitHub(w, dir)
		result.sums(w, terminal.PaintFor(w))
		return nil
	case gitLabReport:
		people := cmd.ErrOrStderr()
		result.text(people, terminal.PaintFor(people))
		return result.tellGitLab(w, dir)
	}
	return o.output.print(w, result, func(w io.Writer) { result.text(w, terminal.PaintFor(w)) })
}

// checked is the result of check.
type checked struct {
	Problems     []platform.Problem `json:"problems"`
	Known        []platform.Problem `json:"known,omitempty"` // Problems that the base has too
	Warnings     []platform.Problem `json:"warnings"`
	States       states.States      `json:"states"` // at which environments somebody looked
	Requests     int                `json:"requests"`
	Offerings    int                `json:"offerings"`
	Environments int                `json:"environments"`
	Clusters     int                `json:"clusters"`
	Tests        int                `json:"tests"`
	Rewritten    []string           `json:"rewritten,omitempty"` // golden files, by --update

	Versions []render.Compilation `json:"versions,omitempty"` // how each is rendered, by --verbose
}

// check loads and renders the platform, runs the golden tests, and tells new Problems from those of the base.
func (o *checkOptions) check(ctx context.Context, dir string) (*checked, error) {
	p, err := workspace.Load(dir)
	if err != nil {
		return nil, err
	}
	running, err := o.states.Read(ctx, dir, p)
	if err != nil {
		return nil, err
	}
	var r render.Renderer
	rendered, err := running.Render(&r, p)
	if err != nil {
		return nil, err
	}
	result := &checked{
		Problems: []platform.Problem{}, Warnings: []platform.Problem{}, States: running,
		Requests: p.CountRequests(), Offerings: len(p.Offerings), Environments: len(p.Environments), Clusters: len(p.Clusters),
	}
	problems, warnings := workspace.Mistakes(p, rendered)
	lacking, err := installation.Lacking(p, os.DirFS(dir))
	if err != nil {
		return nil, err
	}
	goldens, err := testTree(p, dir, o.update)
	if err != nil {
		return nil, err
	}
	var overdue []platform.Problem
	for _, offering := range p.Offerings {
		overdue = append(overdue, offering.Overdue(time.Now())...)
	}
	problems, warnings = mergeProblems(problems, goldens.problems), mergeProblems(warnings, slices.Concat(goldens.warnings, lacking, overdue))
	result.Tests, result.Rewritten = goldens.tests, goldens.rewritten
	if o.detail {
		if result.Versions, err = render.Compilations(p); err != nil {
			return nil, err
		}
	}
	var denied []platform.Problem
	if o.base != "" {
		known, warned, err := o.known(dir, running)
		if err != nil {
			return nil, err
		}
		problems, result.Known = workspace.Apart(problems, known)
		denied, warnings = workspace.DeniedBeside(warnings, warned)
	} else {
		denied, warnings = workspace.Denied(warnings, func(w platform.Problem) bool { // else nobody knows, and a merged file is no fault of who asks
			there := running.Of(w.Environment)
			return there != nil && there.Looked && (there.Base == nil || len(there.Base.Releases) == 0)
		})
	}
	problems = mergeProblems(problems, denied)
	result.Warnings = append(result.Warnings, warnings...)
	result.Problems = append(result.Problems, problems...)
	return result, ctx.Err() // after which a state may not have been read
}

// known are the Problems and Warnings that the base has too, with the releases that the environments run.
func (o *checkOptions) known(dir string, running states.States) (problems, warnings []platform.Problem, err error) {
	base, err := workspace.LoadRevision(dir, o.base)
	if err != nil {
		return nil, nil, err
	}
	var r render.Renderer
	rendered, err := running.Render(&r, base)
	if err != nil {
		return nil, nil, err
	}
	problems, warnings = workspace.Mistakes(base, rendered)
	goldens, err := testRevision(base, dir, o.base)
	if err != nil {
		return nil, nil, err
	}
	return append(problems, goldens.problems...), warnings, nil
}

// text prints a line per finding and counts below.
func (c *checked) text(w io.Writer, p terminal.Paint) {
	for _, file := range c.Rewritten {
		fmt.Fprintf(w, "rewrote %s\n", file)
	}
	tellMistakes(w, p, c.Problems)
	for _, problem := range c.Known {
		fmt.Fprintln(w, p.Faint("known: "+problem.String()))
	}
	for _, warning := range c.Warnings {
		fmt.Fprintln(w, p.Yellow(warning.String()))
	}
	c.sums(w, p)
}

// mostAlike is how many Problems are printed that one cause has in several files.
const mostAlike = 3

// tellMistakes prints a line for each Problem. Of those that only say that something else has a Problem, which has its own line, the first
// few are printed, and how many more there are.
func tellMistakes(w io.Writer, p terminal.Paint, problems []platform.Problem) {
	alike := map[string]int{}
	for _, problem := range problems {
		if problem.Follows() {
			if alike[problem.Message]++; alike[problem.Message] > mostAlike {
				continue
			}
		}
		fmt.Fprintln(w, p.Red(problem.String()))
	}
	for _, message := range slices.Sorted(maps.Keys(alike)) {
		if more := alike[message] - mostAlike; more > 0 {
			fmt.Fprintln(w, p.Red(fmt.Sprintf("and %d more: %s", more, message)))
		}
	}
}

// sums prints all but the findings themselves.
func (c *checked) sums(w io.Writer, p terminal.Paint) {
	for _, v := range c.Versions {
		compilation(w, p, v)
	}
	if unknown := c.States.Unknown(); unknown != "" {
		fmt.Fprintln(w, p.Faint(unknown))
	}
	parts := []string{p.Green("no Problems")}
	if len(c.Problems) > 0 {
		parts[0] = p.Red(terminal.Count(len(c.Problems), "Problem"))
	}
	if len(c.Known) > 0 {
		parts = append(parts, fmt.Sprintf("%d known", len(c.Known)))
	}
	if len(c.Warnings) > 0 {
		parts = append(parts, terminal.Count(len(c.Warnings), "Warning"))
	}
	whole := []string{terminal.Count(c.Requests, "request"), terminal.Count(c.Offerings, "offering"), terminal.Count(c.Environments, "environment"), terminal.Count(c.Clusters, "cluster")}
	if c.Tests > 0 {
		whole = append(whole, terminal.Count(c.Tests, "golden test"))
	}
	fmt.Fprintf(w, "%s: %s\n", strings.Join(whole, ", "), strings.Join(parts, ", "))
}

// compilation prints how a version is rendered.
func compilation(w io.Writer, p terminal.Paint, v render.Compilation) {
	switch {
	case v.Compiled > 0:
		fmt.Fprintf(w, "%s: compiled for %s\n", v.Version, terminal.Count(v.Compiled, "placement"))
	case len(v.Plain) == 0:
		fmt.Fprintf(w, "%s: compiled, once it is requested\n", v.Version)
	}
	for _, plain := range v.Plain {
		if plain.Placements == 0 {
			fmt.Fprintf(w, "%s: %s: %s\n", v.Version, p.Yellow("not compiled"), plain.Why)
			continue
		}
		fmt.Fprintf(w, "%s: %s for %s, the first %s: %s\n", v.Version, p.Yellow("not compiled"), terminal.Count(plain.Placements, "placement"), plain.First, plain.Why)
	}
}
