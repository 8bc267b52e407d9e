package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"transom.dev/cmd/transom/internal/audit"
	"transom.dev/cmd/transom/internal/terminal"
)

// verifyOptions are the flags of verify.
type verifyOptions struct {
	output  output
	records records
}

func newVerify() *cobra.Command {
	var o verifyOptions
	cmd := &cobra.Command{
		Use:   "verify ENVIRONMENT[@COMMIT]",
		Short: "Render a state again from what its records name, and compare",
		Long: `Render a state commit again from what its Release files name, and compare it byte for byte: each request as it was
recorded, with the exact version by its digest, and the environment as the platform commit of that pass has it. Bytes
that an earlier commit brought, as those of a cluster whose wave is still to come, are verified through that commit.

Bytes of a renderer that no Release file names, those of state of format 1, are rendered by its rules. It also says which SSH
key signed the commit; whether that is one to trust is for its reader to know.

Without a commit, it is the state's head. Every file that differs is listed, and the exit code is 1. It needs the state
repository and a clone of the platform with its history, and no daemon.`,
		Example: `  transom verify prod
  transom verify prod@3fb1c0d
  transom verify prod -o json --state https://git.example.com/acme/state-prod.git`,
		Args: takes(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd, args[0]) },
	}
	o.output.flag(cmd)
	o.records.flag(cmd)
	return cmd
}

// run verifies a state commit and prints the differences.
func (o *verifyOptions) run(cmd *cobra.Command, what string) error {
	ctx := cmd.Context()
	environment, commit, _ := strings.Cut(what, "@")
	state, err := o.records.open(ctx, environment)
	if err != nil {
		return err
	}
	if commit == "" {
		commit = state.Head.Commit
	}
	if commit, err = audit.Commit(ctx, state, commit); err != nil {
		return fmt.Errorf("verify %s: %w", environment, err)
	}
	platform, err := o.records.platformPast(ctx)
	if err != nil {
		return err
	}
	screen := terminal.NewScreen(cmd.ErrOrStderr())
	v := audit.Verifier{Environment: environment, State: state, Platform: platform, Tell: func(line string) { screen.Show(line) }}
	result, err := v.Verify(ctx, commit)
	screen.End()
	if err != nil {
		return fmt.Errorf("verify %s at %s: %w", environment, terminal.Short(commit), err)
	}
	if err := o.output.print(cmd.OutOrStdout(), result, verifiedText(result, terminal.PaintFor(cmd.OutOrStdout()))); err != nil {
		return err
	}
	if len(result.Differences) > 0 {
		return unwell
	}
	return nil
}

// verifiedText prints the result of a verification.
func verifiedText(v *audit.Verified, p terminal.Paint) func(io.Writer) {
	return func(w io.Writer) {
		where := fmt.Sprintf("%s at %s", v.Environment, terminal.Short(v.Commit))
		if len(v.Differences) == 0 {
			fmt.Fprintf(w, "%s %s: %s below clusters/ are, byte for byte, what its Release files name\n", p.Green("✓"), where, terminal.Count(v.Files, "file"))
		} else {
			fmt.Fprintf(w, "%s %s: %d of %s below clusters/ not verified\n", p.Red("✗"), where, len(v.Differences), terminal.Count(v.Files, "file"))
		}
		fmt.Fprintf(w, "  rendered with platform commit %s", terminal.Short(v.Platform))
		if v.Earlier > 0 {
			fmt.Fprintf(w, "; %d through the commit that brought their bytes", v.Earlier)
		}
		if v.First > 0 {
			fmt.Fprintf(w, "; %d made by an earlier renderer, by the rules of that", v.First)
		}
		fmt.Fprintf(w, "\n  %s\n", v.Signed)
		for _, d := range v.Differences {
			fmt.Fprintf(w, "  %s: %s\n", d.File, d.Reason)
		}
	}
}
