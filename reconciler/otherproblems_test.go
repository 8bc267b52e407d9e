package reconciler

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/render/platform"
)

// A pass tells status again of those requests alone whose Problems are others than in the pass before, however many there are.
func TestAPassDoesNotRepeatTheProblemsOfOthers(t *testing.T) {
	named := func(n int) platform.RequestKey {
		return platform.RequestKey{Team: "payments", Name: fmt.Sprintf("r%04d", n)}
	}
	with := func(messages map[int]string) *platform.Platform {
		p := &platform.Platform{
			Environments: map[string]*platform.Environment{"dev": {Name: "dev", Broken: true}},
			Problems:     []platform.Problem{{File: "environments/dev.yaml", Rule: "value", Message: "of no request"}},
		}
		for _, n := range slices.Sorted(maps.Keys(messages)) {
			k := named(n)
			p.Problems = append(p.Problems, platform.Problem{File: k.File(), Rule: "value", Message: messages[n], Request: &k})
		}
		slices.SortFunc(p.Problems, platform.Problem.Compare)
		return p
	}
	crowd := map[int]string{}
	for n := range 2000 {
		crowd[n] = "must be a number"
	}
	told := func(before, now *platform.Platform) []platform.RequestKey {
		about := map[platform.RequestKey]bool{}
		otherProblems(before, now, "dev", about)
		return slices.SortedFunc(maps.Keys(about), platform.RequestKey.Compare)
	}
	before := with(crowd)
	require.Len(t, told(nil, before), 2000, "of all, where status has none of them")
	require.Empty(t, told(before, with(crowd)))

	delete(crowd, 7)
	crowd[30], crowd[3000] = "must be a text", "must be a number"
	require.Equal(t, []platform.RequestKey{named(7), named(30), named(3000)}, told(before, with(crowd)), "mended, another, new")
}
