package reconciler

import (
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/render/platform"
)

// TestADecisionIsOfTheTeamThatItIsAbout: of a request it is its team's; of a whole offering, cluster or environment it is nobody's alone.
func TestADecisionIsOfTheTeamThatItIsAbout(t *testing.T) {
	require.Equal(t, "store", teamOf(&platform.Decision{Request: &platform.RequestKey{Team: "store", Name: "shop"}}))
	require.Equal(t, "search", teamOf(&platform.Decision{Team: "search"}))
	require.Empty(t, teamOf(&platform.Decision{Offering: "web"}))
}
