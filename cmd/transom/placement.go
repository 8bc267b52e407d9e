package main

import (
	"github.com/spf13/cobra"

	"transom.dev/cmd/transom/internal/client"
	"transom.dev/render/platform"
)

// placementFlags adds the flags that name a placement beside TEAM/REQUEST.
func placementFlags(cmd *cobra.Command, c *client.Client, about *client.Selection) {
	cmd.Flags().StringVarP(&about.Environment, "environment", "e", "", "the environment (required)")
	cmd.Flags().StringVar(&about.Cluster, "cluster", "", "the cluster, where the request is on several")
	serverFlag(cmd, c)
}

// readRequestKey reads the argument TEAM/REQUEST.
func readRequestKey(about *client.Selection, arg string) error {
	key, err := platform.ParseRequestKey(arg)
	if err != nil {
		return misuse("%v", err)
	}
	about.Team, about.Request = key.Team, key.Name
	return nil
}

// readPlacement reads the argument TEAM/REQUEST of a command that needs an environment.
func readPlacement(about *client.Selection, arg string) error {
	if err := readRequestKey(about, arg); err != nil {
		return err
	}
	if about.Environment == "" {
		return misuse("%s needs --environment: say which one is asked about", arg)
	}
	return nil
}
