package kustomize

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFormerNamesAreFoundWithoutTryingAllWays(t *testing.T) {
	affixes := []string{"", "a", "a-", "-b", "x"}
	for _, c := range []struct {
		name, before string
		had          bool
	}{
		{"web", "web", true},
		{"a-web", "web", true},
		{"a-aweb-bx", "web", true},
		{"xxweb", "web", true},
		{"web-c", "web", false},
		{"c-web", "web", false},
		{"a-", "a-web", false},
		{"aaa", "a", true},
	} {
		require.Equal(t, c.had, newFormerNames(affixes).had(c.name, c.before), "%s, once %s", c.name, c.before)
	}
	f := newFormerNames(affixes) // cutting one letter after the other at either end has 2^200 ways
	require.False(t, f.had(strings.Repeat("a", 200)+"b", strings.Repeat("a", 3)+"c"))
	require.True(t, f.had(strings.Repeat("a", 200), strings.Repeat("a", 3)))
}
