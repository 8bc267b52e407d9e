package reconciler_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/status"
)

func brokenFile(i int) string { return fmt.Sprintf("requests/crowd/b%04d.yaml", i) }

// withBroken adds so many requests that name an offering which there is not.
func withBroken(files map[string][]byte, n int) map[string][]byte {
	for i := range n {
		files[brokenFile(i)] = []byte(document("Request", fmt.Sprintf("b%04d", i)) + "spec: {offering: nothing, version: \"1\", environments: {dev: {}}}\n")
	}
	return files
}

// broken are the instances of dev that status knows and that have a Problem.
func (s *system) broken() (all []status.Instance) {
	for _, in := range s.Board.Status().Instances {
		if len(in.Problems) > 0 {
			all = append(all, in)
		}
	}
	return all
}

// Status is told only of the Problems that are others than before. Those that stay are not lost, and those that are mended do not stay.
func TestProblemsOfRequestsStayAsLongAsTheyAreThere(t *testing.T) {
	s := newSystem(t)
	files := withBroken(consumers(2), 3)
	s.begins(files)
	s.rests("dev")
	require.Len(t, s.broken(), 3)

	files["requests/payments/r0000.yaml"] = crowdRequest("r0000", "other")
	s.merges("a neighbour", files)
	s.rests("dev")
	require.Len(t, s.broken(), 3, "of requests that nobody changed")

	files[brokenFile(0)] = crowdRequest("b0000", "mended")
	files["requests/payments/r0001.yaml"] = append(crowdRequest("r0001", "hello"), "  wrong: true\n"...)
	s.merges("one is mended, another is broken", files)
	s.rests("dev")
	var names []string
	for _, in := range s.broken() {
		names = append(names, in.Request.Name)
	}
	require.ElementsMatch(t, []string{"b0001", "b0002", "r0001"}, names)

	s.git(s.clone(), "rm", "-q", brokenFile(1))
	delete(files, brokenFile(1))
	s.merges("one is gone", files)
	s.rests("dev")
	require.Len(t, s.broken(), 2)
}
