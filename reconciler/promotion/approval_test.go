package promotion

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/render/platform"
)

// Very many requests may be approved one by one. Of a request those Approvals alone are looked at that name it or none, in their order.
func TestApprovalsOfOtherRequestsAreNotLookedAt(t *testing.T) {
	shop, till := platform.RequestKey{Team: "payments", Name: "shop"}, platform.RequestKey{Team: "payments", Name: "till"}
	of := func(file string, k *platform.RequestKey) *platform.Decision {
		return &platform.Decision{File: file, Request: k}
	}
	p := &people{approvals: []*platform.Decision{of("a", &till), of("b", nil), of("c", &shop), of("d", &till), of("e", nil), of("f", &shop)}}
	files := func(k platform.RequestKey) (files []string) {
		for d := range p.approvalsFor(k) {
			files = append(files, d.File)
		}
		return files
	}
	require.Equal(t, []string{"b", "c", "e", "f"}, files(shop))
	require.Equal(t, []string{"a", "b", "d", "e"}, files(till))
	require.Equal(t, []string{"b", "e"}, files(platform.RequestKey{Team: "store", Name: "shop"}))
	require.Equal(t, []string{"b", "c", "e", "f"}, files(shop), "asked again")
	for d := range p.approvalsFor(shop) {
		require.Equal(t, "b", d.File)
		break
	}
	require.Len(t, slices.Collect(p.approvalsFor(shop)), 4)
}
