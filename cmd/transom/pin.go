package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"transom.dev/cmd/transom/internal/workspace"
	"transom.dev/render/platform"
)

// pinOptions are the flags of pin.
type pinOptions struct{ pinning }

func newPin() *cobra.Command {
	var o pinOptions
	cmd := &cobra.Command{
		Use:   "pin TEAM/REQUEST DIGEST|VERSION | pin OFFERING@VERSION",
		Short: "Make an environment run exactly one release or version",
		Long: `Make an environment run exactly one release of a request, or one version of an offering: write the Pin that a person
would have written. A Pin is its own approval, and shows as debt until its file is deleted.

A release is named by its digest, the beginning of one, or a version that this environment or those above it have run.`,
		Example: `  transom pin payments/orders-db 1.4.2 --environment prod --reason "1.5 is slow here"
  transom pin payments/orders-db 3fb1c0d -e prod --until 48h --reason "until the fix is out"
  transom pin postgres@1.4.2 -e prod --reason "1.5 is slow here"`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) < 1 || len(args) > 2 || (len(args) == 1) != strings.Contains(args[0], "@") {
				return misuse("%s takes TEAM/REQUEST and a DIGEST or VERSION, or OFFERING@VERSION", cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := o.begin(cmd)
			if err != nil {
				return err
			}
			s, err := parseSubject(p, args[0])
			if err != nil {
				return err
			}
			if s.request == nil {
				return o.writePin(cmd, s, nil, "pin")
			}
			release, err := o.choose(cmd.Context(), p, *s.request, args[1])
			if err != nil {
				return err
			}
			return o.writePin(cmd, s, release, "pin")
		},
	}
	o.flag(cmd)
	return cmd
}

// choose finds the release that a text names, among those that the environment and its upstream environments have run.
func (o *pinOptions) choose(ctx context.Context, p *platform.Platform, key platform.RequestKey, text string) (*knownRelease, error) {
	if strings.HasPrefix(text, "sha256:") && len(text) == len("sha256:")+64 {
		return &knownRelease{digest: text}, nil
	}
	var list []knownRelease
	for _, name := range upwards(p, o.environment) {
		r, err := o.records.record(ctx, name, key)
		if err != nil {
			return nil, err
		}
		if r != nil {
			list = append(list, releasesIn(r)...)
		}
	}
	if len(list) == 0 {
		return nil, workspace.NoRequest(p, key)
	}
	release, err := pickRelease(distinct(list), text)
	if err != nil {
		return nil, fmt.Errorf("%s in %s: %w", key, o.environment, err)
	}
	return release, nil
}

// upwards lists an environment and its upstream environments, the nearest first.
func upwards(p *platform.Platform, environment string) []string {
	list, seen := []string{}, map[string]bool{}
	for next := []string{environment}; len(next) > 0; next = next[1:] {
		if e := p.Environments[next[0]]; e != nil && !seen[next[0]] {
			list = append(list, next[0])
			next = append(next, e.PromotesFrom...)
		}
		seen[next[0]] = true
	}
	return list
}
