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

// serverFlag adds the flags that say which daemon is asked, and by whom. The environment gives their defaults. The token has no flag:
// everybody on this machine can read command lines.
func serverFlag(cmd *cobra.Command, c *client.Client) {
	c.Token = os.Getenv("TRANSOM_TOKEN")
	f := cmd.Flags()
	f.StringVar(&c.Server, "server", cmp.Or(os.Getenv("TRANSOM_SERVER"), client.DefaultServer), "URL of the daemon (TRANSOM_SERVER)")
	f.StringVar(&c.TokenFile, "token-file", "", "file with the token by which the daemon knows you; else TRANSOM_TOKEN has it")
	f.StringVar(&c.CA, "ca", os.Getenv("TRANSOM_CA"), "file with authorities to trust for the daemon's certificate, in PEM (TRANSOM_CA)")
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
