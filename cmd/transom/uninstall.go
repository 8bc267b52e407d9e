package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

// removal is one step of taking an installation away.
type removal struct {
	On       string   `json:"on"` // which clusters
	Commands []string `json:"commands"`
	Effect   string   `json:"effect"`
	Optional bool     `json:"optional,omitempty"`
}

// removals are the steps in their order: the daemon stops before it loses its rights, and what would be lost comes last.
var removals = []removal{
	{
		On:       "the management cluster",
		Commands: []string{"kubectl delete deployment --namespace transom-daemon transom"},
		Effect:   "The daemon ends. All workloads run on as they are; from here on nothing changes, heals or prunes them.",
	},
	{
		On:       "the management cluster",
		Commands: []string{"kubectl delete namespace --ignore-not-found transom-daemon transom-kubeconfigs"},
		Effect:   "Their Secrets go with them: keep those that nobody else has, such as the key that signs state.",
	},
	{
		On: "every cluster of the fleet",
		Commands: []string{
			"kubectl delete clusterrolebinding --ignore-not-found transom transom-platform transom-access",
			"kubectl get clusterrolebinding --output name | grep /transom: | xargs -r kubectl delete", // of "cluster add --cluster-role"
			"kubectl delete clusterrole --ignore-not-found transom transom-platform",
			"kubectl delete rolebinding --ignore-not-found --namespace transom-system transom transom-token",
			"kubectl delete role --ignore-not-found --namespace transom-system transom transom-token",
			"kubectl delete serviceaccount --ignore-not-found --namespace transom-system transom",
		},
		Effect: "The daemon's rights end, and with its ServiceAccount every token in a kubeconfig.",
	},
	{
		On:       "every cluster of the fleet",
		Commands: []string{"kubectl delete namespace transom-system"},
		Effect: "The cluster forgets which objects are whose. Leave it where you may come back: an installation with the same " +
			"platform and state repositories then goes on where this one ended. Workloads run on either way.",
		Optional: true,
	},
}

func newUninstall() *cobra.Command {
	var o output
	cmd := &cobra.Command{
		Use:   "uninstall",
		Short: "Say how to take an installation away, without any workload",
		Long: `Say which objects to remove, in which order, to take an installation away that was made with the manifests of
"transom install" and "transom cluster add". It removes nothing itself, and none of the steps deletes a workload: all that requests brought runs
on. To end a workload, remove its request before.

The platform repository and the state repositories stay as they are.`,
		Example: `  transom uninstall
  transom uninstall -o json | jq -r '.[] | select(.optional | not) | .commands[]'`,
		Args: takes(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.print(cmd.OutOrStdout(), removals, func(w io.Writer) {
				for i, step := range removals {
					optional := ""
					if step.Optional {
						optional = ", if you will not come back"
					}
					fmt.Fprintf(w, "%d. On %s%s:\n", i+1, step.On, optional)
					for _, command := range step.Commands {
						fmt.Fprintf(w, "     %s\n", command)
					}
					fmt.Fprintf(w, "   %s\n", step.Effect)
				}
			})
		},
	}
	o.flag(cmd)
	return cmd
}
