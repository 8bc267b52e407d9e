package promotion_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/render/platform"
)

// TestNamespacesChangeAsTheEnvironmentMay although no release says anything of them. It keeps R80.
func TestNamespacesChangeAsTheEnvironmentMay(t *testing.T) {
	const digest = "sha256:namespaces"
	w := settled(t, "web")
	admits := func() bool {
		w.settle(tick)
		return w.stages["prod"].last.admission.AdmitNamespaces(digest).Open
	}
	prod := w.environmentOf("prod")
	approval := prod.Gates.Approval
	prod.Gates.Approval = "none"
	require.True(t, admits())

	hold := w.decide("prod", platform.Decision{Kind: "Hold"})
	require.False(t, admits(), "the environment is held")
	w.undecide(hold)
	other := w.decide("prod", platform.Decision{Kind: "Hold", Team: "search"})
	require.True(t, admits(), "a team is held, and no namespace is a team's own doing")
	w.undecide(other)

	always, err := platform.NewWindow("* * * * *", time.Minute, "UTC", true)
	require.NoError(t, err)
	prod.Windows = []platform.Window{always}
	require.False(t, admits(), "outside the windows")
	prod.Windows = nil

	prod.Gates.Approval = "required"
	require.False(t, admits(), "nobody approved")
	require.Equal(t, digest, w.stages["prod"].last.admission.AdmitNamespaces(digest).Plan, "status says what to approve")
	w.decide("prod", platform.Decision{Kind: "Approval", Plan: digest})
	require.True(t, admits())
	prod.Gates.Approval = approval
}
