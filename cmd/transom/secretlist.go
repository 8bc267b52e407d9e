package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"transom.dev/cmd/transom/internal/workspace"
	"transom.dev/render/platform"
)

// A given is the sealed values that a request gives in an environment, or an image pull secret of the environment.
type given struct {
	Request     *platform.RequestKey `json:"request,omitempty"`
	PullSecret  string               `json:"imagePullSecret,omitempty"`
	Environment string               `json:"environment"`
	Keys        []string             `json:"keys"`
}

func newSecretList() *cobra.Command {
	var o output
	var in platformDir
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the keys of the sealed values that requests give, and image pull secrets",
		Long:  `List the keys of the sealed values that requests give, by environment, and the image pull secrets of environments. Nobody needs a key for it; "transom check" says what is wrong.`,
		Example: `  transom secret list
  transom secret list -C ./platform -o json`,
		Args: takes(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := in.load()
			if err != nil {
				return err
			}
			all := []given{}
			for _, environment := range workspace.Environments(p) {
				all = append(all, pullSecrets(p.Environments[environment])...)
				for _, i := range p.Instances(environment) {
					if i.Sealed != nil {
						all = append(all, given{Request: &i.Request.Key, Environment: environment, Keys: slices.Sorted(maps.Keys(i.Sealed.Values))})
					}
				}
			}
			return o.print(cmd.OutOrStdout(), all, func(w io.Writer) {
				if len(all) == 0 {
					fmt.Fprintln(w, "no request gives sealed values")
				}
				for _, g := range all {
					if g.Request == nil {
						fmt.Fprintf(w, "%s %s: an image pull secret\n", g.PullSecret, g.Environment)
						continue
					}
					fmt.Fprintf(w, "%s %s: %s\n", g.Request, g.Environment, strings.Join(g.Keys, ", "))
				}
			})
		},
	}
	o.flag(cmd)
	in.flag(cmd)
	return cmd
}
