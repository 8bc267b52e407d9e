package platform_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/tools/txtar"

	"transom.dev/render/platform"
)

// TestADayThatIsPastIsToldWhereItStands, and changes nothing of the load, which reads no clock.
func TestADayThatIsPastIsToldWhereItStands(t *testing.T) {
	offering := func(lifecycle string) *platform.Platform {
		p, err := platform.Load(repository(t, &txtar.Archive{Files: []txtar.File{{Name: "offerings/postgres/offering.yaml", Data: []byte(
			"apiVersion: transom.dev/v1alpha1\nkind: Offering\nmetadata: {name: postgres}\nspec:\n  title: PostgreSQL\n" +
				"  versions:\n    1.5.0:\n      lifecycle: " + lifecycle + "\n      removeAfter: 2027-06-01\n")}}}))
		require.NoError(t, err)
		return p
	}
	day := func(text string) time.Time {
		at, err := time.Parse(time.RFC3339, text)
		require.NoError(t, err)
		return at
	}
	deprecated := offering("deprecated")
	require.Empty(t, deprecated.Offerings["postgres"].Overdue(day("2027-06-01T23:59:59Z")), "the day itself is its last")
	require.Equal(t, `offerings/postgres/offering.yaml:9:7: spec.versions.1.5.0.removeAfter: warning: 2027-06-01 is past, and postgres@1.5.0 is still published; `+
		`"transom usage postgres" says who uses it; withdraw it with lifecycle: withdrawn, so that no request takes it any more, or write a later date`+"\n",
		lines(deprecated.Offerings["postgres"].Overdue(day("2027-06-02T00:00:00Z"))))
	require.NotContains(t, lines(deprecated.Problems), "is past")
	require.Contains(t, lines(offering("withdrawn").Offerings["postgres"].Overdue(day("2028-01-01T00:00:00Z"))),
		`"transom usage postgres" says when offerings/postgres/1.5.0 can be removed`)
}
