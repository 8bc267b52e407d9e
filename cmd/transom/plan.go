package main

import (
	"context"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"transom.dev/cmd/transom/internal/plan"
	"transom.dev/cmd/transom/internal/terminal"
	"transom.dev/fleet/credential"
)

// planOptions are the flags of plan.
type planOptions struct {
	output   output
	against  plan.Against
	exitCode bool
	verbose  bool
	files    string // the address below which the files are shown
	diffsOf  []string
	readers  *plan.Readers // nil: all differences are shown

	live        bool
	kubeconfigs string
	allowed     []string // of what kubeconfigs are refused for
}

// planHelp explains plan.
const planHelp = `Show what merging the work tree would change: objects added, changed, replaced and removed, per environment and
cluster, what moves to another version of an offering, and what deserves caution. What an environment takes at once is
kept apart from what comes to it once promoted: an environment that promotes from others takes only its own changes at
once, for the releases that it has. Each environment's gates, waves and rollout are listed where they matter.

The daemon's own passes are made, on copies of what the environments record, with the work tree and with what is merged
already; the difference is the plan. So it says what a Pin, an Approval, an Override, a Hold or a rollback does, and
what is held back, by which gate, and what opens that. What comes without this merge is told apart. What clusters say is
not in Git: what was healthy when it was recorded is taken for healthy, and what comes for becoming so.

The work tree, committed or not, is compared with what the environments hold. ` + statesHelp + ` What is
compared below clusters/ is what the daemon commits, byte for byte, as far and as fast as gates and waves let it. For an
environment at which nobody looked, and for all with --base, what a revision or another directory renders to stands in,
which cannot tell what is on its way to an environment or held back.

With --live, the clusters are asked what taking over would do, for every request with adopt: true and every namespace that
an environment lets be taken over: the API servers dry-run all objects of the instance, and nothing is written. Listed are
the objects that would be refused, and the fields that would go, with the digest that an Approval names, and the data that
was kept when a request of the same name was removed and that it starts on. For an environment with drift: strict they are also
asked what was set by hand on its objects, and the plan lists what goes. --kubeconfigs is a directory with
<cluster>.kubeconfig files, as the daemon has.

Values of Secrets are not shown. What has a Problem keeps what it has; such Problems are listed, those that what is merged
has too as known: what --base names, else the branch that the clone follows, else what the environments accepted. -o markdown is one
comment for a pull request; with --files URL its Problems lead to their files and lines there. The digest of an environment's plan names exactly these changes, at whatever commit.
Exits with 1 where there is a new Problem, else with 0, or, with --exit-code, with 2 when something changes.`

func newPlan() *cobra.Command {
	o := planOptions{output: output{also: []string{"markdown"}}}
	cmd := &cobra.Command{
		Use:   "plan [DIR]",
		Short: "Show what merging the work tree would change on every cluster",
		Long:  planHelp,
		Example: `  transom plan
  transom plan ./platform --base origin/main
  transom plan --state ./state --exit-code
  transom plan --state ./state -o markdown | gh pr comment --body-file -
  transom plan --live --kubeconfigs ./kubeconfigs
  transom plan -o json | jq '.changes[] | select(.action == "removed")'`,
		Args: takes(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.against.Base == "" && cmd.Flags().Changed("base") {
				return misuse("--base is empty: it is a Git revision such as origin/main, or a directory")
			}
			if o.live != (o.kubeconfigs != "") {
				return misuse("--live goes with --kubeconfigs: say how to reach the clusters")
			}
			if err := credential.CheckExceptions(o.allowed); err != nil {
				return misuse("--allow-kubeconfig: %w", err)
			}
			if cmd.Flags().Changed("diffs-of") {
				if o.output.format != "markdown" {
					return misuse("--diffs-of goes with -o markdown: other outputs have all differences")
				}
				o.readers = &plan.Readers{Teams: o.diffsOf}
			}
			result, err := plan.Make(cmd.Context(), directory(args), o.against, o.ask())
			if err != nil {
				return err
			}
			if err := o.print(cmd.OutOrStdout(), result); err != nil {
				return err
			}
			if len(result.Problems) > 0 {
				return unwell
			}
			if o.exitCode && !result.Empty() {
				return changes
			}
			return nil
		},
	}
	o.output.flag(cmd)
	f := cmd.Flags()
	f.StringVar(&o.against.Base, "base", "", "compare with what a Git revision or a directory renders to")
	statesFlags(cmd, &o.against.States)
	f.BoolVar(&o.live, "live", false, "ask the clusters what taking over existing objects, or drift: strict, would do")
	f.StringVar(&o.kubeconfigs, "kubeconfigs", "", "with --live: directory with <cluster>.kubeconfig files")
	allowKubeconfigFlag(f, &o.allowed)
	f.BoolVar(&o.exitCode, "exit-code", false, "exit with 2 when something changes")
	f.BoolVarP(&o.verbose, "verbose", "v", false, "show added and removed objects in full, and what is identical one by one")
	f.StringVar(&o.files, "files", "", "with -o markdown: address below which the files can be seen, such as https://github.com/acme/platform/blob/COMMIT")
	f.StringSliceVar(&o.diffsOf, "diffs-of", nil, "with -o markdown: teams whose differences are shown; of all others, the objects are listed alone")
	cmd.MarkFlagsMutuallyExclusive("base", "state")
	cmd.MarkFlagsMutuallyExclusive("base", "offline")
	return cmd
}

// ask asks the clusters about taking over existing objects; nil: they are not to be asked.
func (o *planOptions) ask() func(context.Context, *plan.Plan) ([]plan.Adoption, error) {
	if !o.live {
		return nil
	}
	return func(ctx context.Context, p *plan.Plan) ([]plan.Adoption, error) {
		return adoptions(ctx, p, credential.Keys{Sources: []credential.Source{credential.Directory(o.kubeconfigs)}, Allowed: o.allowed})
	}
}

func (o *planOptions) print(w io.Writer, result *plan.Plan) error {
	if o.output.format == "markdown" {
		_, err := io.WriteString(w, result.Markdown(strings.TrimSuffix(o.files, "/"), o.readers))
		return err
	}
	return o.output.print(w, result, func(w io.Writer) { result.Text(w, terminal.PaintFor(w), o.verbose) })
}
