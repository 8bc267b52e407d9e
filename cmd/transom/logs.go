package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"transom.dev/cmd/transom/internal/client"
	"transom.dev/reconciler/web"
	"transom.dev/reconciler/web/api"
)

func newLogs() *cobra.Command {
	var c client.Client
	var o output
	var l client.Log
	var about client.Selection
	cmd := &cobra.Command{
		Use:   "logs TEAM/REQUEST --environment ENV",
		Short: "Show the logs of a request's pods",
		Long: `Show the latest lines that the pods of a request printed, by way of the daemon: no access to the cluster is needed.

They are shown where the environment's file says spec.logs: true, to developers of the team and to operators. Control characters
and terminal escapes are replaced, a line is cut after 16 KiB, and an answer after 8 MiB. With --follow, the lines to come
are shown for up to a quarter of an hour; pods that are made meanwhile are not among them. Whatever a container prints is shown: let
none print a secret. Exits with 1 where no log could be read.`,
		Example: `  transom logs payments/shop -e dev
  transom logs payments/shop -e prod --cluster eu-1 --tail 1000 | grep ERROR

  # The container before its last restart, and the one of now as it goes on
  transom logs payments/shop -e dev --previous
  transom logs payments/shop -e dev --follow

  transom logs payments/shop -e dev -o json | jq -r 'select(.error == null) | .line'`,
		Args: takes(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := readPlacement(&about, args[0]); err != nil {
				return err
			}
			if err := checkLog(l); err != nil {
				return err
			}
			lines, failed := 0, 0
			err := c.Logs(cmd.Context(), about, l, func(one api.Line) error {
				if one.Error == "" {
					lines++
				} else {
					failed++
				}
				return printLine(cmd.OutOrStdout(), cmd.ErrOrStderr(), o.String() == "json", one)
			})
			if err == nil && failed > 0 && lines == 0 {
				return unwell // the reasons are printed
			}
			return err
		},
	}
	placementFlags(cmd, &c, &about)
	f := cmd.Flags()
	f.StringVar(&l.Pod, "pod", "", "only this pod")
	f.StringVar(&l.Container, "container", "", "only this container")
	f.IntVar(&l.Tail, "tail", 200, "so many of the latest lines of each container, up to 10000")
	f.BoolVarP(&l.Follow, "follow", "f", false, "also show the lines to come")
	f.BoolVar(&l.Previous, "previous", false, "show the log before the last restart")
	o.flag(cmd)
	return cmd
}

// checkLog refuses flags that ask for no log.
func checkLog(l client.Log) error {
	switch {
	case l.Tail < 1 || l.Tail > web.MostTail:
		return misuse("--tail %d: it is a number of lines from 1 to %d", l.Tail, web.MostTail)
	case l.Follow && l.Previous:
		return misuse("--follow and --previous do not go together: the log before a restart has ended")
	}
	return nil
}

// printLine prints a line with its pod and container, and the error of a log for itself.
func printLine(out, stderr io.Writer, asJSON bool, one api.Line) error {
	if asJSON {
		return json.NewEncoder(out).Encode(one)
	}
	where := ""
	if one.Pod != "" {
		where = one.Pod + "/" + one.Container + ": "
	}
	if one.Error != "" {
		_, err := fmt.Fprintf(stderr, "transom: %s%s\n", where, one.Error)
		return err
	}
	_, err := fmt.Fprintf(out, "%s%s\n", where, one.Line)
	return err
}
