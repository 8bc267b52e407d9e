package main

import (
	"fmt"
	"io"
	"regexp"

	"github.com/spf13/cobra"

	"transom.dev/reconciler/web/access"
)

// entryName matches the names of tokens, which are YAML as they are.
var entryName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@-]{0,99}$`)

// A newEntry is a fresh token and its entry in the file of access.
type newEntry struct {
	Name   string `json:"name"`
	Role   string `json:"role"`
	Team   string `json:"team,omitempty"`
	Token  string `json:"token"`
	SHA256 string `json:"sha256"`
}

func newToken() *cobra.Command {
	var o output
	var h newEntry
	cmd := &cobra.Command{
		Use:   "token NAME --role ROLE",
		Short: "Make a token for somebody who asks the daemon",
		Long: `Make a token, and the entry by which the file of "transom serve --access" knows its holder. The entry has a digest of it only, so
the token is shown this one time: give it to its holder, who sets TRANSOM_TOKEN or writes it to a file for --token-file. Nothing
is sent anywhere. To take a token back, remove its entry: the daemon reads the file again within ten seconds.

Roles are viewer (reads everything), developer of a team (asks for a reconciliation, too) and operator.`,
		Example: `  transom token grafana --role viewer
  transom token payments-pipeline --role developer --team payments
  transom token night-shift --role operator -o json`,
		Args: takes(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			h.Name = args[0]
			var role access.Role
			switch err := role.UnmarshalText([]byte(h.Role)); {
			case h.Role == "":
				return misuse("transom token needs --role: viewer, developer or operator")
			case err != nil:
				return misuse("--role: %v", err)
			case (role == access.Developer) != (h.Team != ""):
				return misuse("--team belongs to --role developer, and only to that one")
			case !entryName.MatchString(h.Name), h.Team != "" && !entryName.MatchString(h.Team):
				return misuse("names are letters, digits and . _ @ -, such as payments-pipeline")
			}
			h.Token, h.SHA256 = access.NewToken()
			return o.print(cmd.OutOrStdout(), h, h.text)
		},
	}
	f := cmd.Flags()
	f.StringVar(&h.Role, "role", "", "viewer, developer or operator (required)")
	f.StringVar(&h.Team, "team", "", "the developer's team")
	must(cmd.RegisterFlagCompletionFunc("role", cobra.FixedCompletions([]string{"viewer", "developer", "operator"}, cobra.ShellCompDirectiveNoFileComp)))
	o.flag(cmd)
	return cmd
}

func (h newEntry) text(w io.Writer) {
	team := ""
	if h.Team != "" {
		team = ", team: " + h.Team
	}
	fmt.Fprintf(w, `# the token, for its holder; it is not shown again
%s

# its entry, for the file of "transom serve --access"
tokens:
- {name: %s, role: %s%s, sha256: %s}
`, h.Token, h.Name, h.Role, team, h.SHA256)
}
