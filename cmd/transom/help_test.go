package main

import (
	"slices"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"
)

// TestEveryCommandExplainsItself: each says its purpose, shows an example, and prints JSON too, but for those that only
// start something and those that only have commands.
func TestEveryCommandExplainsItself(t *testing.T) {
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		require.NotEmpty(t, cmd.Short, cmd.CommandPath())
		if cmd.IsAdditionalHelpTopicCommand() {
			require.NotEmpty(t, cmd.Long, cmd.CommandPath())
			return
		}
		require.Contains(t, cmd.Example, cmd.CommandPath()+" ", "an example of %s", cmd.CommandPath())
		if !slices.Contains([]string{"transom", "serve", "demo", "new", "import", "notify", "cluster", "export", "secret"}, cmd.Name()) {
			require.NotEmpty(t, cmd.Long, cmd.CommandPath())
			require.NotNil(t, cmd.Flags().Lookup("output"), "-o of %s", cmd.CommandPath())
		}
		for _, c := range cmd.Commands() {
			walk(c)
		}
	}
	walk(newRoot())
}
