package reconciler_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestPinNamesAPublishedVersion that no environment has ever run: its number is enough said.
func TestPinNamesAPublishedVersion(t *testing.T) {
	s := newSystem(t)
	files := consumers(1)
	publish(files, "1.1.0", "two")
	s.begins(files)
	s.rests("dev")
	require.Contains(t, s.manifest("r0000"), "edition: two")
	files["decisions/dev/slow.yaml"] = []byte(document("Pin", "slow") + "spec: {request: payments/r0000, version: 1.0.0, reason: slow}\n")
	s.merges("pin", files)
	s.rests("dev")
	require.Contains(t, s.manifest("r0000"), "edition: one")
}

// TestPinOfAVersionWinsOverTheRangeOfAnEnvironment for a request that never ran that version, while another one does.
func TestPinOfAVersionWinsOverTheRangeOfAnEnvironment(t *testing.T) {
	s := newSystem(t)
	files := consumers(2)
	publish(files, "1.1.0", "two")
	request := func(name, version string) []byte {
		return []byte(document("Request", name) +
			"spec:\n  offering: note\n  version: \"1\"\n  parameters: {text: hello}\n  environments: {dev: {version: \"" + version + "\"}}\n")
	}
	files["requests/payments/r0000.yaml"] = request("r0000", "~1.1")
	files["requests/payments/r0001.yaml"] = request("r0001", "1.0.0")
	s.begins(files)
	s.rests("dev")
	require.Contains(t, s.manifest("r0000"), "edition: two")
	files["decisions/dev/slow.yaml"] = []byte(document("Pin", "slow") + "spec: {offering: note, version: 1.0.0, reason: slow}\n")
	s.merges("pin", files)
	s.rests("dev")
	require.Contains(t, s.manifest("r0000"), "edition: one")
	delete(files, "decisions/dev/slow.yaml")
	s.merges("unpin", files)
	s.rests("dev")
	require.Contains(t, s.manifest("r0000"), "edition: two")
}

// TestPinThatARequestCannotFollowSaysWhy rather than that nobody knows the version.
func TestPinThatARequestCannotFollowSaysWhy(t *testing.T) {
	s := newSystem(t)
	files := consumers(1)
	publish(files, "1.1.0", "two")
	files["offerings/note/1.0.0/version.yaml"] = []byte(document("Version", "note") + "spec: {parameters: {type: object, properties: {text: {type: integer}}}}\n")
	s.begins(files)
	files["decisions/dev/slow.yaml"] = []byte(document("Pin", "slow") + "spec: {offering: note, version: 1.0.0, reason: slow}\n")
	s.merges("pin", files)
	require.Contains(t, s.Board.Status().Instances[0].Waiting[0].Reason,
		"pinned by decisions/dev/slow.yaml to version 1.0.0, which it cannot have: requests/payments/r0000.yaml: spec.parameters.text: must be an integer")
}
