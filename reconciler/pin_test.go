package reconciler_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestPinNamesAPublishedVersion that no environment has ever run: its number is enough said.
func TestPinNamesAPublishedVersion(t *testing.T) {
	s := newSystem(t)
	files := consumers(1)
	publish(files, "1.1.0", "two")
	s.replace(files)
	s.fleet.says(s.Placed)
	edition := func(commit string) string {
		s.Trigger.Fire("test")
		s.stands("dev", commit)
		s.rests("dev")
		content, err := os.ReadFile(filepath.Join(s.checkout("dev"), "clusters/dev/payments/r0000.yaml"))
		require.NoError(t, err)
		return string(content)
	}
	first := s.commit("before")
	s.run()
	require.Contains(t, edition(first), "edition: two")
	files["decisions/dev/slow.yaml"] = []byte(document("Pin", "slow") + "spec: {request: payments/r0000, version: 1.0.0, reason: slow}\n")
	s.replace(files)
	require.Contains(t, edition(s.commit("pin")), "edition: one")
}
