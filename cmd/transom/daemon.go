package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"transom.dev/cmd/transom/internal/client"
	"transom.dev/cmd/transom/internal/terminal"
	"transom.dev/cmd/transom/internal/tree"
	"transom.dev/reconciler/status"
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
		return errors.New(unread(s))
	}
	var there []string
	for _, e := range s.Environments {
		there = append(there, e.Name)
	}
	return fmt.Errorf("no environment %q on the platform %s%s", name, s.Platform.URL, wording.Suggest(name, there))
}

// unknown is an error if the daemon does not know the environment, the team or the request that a status was asked about, with
// the name that was probably meant.
func unknown(ctx context.Context, c client.Client, s status.Status, about client.Selection) error {
	if about.Environment != "" && len(s.Environments) == 0 {
		return unknownEnvironment(ctx, c, about.Environment)
	}
	if about.Team == "" || len(s.Instances) > 0 {
		return nil
	}
	named, kind, where := about.Team, "requests of team "+about.Team, "on the platform "+s.Platform.URL
	if about.Request != "" {
		named = about.Team + "/" + about.Request
		kind = "request " + named
	}
	if about.Environment != "" {
		where = "in environment " + about.Environment
	}
	if why := unread(s); why != "" {
		return fmt.Errorf("no %s known yet: %s", kind, why)
	}
	return fmt.Errorf("no %s %s at commit %s%s", kind, where, terminal.Short(s.Platform.Commit), suggestName(ctx, c, about.Environment, named))
}

// unread says what has yet to be read, and which fault hinders it; empty: nothing.
func unread(s status.Status) string {
	why := tree.Unread(s)
	if cause := cmp.Or(s.Platform.Frozen, s.Platform.Error); s.Platform.Commit == "" && cause != "" {
		why += ": " + cause
	}
	return why
}

// suggestName suggests the team or the request that was probably meant.
func suggestName(ctx context.Context, c client.Client, environment, named string) string {
	s, err := c.Status(ctx, client.Selection{Environment: environment, Objects: "none"})
	if err != nil {
		return "" // the answer stays the same without a suggestion
	}
	var there []string
	for _, in := range s.Instances {
		if strings.Contains(named, "/") {
			there = append(there, in.Request.String())
		} else {
			there = append(there, in.Request.Team)
		}
	}
	return wording.Suggest(named, there)
}
