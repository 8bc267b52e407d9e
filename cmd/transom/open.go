package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"transom.dev/cmd/transom/internal/client"
	"transom.dev/cmd/transom/internal/terminal"
)

func newOpen() *cobra.Command {
	var c client.Client
	var o output
	var environment string
	cmd := &cobra.Command{
		Use:   "open [TEAM/REQUEST]",
		Short: "Print and open the console's address",
		Long: `Print the address of the console, or of a request's page, and open it in a browser where this is a terminal. The program is the one
of BROWSER, else open on macOS and xdg-open elsewhere; without one the address is only printed.`,
		Example: `  transom open
  transom open payments/shop -e prod
  transom open payments/shop -o json`,
		Args: takes(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			at, err := consoleAddress(c.Server, environment, args)
			if err != nil {
				return err
			}
			if err := checkThere(cmd.Context(), c, environment, args, cmd.ErrOrStderr()); err != nil {
				return err
			}
			if err := o.print(cmd.OutOrStdout(), map[string]string{"url": at}, func(w io.Writer) { fmt.Fprintln(w, at) }); err != nil {
				return err
			}
			if o.String() == "text" && terminal.NewScreen(cmd.OutOrStdout()).Live {
				browse(at)
			}
			return nil
		},
	}
	cmd.Flags().StringVarP(&environment, "environment", "e", "", "the environment that the request's page shows")
	serverFlag(cmd, &c)
	o.flag(cmd)
	return cmd
}

// consoleAddress is the address of a page of a daemon's console.
func consoleAddress(server, environment string, args []string) (string, error) {
	base, err := url.Parse(server)
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return "", misuse("--server %s: it is a URL such as %s", server, client.DefaultServer)
	}
	if len(args) == 0 {
		return base.JoinPath("/").String(), nil
	}
	var about client.Selection
	if err := readRequestKey(&about, args[0]); err != nil {
		return "", err
	}
	base = base.JoinPath("requests", url.PathEscape(about.Team), url.PathEscape(about.Request))
	if environment != "" {
		base.RawQuery = url.Values{"environment": {environment}}.Encode()
	}
	return base.String(), nil
}

// checkThere refuses an environment that the request is not in. A daemon that does not answer at once is asked no more: the address is right
// all the same, and that nobody looked is told.
func checkThere(ctx context.Context, c client.Client, environment string, args []string, stderr io.Writer) error {
	if environment == "" || len(args) == 0 {
		return nil
	}
	about := client.Selection{Environment: environment, Objects: "none"}
	if err := readRequestKey(&about, args[0]); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	s, err := c.Status(ctx, about)
	if err != nil {
		fmt.Fprintf(stderr, "note: nobody looked whether %s is in %s: %v\n", args[0], environment, err)
		return nil // the browser says more
	}
	return unknown(ctx, c, s, about)
}

// browse has a browser open an address. Where there is none, the printed address is enough.
func browse(at string) {
	program := strings.Fields(os.Getenv("BROWSER"))
	if len(program) == 0 {
		program = []string{map[string]string{"darwin": "open"}[runtime.GOOS]}
	}
	if program[0] == "" {
		program[0] = "xdg-open"
	}
	browser := exec.Command(program[0], append(program[1:], at)...)
	if browser.Start() == nil {
		_ = browser.Process.Release() // it outlives this process
	}
}
