package web_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/web"
	"transom.dev/reconciler/web/access"
)

// owned are the owners of all files.
type owned []string

func (o owned) Of(string) ([]string, bool) { return o, true }
func (o owned) Name(owner string) bool     { return slices.Contains(o, owner) }

// TestWhoMayApprove: as far as the daemon knows, which is by roles, teams and the platform's CODEOWNERS.
func TestWhoMayApprove(t *testing.T) {
	as := func(role access.Role, teams ...string) access.Identity {
		return access.Identity{Name: "somebody", Role: role, Teams: teams}
	}
	for name, c := range map[string]struct {
		who        access.Identity
		owners     web.Owners
		team       string
		may, named bool
	}{
		"nobody logs in":                 {access.Identity{Role: access.Viewer}, owned{"@a"}, "payments", true, true},
		"operator":                       {as(access.Operator), owned{"@a"}, "payments", true, true},
		"viewer":                         {as(access.Viewer), nil, "payments", false, false},
		"viewer whom the file names":     {as(access.Viewer), owned{"@somebody"}, "payments", false, false},
		"own team, no file":              {as(access.Developer, "payments"), nil, "payments", true, false},
		"other team, no file":            {as(access.Developer, "search"), nil, "payments", false, false},
		"no team, no file":               {as(access.Developer, "search"), nil, "", true, false},
		"own team, file names others":    {as(access.Developer, "payments"), owned{"@acme/platform"}, "payments", false, false},
		"other team, file names mine":    {as(access.Developer, "search", "platform"), owned{"@sre", "@acme/platform"}, "payments", true, true},
		"file names a team without acme": {as(access.Developer, "platform"), owned{"@platform"}, "payments", true, true},
		"file names the account":         {as(access.Developer, "search"), owned{"@somebody"}, "payments", true, true},
		"file names the address":         {as(access.Developer, "search"), owned{"somebody"}, "payments", true, true},
		"account in other letters":       {as(access.Developer, "search"), owned{"@SomeBody"}, "payments", true, true},
		"address in other letters":       {as(access.Developer, "search"), owned{"SOMEBODY"}, "payments", true, true},
		"team in other letters":          {as(access.Developer, "platform"), owned{"@Acme/Platform"}, "payments", true, true},
		"file names nobody":              {as(access.Developer, "search"), owned{}, "search", true, false},
		"part of a name":                 {as(access.Developer, "form"), owned{"@platform"}, "form", false, false},
	} {
		may, named, _ := web.Approves(c.who, c.owners, "decisions/prod/one.yaml", c.team)
		require.Equal(t, []bool{c.may, c.named}, []bool{may, named}, name)
	}
	_, _, owners := web.Approves(as(access.Developer, "payments"), owned{"@sre"}, "decisions/prod/one.yaml", "payments")
	require.Equal(t, []string{"@sre"}, owners)
}
