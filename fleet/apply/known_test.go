package apply_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/stretchr/testify/require"

	"transom.dev/fleet/apply"
	"transom.dev/render/builtin"
	"transom.dev/render/expression"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// The kinds without a rule: kstatus assesses all three of their objects as they should be.
var byKstatus = []string{
	"Certificate.cert-manager.io",
	"ExternalSecret.external-secrets.io",
	"HelmRelease.helm.toolkit.fluxcd.io",
	"Kustomization.kustomize.toolkit.fluxcd.io",
	"ScaledObject.keda.sh",
	"Service.serving.knative.dev",
	"Terraform.infra.contrib.fluxcd.io",
}

// A file of testdata/health has objects of one kind. The first line of each is a comment with its health, and the reason of it.
func TestHealthOfWellKnownKinds(t *testing.T) {
	files, err := filepath.Glob("testdata/health/*.txtar")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".txtar")
		t.Run(name, func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			require.NoError(t, err)
			var mistaken []string
			for _, object := range archive.Files {
				said, manifest, _ := strings.Cut(strings.TrimPrefix(string(object.Data), "# "), "\n")
				want, reason, _ := strings.Cut(said, ": ")
				health, message, err := apply.HealthOfCustom([]byte(manifest), true)
				require.NoError(t, err, object.Name)
				require.Equal(t, state.Health(want), health, "%s: %s", object.Name, message)
				require.True(t, strings.HasPrefix(message, reason), "%s: %s", object.Name, message)
				if plain, _, err := apply.HealthOfCustom([]byte(manifest), false); err != nil || plain != health {
					mistaken = append(mistaken, object.Name)
				}
			}
			for _, must := range []string{"healthy", "progressing", "failed"} {
				require.True(t, slices.ContainsFunc(archive.Files, func(f txtar.File) bool { return f.Name == must }), must)
			}
			kind, group, _ := strings.Cut(name, ".")
			if slices.Contains(byKstatus, name) {
				require.Nil(t, builtin.HealthOf(group, kind))
				require.Empty(t, mistaken, "kstatus is wrong about these, so that the kind needs a rule")
				return
			}
			require.NotNil(t, builtin.HealthOf(group, kind))
			require.NotEmpty(t, mistaken, "kstatus is right about all of them, so that the kind needs no rule")
		})
	}
}

func TestAVersionsOwnHealthIsBeforeTheRuleOfTheKind(t *testing.T) {
	rollout := []byte(`{apiVersion: argoproj.io/v1alpha1, kind: Rollout, metadata: {name: web, generation: 1},
status: {observedGeneration: "1", phase: Degraded, abort: true}}`)
	health, _, err := apply.HealthOfCustom(rollout, true)
	require.NoError(t, err)
	require.Equal(t, state.Failed, health)

	health, message, err := apply.HealthOfCustom(rollout, true, platform.Health{Group: "argoproj.io", Kind: "Rollout", Healthy: `status.phase == "Healthy"`})
	require.NoError(t, err)
	require.Equal(t, state.Progressing, health)
	require.Equal(t, `waiting for status.phase == "Healthy"`, message)

	health, _, err = apply.HealthOfCustom(rollout, true, platform.Health{Group: "argoproj.io", Kind: "Rollout", Applied: true})
	require.NoError(t, err)
	require.Equal(t, state.Healthy, health)
}

func TestAKnownKindThatNobodyReportsOfIsHealthyOnceApplied(t *testing.T) {
	health, _, err := apply.HealthOfCustom([]byte(`{apiVersion: keda.sh/v1alpha1, kind: TriggerAuthentication, metadata: {name: web}}`), true)
	require.NoError(t, err)
	require.Equal(t, state.Healthy, health)
}

func TestAStatusThatIsNotTheDocumentedOneAsksForAnEntry(t *testing.T) {
	health, message, err := apply.HealthOfCustom([]byte(`{apiVersion: postgresql.cnpg.io/v1, kind: Cluster, metadata: {name: web}, status: {phase: 3}}`), true)
	require.NoError(t, err)
	require.Equal(t, state.Unknown, health)
	require.Contains(t, message, "add an entry under spec.health of the version")
}

func TestEveryHealthRuleCompilesAndNamesItsDocument(t *testing.T) {
	for _, r := range builtin.HealthRules() {
		require.NotEmpty(t, r.Groups)
		require.NotEmpty(t, r.Kinds)
		require.True(t, strings.HasPrefix(r.Document, "https://"), r.Kinds)
		require.NotEqual(t, r.Applied, r.Healthy != "", r.Kinds)
		for _, source := range []string{r.Failed, r.Suspended, r.Healthy} {
			if source != "" {
				_, err := expression.Compile(source, expression.ObjectScope(), expression.Bool)
				require.NoError(t, err, source)
			}
		}
		if r.Says != "" {
			_, err := expression.Compile(r.Says, expression.ObjectScope(), expression.String)
			require.NoError(t, err, r.Says)
		}
	}
}

// Rules that have no expression need none.
func TestEveryHealthRuleHasItsObjects(t *testing.T) {
	tried := map[*builtin.HealthRule]bool{}
	files, err := os.ReadDir("testdata/health")
	require.NoError(t, err)
	for _, file := range files {
		kind, group, _ := strings.Cut(strings.TrimSuffix(file.Name(), ".txtar"), ".")
		tried[builtin.HealthOf(group, kind)] = true
	}
	all := builtin.HealthRules()
	for i := range all {
		require.True(t, all[i].Applied || tried[&all[i]], all[i].Kinds)
	}
}
