package platform_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/render/platform"
)

// stages are environments, each written as "name: the environments that it takes releases from"; "!" is a Broken one.
func stages(lines ...string) map[string]*platform.Environment {
	all := map[string]*platform.Environment{}
	for _, line := range lines {
		name, from, _ := strings.Cut(line, ":")
		name, broken := strings.CutSuffix(name, "!")
		all[name] = &platform.Environment{Name: name, PromotesFrom: strings.Fields(from), Broken: broken}
	}
	return all
}

func placedIn(environments ...string) *platform.RequestSpec {
	spec := &platform.RequestSpec{Environments: map[string]platform.RequestEnvironment{}}
	for _, name := range environments {
		spec.Environments[name] = platform.RequestEnvironment{}
	}
	return spec
}

// TestGraphOfEnvironments knows who takes releases from whom, here in a diamond before prod.
func TestGraphOfEnvironments(t *testing.T) {
	g := platform.NewGraph(stages("dev:", "load: dev", "staging: dev", "prod: staging load", "lab:"))
	require.Equal(t, []string{"dev", "lab", "load", "staging", "prod"}, g.Order())
	require.Equal(t, []string{"dev", "load", "staging"}, g.Upstream("prod"))
	require.Empty(t, g.Upstream("dev"))
	require.Equal(t, []string{"load", "prod", "staging"}, g.Downstream("dev"))
	require.Equal(t, []string{"dev", "load", "prod", "staging"}, g.Neighbours("dev"))
	require.Equal(t, []string{"lab"}, g.Neighbours("lab"))
	require.True(t, g.Reaches("dev", "prod"))
	require.False(t, g.Reaches("prod", "dev"))
	require.False(t, g.Reaches("prod", "prod"))

	require.Equal(t, []string{"load", "staging"}, g.Nearest("prod", placedIn("dev", "load", "staging", "prod")))
	require.Equal(t, []string{"dev", "staging"}, g.Nearest("prod", placedIn("dev", "staging", "prod")), "load leaves it out")
	require.Empty(t, g.Nearest("prod", placedIn("prod")))
	require.True(t, g.Feeds("dev", "prod", placedIn("dev", "staging", "prod")), "by load")
	require.False(t, g.Feeds("dev", "prod", placedIn("dev", "load", "staging", "prod")))
	require.True(t, g.Feeds("staging", "prod", placedIn("dev", "prod")), "whether it is there itself or not")
	require.False(t, g.Feeds("prod", "dev", placedIn("dev", "prod")))
}

// TestGraphGoesThroughBrokenEnvironments for the question of who is upstream; releases do not.
func TestGraphGoesThroughBrokenEnvironments(t *testing.T) {
	g := platform.NewGraph(stages("dev:", "staging!: dev gone", "prod: staging"))
	require.Equal(t, []string{"dev", "gone", "staging"}, g.Upstream("prod"))
	require.Equal(t, []string{"prod", "staging"}, g.Downstream("dev"))
	require.True(t, g.Reaches("staging", "prod"))
	require.False(t, g.Reaches("dev", "prod"))
	require.False(t, g.Reaches("dev", "staging"))
	require.Equal(t, []string{"prod", "staging"}, g.Neighbours("prod"))
	require.Equal(t, []string{"dev"}, g.Neighbours("dev"))
}

// TestGraphWithACircle answers every question.
func TestGraphWithACircle(t *testing.T) {
	g := platform.NewGraph(stages("dev:", "a!: b dev", "b!: a", "self!: self", "prod: a"))
	require.Equal(t, []string{"dev", "self", "a", "b", "prod"}, g.Order())
	require.Equal(t, []string{"a", "b", "dev"}, g.Upstream("prod"))
	require.Equal(t, []string{"a", "b", "dev"}, g.Upstream("a"))
	require.Equal(t, []string{"a", "b", "prod"}, g.Downstream("dev"))
	require.Equal(t, []string{"dev"}, g.Nearest("prod", placedIn("dev")))
	require.True(t, g.Feeds("dev", "prod", placedIn("prod")))
	require.False(t, g.Reaches("dev", "prod"))
	require.False(t, g.Reaches("self", "self"))
}

// TestGraphOfManyDiamonds is made in no time, although there are 2^30 ways through it.
func TestGraphOfManyDiamonds(t *testing.T) {
	lines := []string{"l0:", "r0:"}
	for i := range 30 {
		lines = append(lines, fmt.Sprintf("l%d: l%d r%d", i+1, i, i), fmt.Sprintf("r%d: l%d r%d", i+1, i, i))
	}
	g := platform.NewGraph(stages(lines...))
	require.Len(t, g.Upstream("l30"), 60)
	require.Equal(t, []string{"l0", "r0"}, g.Nearest("l30", placedIn("l0", "r0")))
	require.True(t, g.Feeds("l0", "r30", placedIn("r30")))
}

// TestGraphAgreesWithItsDefinition follows each question edge by edge, on random graphs.
func TestGraphAgreesWithItsDefinition(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		all, names, spec := map[string]*platform.Environment{}, []string{}, placedIn()
		for i := range 2 + r.IntN(6) {
			e := &platform.Environment{Name: fmt.Sprint(i), Broken: r.IntN(6) == 0}
			for _, up := range names {
				if r.IntN(3) == 0 {
					e.PromotesFrom = append(e.PromotesFrom, up)
				}
			}
			if r.IntN(2) == 0 {
				spec.Environments[e.Name] = platform.RequestEnvironment{}
			}
			names, all[e.Name] = append(names, e.Name), e
		}
		g := platform.NewGraph(all)
		for _, to := range names {
			var upstream, nearest []string
			for _, from := range names {
				if leads(all, from, to) {
					upstream = append(upstream, from)
				}
				if _, placed := spec.Environments[from]; placed && feeds(all, from, to, spec) {
					nearest = append(nearest, from)
				}
				require.Equal(t, leads(all, from, to), slices.Contains(g.Downstream(from), to), "%d: %s to %s", seed, from, to)
				require.Equal(t, reaches(all, from, to), g.Reaches(from, to), "%d: %s to %s", seed, from, to)
				require.Equal(t, feeds(all, from, to, spec), g.Feeds(from, to, spec), "%d: %s to %s", seed, from, to)
			}
			require.ElementsMatch(t, upstream, g.Upstream(to), "%d: %s", seed, to)
			require.ElementsMatch(t, nearest, g.Nearest(to, spec), "%d: %s", seed, to)
			require.True(t, slices.IsSorted(g.Upstream(to)) && slices.IsSorted(g.Nearest(to, spec)))
		}
	}
}

func leads(all map[string]*platform.Environment, from, to string) bool {
	return slices.ContainsFunc(all[to].PromotesFrom, func(up string) bool { return up == from || leads(all, from, up) })
}

func reaches(all map[string]*platform.Environment, from, to string) bool {
	return !all[to].Broken && slices.ContainsFunc(all[to].PromotesFrom, func(up string) bool { return up == from || reaches(all, from, up) })
}

func feeds(all map[string]*platform.Environment, from, to string, spec *platform.RequestSpec) bool {
	return slices.ContainsFunc(all[to].PromotesFrom, func(up string) bool {
		_, placed := spec.Environments[up]
		return up == from || !placed && feeds(all, from, up, spec)
	})
}
