package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"transom.dev/cmd/transom/internal/client"
	"transom.dev/reconciler/status"
)

func newCluster() *cobra.Command {
	return group(&cobra.Command{
		Use:   "cluster",
		Short: "Add a cluster to the fleet, and list how clusters are reached",
		Long: `Add a cluster to the fleet, and list how clusters are reached. A cluster leaves by its file: "state: draining" first, and
then the file goes.`,
		Example: `  transom cluster add prod-eu-1 --context eu-1 --label environment=prod --out ./kubeconfigs
  transom cluster list`,
	}, newClusterAdd(), newClusterList())
}

// listed is a cluster of the fleet, with the environments that it is one of.
type listed struct {
	status.Cluster
	Environments []string `json:"environments"`
}

func newClusterList() *cobra.Command {
	var o struct {
		client client.Client
		output output
	}
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the clusters of the fleet, and how they are reached",
		Long: `List the clusters of the fleet, as the daemon sees them: whether they answer and since when, their version of Kubernetes,
as whom the daemon is known there, and when its credential expires.

Exits with 1 where a cluster is not reachable, has a Problem, refuses several instances for one cause, or has a credential that a person must see to.`,
		Example: `  transom cluster list
  transom cluster list -o json | jq -r '.[] | select(.credential.warning) | .name'`,
		Args: takes(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := o.client.Status(cmd.Context(), client.Selection{Objects: "none"})
			if err != nil {
				return err
			}
			clusters := listClusters(s)
			if err := o.output.print(cmd.OutOrStdout(), clusters, func(w io.Writer) { printClusters(w, clusters, time.Now()) }); err != nil {
				return err
			}
			if slices.ContainsFunc(clusters, func(c listed) bool { return !c.Reachable || c.warns() }) {
				return unwell
			}
			return nil
		},
	}
	serverFlag(cmd, &o.client)
	o.output.flag(cmd)
	return cmd
}

// warns says whether a person must see to a cluster although it answers.
func (c listed) warns() bool {
	return c.Problem != "" || c.Refusing != "" || c.Credential.Warning != ""
}

// listClusters are the clusters of a status, each once, sorted by name.
func listClusters(s status.Status) []listed {
	clusters := []listed{}
	for _, e := range s.Environments {
		for _, c := range e.Clusters {
			i := slices.IndexFunc(clusters, func(known listed) bool { return known.Name == c.Name })
			if i < 0 {
				clusters, i = append(clusters, listed{Cluster: c}), len(clusters)
			}
			clusters[i].Environments = append(clusters[i].Environments, e.Name)
			if clusters[i].Problem == "" {
				clusters[i].Problem = c.Problem
			}
		}
	}
	slices.SortFunc(clusters, func(a, b listed) int { return strings.Compare(a.Name, b.Name) })
	return clusters
}

func printClusters(w io.Writer, clusters []listed, now time.Time) {
	if len(clusters) == 0 {
		fmt.Fprintln(w, `no clusters: "transom cluster add" adds one`)
		return
	}
	orDash := func(text string) string {
		if text == "" {
			return "-"
		}
		return text
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "CLUSTER\tREACHABLE\tSINCE\tVERSION\tUSER\tEXPIRES\tIDENTITY\tENVIRONMENTS")
	for _, c := range clusters {
		reachable, since, expires := "no", "", ""
		if c.Reachable {
			reachable = "yes"
		}
		if !c.Since.IsZero() {
			since = c.Since.UTC().Format("2006-01-02 15:04")
		}
		if !c.Credential.Expires.IsZero() {
			expires = c.Credential.Expires.UTC().Format("2006-01-02 15:04")
		}
		if !c.Credential.Expires.IsZero() && !now.Before(c.Credential.Expires) {
			expires += " (expired)"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", c.Name, reachable, orDash(since), orDash(c.Version), orDash(c.Credential.User),
			orDash(expires), orDash(c.UID), strings.Join(c.Environments, ", "))
	}
	_ = t.Flush() // w is the terminal or a pipe; nobody needs to know of lost output
	for _, c := range clusters {
		for _, text := range slices.Compact([]string{c.Message, c.Problem, c.Refusing, c.Credential.Warning}) { // the message may be the Problem
			if text != "" {
				fmt.Fprintf(w, "%s: %s\n", c.Name, text)
			}
		}
	}
}
