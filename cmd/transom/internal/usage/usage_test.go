package usage_test

import (
	"bytes"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/cmd/transom/internal/catalog"
	"transom.dev/cmd/transom/internal/states"
	"transom.dev/cmd/transom/internal/terminal"
	"transom.dev/cmd/transom/internal/usage"
	"transom.dev/render"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

var (
	anyOf = platform.RequestKey{Team: "demo", Name: "any"}
	first = platform.RequestKey{Team: "demo", Name: "first"}
	gone  = platform.RequestKey{Team: "demo", Name: "gone"}
)

// gears is a platform with two versions of the offering gear. One request takes any of them, one the first alone.
func gears(t *testing.T, without ...string) (*platform.Platform, *platform.Offering) {
	t.Helper()
	const head = "apiVersion: transom.dev/v1alpha1\n"
	files := fstest.MapFS{}
	for name, content := range map[string]string{
		"clusters/east.yaml":     head + "kind: Cluster\nmetadata: {name: east}\nspec: {}\n",
		"clusters/west.yaml":     head + "kind: Cluster\nmetadata: {name: west}\nspec: {}\n",
		"environments/dev.yaml":  head + "kind: Environment\nmetadata: {name: dev}\nspec: {state: {url: ../dev.git}, clusters: {}}\n",
		"environments/prod.yaml": head + "kind: Environment\nmetadata: {name: prod}\nspec: {state: {url: ../prod.git}, clusters: {}, promotesFrom: [dev], namespace: {name: 'request.team + \"-prod\"'}}\n",

		"offerings/gear/offering.yaml":            head + "kind: Offering\nmetadata: {name: gear}\nspec: {}\n",
		"offerings/gear/1.0.0/version.yaml":       head + "kind: Version\nmetadata: {name: gear}\nspec: {}\n",
		"offerings/gear/1.0.0/kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n",
		"offerings/gear/1.1.0/version.yaml":       head + "kind: Version\nmetadata: {name: gear}\nspec: {}\n",
		"offerings/gear/1.1.0/kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n",

		"requests/demo/any.yaml":   head + "kind: Request\nmetadata: {name: any}\nspec: {offering: gear, version: \"1\", environments: {dev: {}, prod: {}}}\n",
		"requests/demo/first.yaml": head + "kind: Request\nmetadata: {name: first}\nspec: {offering: gear, version: 1.0.0, environments: {dev: {}}}\n",
	} {
		files[name] = &fstest.MapFile{Data: []byte(content)}
	}
	for _, name := range without {
		delete(files, name)
	}
	p, err := platform.Load(files)
	require.NoError(t, err)
	require.Empty(t, p.Problems)
	return p, p.Offerings["gear"]
}

// runs is a state in which requests run versions of gear.
func runs(environment string, releases map[platform.RequestKey]*state.Release) states.State {
	return states.State{Environment: environment, Looked: true, Base: &render.Base{Releases: releases}}
}

func TestWhatRunsTakesThePlaceOfWhatIsResolved(t *testing.T) {
	p, gear := gears(t)
	known := states.States{
		runs("dev", map[platform.RequestKey]*state.Release{
			anyOf:                           {Offering: "gear", Version: "1.1.0", Clusters: map[string]state.Placement{"east": {}, "west": {Version: "1.0.0"}}},
			first:                           {Offering: "gear", Version: "0.9.0"},
			gone:                            {Offering: "gear", Version: "1.0.0"},
			{Team: "demo", Name: "removed"}: {Offering: "gear", Version: "1.0.0", Absent: true},
			{Team: "demo", Name: "other"}:   {Offering: "lever", Version: "1.0.0"},
		}),
		{Environment: "prod", Why: "nobody looked"},
	}
	require.Equal(t, []catalog.Instance{
		{Request: anyOf, Environment: "dev", Version: "1.0.0", Constraint: "1", Wanted: "1.1.0"}, // west waits for its wave
		{Request: anyOf, Environment: "dev", Version: "1.1.0", Constraint: "1", Otherwise: "1.0.0"},
		{Request: anyOf, Environment: "prod", Version: "1.1.0", Constraint: "1", Otherwise: "1.0.0"},
		{Request: first, Environment: "dev", Version: "0.9.0", Constraint: "1.0.0", Wanted: "1.0.0"},
		{Request: gone, Environment: "dev", Version: "1.0.0"},
	}, usage.Running(p, gear, known))
}

func TestAVersionIsRemovableOnlyWhereSomebodyLookedEverywhere(t *testing.T) {
	p, gear := gears(t, "requests/demo/first.yaml")
	moved := map[platform.RequestKey]*state.Release{anyOf: {Offering: "gear", Version: "1.1.0"}}

	u := usage.Of(p, gear, states.States{runs("dev", moved), {Environment: "prod", Why: "--offline"}}, time.Time{})
	require.False(t, u.Looked)
	require.Equal(t, "1.0.0", u.Versions[1].Version)
	require.Empty(t, u.Versions[1].Instances)
	require.False(t, u.Versions[1].Removable)
	require.Contains(t, text(u), "nothing requests it; whether something runs it is not known")
	require.Contains(t, text(u), "not looked at: what prod really runs; --offline")

	u = usage.Of(p, gear, states.States{runs("dev", moved), runs("prod", moved)}, time.Time{})
	require.True(t, u.Looked)
	require.True(t, u.Versions[1].Removable)
	require.False(t, u.Versions[0].Removable)
	require.True(t, u.Versions[0].Withdrawable, "its request would take 1.0.0")
	require.Contains(t, text(u), "gear@1.0.0\n  nothing uses it: it can be removed\n")
}

func TestWhatBlocksRetirementSaysTheRemedy(t *testing.T) {
	p, gear := gears(t)
	u := usage.Of(p, gear, states.States{
		runs("dev", map[platform.RequestKey]*state.Release{
			anyOf: {Offering: "gear", Version: "1.0.0"},
			first: {Offering: "gear", Version: "1.0.0"},
			gone:  {Offering: "gear", Version: "0.9.0"},
		}),
		runs("prod", nil),
	}, time.Time{})
	blocked := map[string][]string{}
	for _, v := range u.Versions {
		blocked[v.Version] = v.Blocked
	}
	require.Equal(t, map[string][]string{
		"1.1.0": nil,
		"1.0.0": {
			"dev runs it for demo/any, which resolves to 1.1.0; wait until that has arrived",
			`requests/demo/first.yaml: version "1.0.0" matches no other published version; change it`,
		},
		"0.9.0": {"dev runs it for demo/gone, which is no longer requested; wait until the removal has arrived"},
	}, blocked)
	require.Equal(t, "removed", u.Versions[2].Lifecycle)
	require.False(t, u.Versions[1].Withdrawable)
	require.Contains(t, text(u), "  demo/any in dev  resolves to 1.1.0 now\n")
}

func text(u *usage.Usage) string {
	var out bytes.Buffer
	u.Text(&out, terminal.Paint{})
	return out.String()
}
