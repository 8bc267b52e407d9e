package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"transom.dev/cmd/transom/internal/terminal"
	"transom.dev/cmd/transom/internal/workspace"
	"transom.dev/render/platform"
)

// rollbackOptions are the flags of rollback.
type rollbackOptions struct {
	pinning
	to string
}

func newRollback() *cobra.Command {
	var o rollbackOptions
	cmd := &cobra.Command{
		Use:   "rollback TEAM/REQUEST --environment ENVIRONMENT --reason REASON",
		Short: "Go back to what was healthy in an environment before",
		Long: `Go back to the last release that was healthy in all waves of an environment before: write the Pin that a person would
have written. It is its own approval and counts as a rollback: no window and no hold keeps it waiting. --to chooses
another release that was healthy there, by its digest, the beginning of one, or its version.`,
		Example: `  transom rollback payments/orders-db --environment prod --reason "orders are lost"
  transom rollback payments/orders-db -e prod --to 1.4.2 --reason "orders are lost"`,
		Args: takes(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := o.begin(cmd)
			if err != nil {
				return err
			}
			key, err := platform.ParseRequestKey(args[0])
			if err != nil {
				return usageError{err}
			}
			release, err := o.back(cmd.Context(), p, key)
			if err != nil {
				return err
			}
			return o.writePin(cmd, subject{request: &key}, release, "roll back")
		},
	}
	o.flag(cmd)
	cmd.Flags().StringVar(&o.to, "to", "", "the release to go back to; left out, the last that was healthy there")
	return cmd
}

// back finds the release that a request goes back to in its environment.
func (o *rollbackOptions) back(ctx context.Context, p *platform.Platform, key platform.RequestKey) (*knownRelease, error) {
	r, err := o.records.record(ctx, o.environment, key)
	switch {
	case err != nil:
		return nil, err
	case r == nil && p.Request(key) == nil:
		return nil, workspace.NoRequest(p, key)
	case r == nil:
		return nil, fmt.Errorf("%s has never been in %s: there is nothing to go back to", key, o.environment)
	}
	var ran []knownRelease
	for _, before := range slices.Backward(r.Promotion.Ran) {
		if before.Digest != r.Digest {
			ran = append(ran, knownRelease{digest: before.Digest, offering: r.Offering, version: before.Version})
		}
	}
	ran = distinct(ran)
	if len(ran) == 0 {
		return nil, fmt.Errorf("nothing ran healthy in %s before release %s of %s: there is nothing to go back to", o.environment, terminal.Short(r.Digest), key)
	}
	if o.to == "" {
		return &ran[0], nil
	}
	release, err := pickRelease(ran, o.to)
	if err != nil {
		return nil, fmt.Errorf("%s in %s: %w", key, o.environment, err)
	}
	return release, nil
}
