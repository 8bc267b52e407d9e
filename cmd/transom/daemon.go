package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"transom.dev/cmd/transom/internal/client"
	"transom.dev/cmd/transom/internal/tree"
	"transom.dev/render/wording"
)

// serverFlag adds --server, which TRANSOM_SERVER gives a default.
func serverFlag(cmd *cobra.Command, c *client.Client) {
	server := cmp.Or(os.Getenv("TRANSOM_SERVER"), client.DefaultServer)
	cmd.Flags().StringVar(&c.Server, "server", server, "URL of the daemon (TRANSOM_SERVER)")
}

// unknownEnvironment is the error for an environment that the daemon does not know, with the name that was probably meant.
func unknownEnvironment(ctx context.Context, c client.Client, name string) error {
	s, err := c.Status(ctx, client.Selection{Objects: "none"})
	if err != nil {
		return err
	}
	if s.Platform.Commit == "" {
		return errors.New(tree.Unread(s))
	}
	var there []string
	for _, e := range s.Environments {
		there = append(there, e.Name)
	}
	return fmt.Errorf("no environment %q on the platform %s%s", name, s.Platform.URL, wording.Suggest(name, there))
}
