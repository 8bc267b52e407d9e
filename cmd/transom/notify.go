package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"transom.dev/reconciler/notify"
	"transom.dev/render/wording"
)

const notifyHelp = `Who is told of which events is written in the platform repository, notifications/NAME.yaml:

  apiVersion: transom.dev/v1alpha1
  kind: Notification
  metadata: {name: payments}
  spec:
    target: payments-chat                     # a name in the operator's file
    events: [approval, failed, rolled-back]   # also promoted, problem, recovered, drift, cluster-lost, cluster-back; absent: all
    teams: [payments]                         # absent: all teams, and clusters, environments and the platform themselves
    environments: [prod]                      # absent: all

The addresses, which are secrets, are in the operator's file for "transom serve --notify", which nobody else may read:

  targets:
  - {name: payments-chat, url: 'slack://hook:T…-B…-…@webhook'}         # as shoutrrr writes it: chats, and smtp://… for mail
  - {name: pager, webhook: 'https://pager.acme.example/transom', secret: '…'}   # openssl rand -hex 32

A webhook gets a JSON object {id, notification, kind, environment, events: [{at, team, request, cluster, message}], more, url} by POST,
where url is the page about it below --console-url, with the headers X-Transom-Id (the same when it is sent again), X-Transom-Timestamp
(in seconds) and X-Transom-Signature: "sha256=" and the hexadecimal HMAC-SHA256, by the secret, of the timestamp, a dot and the body.
Any status 2xx takes it; 429 and 5xx are tried again for an hour, after Retry-After if it says so; others refuse it. Redirects are
not followed.

An event is told once until it changes, and something that changes again and again with growing pauses of up to an hour. What is so
when the daemon starts is no news.`

func newNotify() *cobra.Command {
	return group(&cobra.Command{
		Use:     "notify",
		Short:   "Try the targets that people are told of events by",
		Long:    notifyHelp,
		Example: `  transom notify test payments-chat --notify /etc/transom/notify.yaml`,
	}, newNotifyTest())
}

// A told says whether a target took a message.
type told struct {
	Target string `json:"target"`
	Taken  bool   `json:"taken"`
	Error  string `json:"error,omitempty"`
}

func newNotifyTest() *cobra.Command {
	var file string
	var o output
	cmd := &cobra.Command{
		Use:   "test TARGET --notify FILE",
		Short: "Send one message to a target",
		Long: `Send one message to a target of the operator's file, as the daemon would, and say what came of it. It is not tried again. Exits with
1 where the target did not take it.`,
		Example: `  transom notify test payments-chat --notify /etc/transom/notify.yaml`,
		Args:    takes(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if file == "" {
				return misuse("transom notify test needs --notify, the file that serve has")
			}
			targets, err := readTargets(file)
			if err != nil {
				return err
			}
			target, known := targets[args[0]]
			if !known {
				names := targets.Names()
				return fmt.Errorf("%s has no target %q%s; it has %s", file, args[0], wording.Suggest(args[0], names), wording.List(names))
			}
			result := told{Target: args[0], Taken: true}
			if err := notify.Test(cmd.Context(), target); err != nil {
				result.Taken, result.Error = false, err.Error()
			}
			if err := o.print(cmd.OutOrStdout(), result, result.text); err != nil {
				return err
			}
			if !result.Taken {
				return unwell
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&file, "notify", "", "file with the targets (required)")
	o.flag(cmd)
	return cmd
}

func (t told) text(w io.Writer) {
	if t.Taken {
		fmt.Fprintf(w, "%s took the message\n", t.Target)
		return
	}
	fmt.Fprintf(w, "%s did not take the message: %s\n", t.Target, t.Error)
}
