package reconciler_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestPolicyThatComesLaterIsInStatus as a Warning of the release that runs, in the words of check and plan; that release
// stays.
func TestPolicyThatComesLaterIsInStatus(t *testing.T) {
	s := newSystem(t)
	files := consumers(1)
	s.begins(files)
	files["policies/no-notes.yaml"] = []byte(document("Policy", "no-notes") +
		"spec: {validations: [{expression: 'object.kind != \"ConfigMap\"', message: no notes}], action: deny}\n")
	s.merges("policy", files)
	environment := s.Board.Status().Environments[0]
	require.Len(t, environment.Problems, 1)
	require.True(t, environment.Problems[0].Warning)
	require.Equal(t, "requests/payments/r0000.yaml: warning: policy no-notes denies the ConfigMap payments/r0000-note, which stays as it is until it changes: no notes",
		environment.Problems[0].String())
	require.Equal(t, "payments/r0000", environment.Problems[0].Request.String())
}
