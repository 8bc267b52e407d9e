package main

import (
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"transom.dev/cmd/transom/internal/terminal"
	"transom.dev/render"
	"transom.dev/render/platform"
)

// planOptions are the flags of plan.
type planOptions struct {
	output   output
	base     string
	state    string
	exitCode bool
	verbose  bool
}

func newPlan() *cobra.Command {
	o := planOptions{output: output{also: "markdown"}}
	cmd := &cobra.Command{
		Use:   "plan [DIR]",
		Short: "Show what merging the work tree would change on every cluster",
		Long: `Show what merging the work tree would change: objects added, changed, replaced and removed, per environment and
cluster, what moves to another version of an offering, and what deserves caution. What an environment takes at once is
kept apart from what comes to it once promoted: an environment that promotes from others takes only its own changes at
once, for the releases that it has. Each environment's gates, waves and rollout are listed where they matter.

The work tree, committed or not, is compared with what the environments hold: with the state repositories where they
are on this machine, beside the repository that DIR was cloned from; with --state, with state trees as they are, a
directory per environment, such as clones of the state repositories; otherwise, or with --base, with what a revision
or another directory renders to, which cannot tell what is on its way to an environment or held back. What is compared
below clusters/ is what the daemon commits, byte for byte, as far and as fast as gates and waves let it.

Values of Secrets are not shown. What has a Problem keeps what it has; such Problems are listed. -o markdown is one
comment for a pull request. The digest of an environment's plan names exactly these changes, at whatever commit.
Exits with 0, or, with --exit-code, with 2 when something changes.`,
		Example: `  transom plan
  transom plan ./platform --base origin/main
  transom plan --state ./state --exit-code
  transom plan --state ./state -o markdown | gh pr comment --body-file -
  transom plan -o json | jq '.changes[] | select(.action == "removed")'`,
		Args: atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.check(cmd); err != nil {
				return err
			}
			result, err := o.plan(directory(args))
			if err != nil {
				return err
			}
			if err := o.print(cmd.OutOrStdout(), result); err != nil {
				return err
			}
			if o.exitCode && !result.empty() {
				return changes
			}
			return nil
		},
	}
	o.output.flag(cmd)
	f := cmd.Flags()
	f.StringVar(&o.base, "base", "", "compare with what a Git revision or a directory renders to")
	f.StringVar(&o.state, "state", "", "compare with the state trees DIR/<environment>")
	f.BoolVar(&o.exitCode, "exit-code", false, "exit with 2 when something changes")
	f.BoolVarP(&o.verbose, "verbose", "v", false, "show added and removed objects in full, and what is identical one by one")
	cmd.MarkFlagsMutuallyExclusive("base", "state")
	return cmd
}

func (o *planOptions) check(cmd *cobra.Command) error {
	if o.base == "" && cmd.Flags().Changed("base") {
		return misuse("--base is empty: it is a Git revision such as origin/main, or a directory")
	}
	return nil
}

func (o *planOptions) print(w io.Writer, result *planned) error {
	if o.output.format == "markdown" {
		_, err := io.WriteString(w, result.markdown())
		return err
	}
	return o.output.print(w, result, func(w io.Writer) { result.text(w, terminal.PaintFor(w), o.verbose) })
}

// planned is what a merge would do.
type planned struct {
	Base         string               `json:"base"`  // what the work tree is compared with
	Notes        []string             `json:"notes"` // what the plan cannot know
	Environments []plannedEnvironment `json:"environments"`
	Changes      []render.Change      `json:"changes"`
	Promoted     planStage            `json:"promoted"` // what it becomes downstream, on top of what it does at once
	Problems     []platform.Problem   `json:"problems"` // what they concern keeps what it has
	Warnings     []platform.Problem   `json:"warnings"` // of rendering
}

// plannedEnvironment is what a merge would do to one environment as a whole.
type plannedEnvironment struct {
	Name     string           `json:"name"`
	LetGo    bool             `json:"letGo,omitempty"`  // its file is removed: nothing is written to it any more
	Digest   string           `json:"digest,omitempty"` // names the changes of its placements
	Passes   []string         `json:"passes,omitempty"` // what its changes pass on their way in
	Changing int              `json:"changing"`         // requests whose objects change
	Requests int              `json:"requests"`         // that it has, before or after
	Moves    []render.Move    `json:"moves"`
	Cautions []render.Caution `json:"cautions"`

	// Of what is promoted.
	OnTheirWay []platform.RequestKey `json:"onTheirWay,omitempty"` // that change to what was merged before: not listed
	Unproven   []unproven            `json:"unproven,omitempty"`   // releases that no upstream environment proves
}

// now is what a merge does at once.
func (p *planned) now() planStage { return planStage{p.Environments, p.Changes} }

func (o *planOptions) plan(dir string) (*planned, error) {
	p, err := loadTree(dir)
	if err != nil {
		return nil, err
	}
	var r render.Renderer
	base, err := o.baseline(&r, dir, p)
	if err != nil {
		return nil, err
	}
	result := &planned{
		Base: base.name, Notes: slices.Concat([]string{}, base.notes, unknown(base.rendered, p)), Changes: []render.Change{},
		Promoted: planStage{[]plannedEnvironment{}, []render.Change{}},
	}
	all := &outlooks{platform: p, bases: map[string]*render.Base{}, of: map[string]*render.Outlook{}}
	for _, name := range environments(p) {
		if all.bases[name], err = base.of(name); err != nil {
			return nil, err
		}
		if all.of[name], err = r.Outlook(p, name, all.bases[name]); err != nil {
			return nil, err
		}
	}
	if all.before, err = base.before(all); err != nil {
		return nil, err
	}
	for _, name := range environments(p) {
		if err := result.add(all, name); err != nil {
			return nil, err
		}
		if note := stale(dir, name, all.bases[name]); note != "" {
			result.Notes = append(result.Notes, note)
		}
	}
	for _, name := range base.letGo(p) {
		result.Environments = append(result.Environments, plannedEnvironment{
			Name: name, LetGo: true, Moves: []render.Move{}, Cautions: []render.Caution{},
		})
	}
	result.tell(all)
	return result, nil
}

// add records what becomes of one environment, at once and once promoted.
func (p *planned) add(all *outlooks, name string) error {
	e, base, outlook := all.platform.Environments[name], all.bases[name], all.of[name]
	digest, err := render.PlanDigest(base, outlook.Now)
	if err != nil {
		return fmt.Errorf("plan %s: %w", name, err)
	}
	now := p.now()
	if err := now.add(plannedEnvironment{Name: name, Digest: digest, Passes: all.passes(e, false, base, outlook.Now)}, base, outlook.Now); err != nil {
		return err
	}
	p.Environments, p.Changes = now.Environments, now.Changes
	if outlook.Promoted == nil {
		return nil
	}
	waiting := outlook.Anticipated(all.before)
	if len(outlook.Promoted.Releases) > 0 && len(base.Releases) > 0 && all.before == nil {
		p.Notes = append(p.Notes, fmt.Sprintf("some of what comes to %s once promoted may be on its way already: "+
			"the platform commit that was accepted last is not in this clone", name))
	}
	return p.Promoted.add(plannedEnvironment{
		Name: name, Passes: all.passes(e, true, outlook.Entered, outlook.Promoted),
		OnTheirWay: waiting, Unproven: all.unproven(e, waiting),
	}, outlook.Entered, outlook.Promoted)
}

// changing counts the requests that changes are of.
func changing(changes []render.Change) int {
	requests := map[platform.RequestKey]bool{}
	for _, c := range changes {
		if c.Request != "" {
			requests[platform.RequestKey{Team: c.Team, Name: c.Request}] = true
		}
	}
	return len(requests)
}

// requestsOf counts the requests that an environment has before or after.
func requestsOf(before *render.Base, after *render.State) int {
	n := 0
	for _, release := range before.Releases {
		if !release.Absent {
			n++
		}
	}
	for k, release := range after.Releases {
		if was := before.Releases[k]; !release.Absent && (was == nil || was.Absent) {
			n++
		}
	}
	return n
}

// tell adds the Problems of the platform and of rendering it, and the Warnings of rendering.
func (p *planned) tell(all *outlooks) {
	states := map[string]*render.State{}
	for name, outlook := range all.of {
		states[name] = &render.State{Problems: outlook.Now.Problems}
		if outlook.Promoted != nil {
			states[name].Problems = slices.Concat(outlook.Now.Problems, outlook.Promoted.Problems)
		}
	}
	problems, _ := mistakes(all.platform, states)
	_, warnings := mistakes(&platform.Platform{Environments: all.platform.Environments}, states)
	p.Problems = append([]platform.Problem{}, problems...)
	p.Warnings = append([]platform.Problem{}, warnings...)
}

// empty says that merging changes nothing, neither at once nor once promoted.
func (p *planned) empty() bool { return p.now().empty() && p.Promoted.empty() }
