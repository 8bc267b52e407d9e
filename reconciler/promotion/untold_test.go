package promotion_test

import (
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/promotion"
	"transom.dev/render/gate"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// unasked is a Lookup that knows nothing.
type unasked struct{ promotion.Lookup }

func (unasked) Broken(platform.RequestKey) bool { return false }
func (unasked) Older(_, _ string) bool          { return false }
func (unasked) Keys(*platform.Instance) (map[string]string, []platform.Problem) {
	return map[string]string{}, nil
}

func kindFile(kind, name, spec string) *fstest.MapFile {
	return &fstest.MapFile{Data: []byte("apiVersion: transom.dev/v1alpha1\nkind: " + kind + "\nmetadata: " + name + "\nspec: " + spec + "\n")}
}

func component() *fstest.MapFile {
	return &fstest.MapFile{Data: []byte("apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n")}
}

// TestAReleaseWaitsForTheValuesThatItReads keeps R36.
func TestAReleaseWaitsForTheValuesThatItReads(t *testing.T) {
	p, err := platform.Load(fstest.MapFS{
		"environments/prod.yaml":        kindFile("Environment", "{name: prod}", "{state: {url: https://git.example.com/prod.git}, clusters: {matchLabels: {environment: prod}}}"),
		"clusters/one.yaml":             kindFile("Cluster", "{name: one, labels: {environment: prod}}", "{}"),
		"clusters/two.yaml":             kindFile("Cluster", "{name: two, labels: {environment: prod}}", "{}"),
		"offerings/claim/offering.yaml": kindFile("Offering", "{name: claim}", "{title: T}"),
		"offerings/claim/1.0.0/version.yaml": kindFile("Version", "{name: claim}", `
  outputs:
  - {name: endpoint, type: string, example: a, from: {group: example.com, kind: Claim, path: status.endpoint}}
  - {name: unread, type: string, example: a, from: {group: example.com, kind: Claim, path: status.unread}}`),
		"offerings/claim/1.0.0/kustomization.yaml": component(),
		"offerings/web/offering.yaml":              kindFile("Offering", "{name: web}", "{title: T}"),
		"offerings/web/1.0.0/version.yaml":         kindFile("Version", "{name: web}", "{bindings: {db: {offerings: [claim]}}, computed: {host: bindings.db.endpoint}}"),
		"offerings/web/1.0.0/kustomization.yaml":   component(),
		"requests/shop/db.yaml":                    kindFile("Request", "{name: db}", "{offering: claim, version: \"1\", environments: {prod: {}}}"),
		"requests/shop/web.yaml":                   kindFile("Request", "{name: web}", "{offering: web, version: \"1\", bindings: {db: db}, environments: {prod: {}}}"),
	})
	require.NoError(t, err)
	require.Empty(t, p.Problems)
	i := p.Instances("prod")[0]
	provider := &state.Release{
		Key: key("db"), Digest: i.Release, Offering: "claim", Version: "1.0.0", Observes: i.Version.Observed,
		Clusters: map[string]state.Placement{"one": {Revision: "r", RenderKey: "k"}, "two": {Revision: "r", RenderKey: "k"}},
	}
	gates := func() []promotion.Gate {
		v := &promotion.View{
			Platform: p, Environment: p.Environments["prod"], Head: p.InstanceSet("prod"), Lookup: unasked{},
			Releases: state.RecordsOf(map[platform.RequestKey]*state.Release{key("db"): provider}), Now: promotion.Clock{Wall: began},
			Observe: func(string, platform.RequestKey, string) promotion.Observation {
				return promotion.Observation{Revision: "r", Health: state.Healthy}
			},
		}
		if waits := v.Choose().Admit(nil).Standings[key("web")]; waits != nil {
			return waits.Gates
		}
		return nil
	}
	waits := func(cluster string) []promotion.Gate {
		return []promotion.Gate{{
			Name: gate.Binding, Reason: "shop/db has told no endpoint on " + cluster + " yet",
			Opens: "a value that has stood for a while on a healthy cluster",
		}}
	}
	require.Equal(t, waits("one"), gates())
	provider = provider.Clone()
	provider.Observe("one", "endpoint", state.Observed{Value: "a", At: began.Add(-time.Hour)})
	require.Equal(t, waits("two"), gates())
	provider = provider.Clone()
	provider.Observe("two", "endpoint", state.Observed{Value: "b", At: began.Add(-time.Hour)})
	require.Empty(t, gates())
}
