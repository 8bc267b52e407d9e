package access_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/web/access"
)

// TestADevelopersWorkIsForDevelopersOfTheTeamAndOperators, and for nobody who reads only.
func TestADevelopersWorkIsForDevelopersOfTheTeamAndOperators(t *testing.T) {
	for _, c := range []struct {
		who access.Identity
		may bool
	}{
		{access.Identity{Role: access.Anybody}, false},
		{access.Identity{Role: access.Viewer}, false},
		{access.Identity{Role: access.Developer, Teams: []string{"search"}}, false},
		{access.Identity{Role: access.Developer, Teams: []string{"search", "store"}}, true},
		{access.Identity{Role: access.Operator}, true},
	} {
		require.Equal(t, c.may, c.who.In("store"), c.who.String())
	}
}
