package platform_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"transom.dev/render/platform"
)

func linked(t *testing.T, links string) *platform.Platform {
	t.Helper()
	p, err := new(platform.Loader).Load(fstest.MapFS{
		"offerings/db/offering.yaml":            {Data: []byte("apiVersion: transom.dev/v1alpha1\nkind: Offering\nmetadata: {name: db}\nspec:\n  title: Database\n  links:\n" + links)},
		"offerings/db/1.0.0/version.yaml":       {Data: []byte("apiVersion: transom.dev/v1alpha1\nkind: Version\nmetadata: {name: db}\nspec: {parameters: {type: object, properties: {size: {type: string, default: small}}}}\n")},
		"offerings/db/1.0.0/kustomization.yaml": {Data: []byte("apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n")},
	})
	require.NoError(t, err)
	return p
}

// TestLinksLeadToTheHostThatIsWrittenOut: no value of a request or a cluster leads people to another host, or runs as a script.
func TestLinksLeadToTheHostThatIsWrittenOut(t *testing.T) {
	p := linked(t, `  - {name: Dashboard, url: 'https://grafana.example.com/d/db?var-team=${request.team}&size=${parameters.size}'}
  - {name: Runbook, url: 'https://runbooks.example.com/${outputs.page}#top'}
  - {name: Elsewhere, url: 'http://status.example.com/${environment.name}/${version}'}
`)
	require.False(t, p.Offerings["db"].Broken, p.Problems)
	k, e := platform.RequestKey{Team: "store&team=other", Name: "shop"}, &platform.Environment{Name: "prod"}
	spec := &platform.RequestSpec{Offering: "db", Version: "1", Environments: map[string]platform.RequestEnvironment{"prod": {}}}
	require.Equal(t, []platform.Link{
		{Name: "Dashboard", URL: "https://grafana.example.com/d/db?var-team=store%26team%3Dother&size=small"},
		{Name: "Elsewhere", URL: "http://status.example.com/prod/1.0.0"},
	}, p.Offerings["db"].LinksOf(k, e, "1.0.0", spec, nil), "a link without its value is left out")
	all := p.Offerings["db"].LinksOf(k, e, "1.0.0", spec, map[string]any{"page": "//evil.example/<script>"})
	require.Equal(t, "https://runbooks.example.com/%2F%2Fevil.example%2F%3Cscript%3E#top", all[1].URL)
	require.Len(t, p.Offerings["db"].LinksOf(k, e, "1.0.0", spec, map[string]any{"page": strings.Repeat("x", 5000)}), 2, "nor is one that is too long shown")

	for links, want := range map[string]string{
		`  - {name: a, url: 'javascript:alert(1)'}`:                                          "must begin with https:// or http://",
		`  - {name: a, url: '${request.name}'}`:                                              "must begin with https:// or http://",
		`  - {name: a, url: 'https://${request.name}.example.com/'}`:                         "has an expression in its host",
		`  - {name: a, url: 'https://u:p@example.com/'}`:                                     "carries credentials",
		`  - {name: a, url: 'https://'}`:                                                     "must be the address of a page",
		`  - {name: a, url: 'https://example.com/${request.nmae}'}`:                          "nmae",
		`  - {name: '', url: 'https://example.com/'}`:                                        "must be the text that people see",
		"  - {name: a, url: 'https://a.example/'}\n  - {name: a, url: 'https://a.example/'}": "is the name of a link before it",
		strings.Repeat("  - {name: a, url: 'https://a.example/'}\n", 13):                     "has 13 links and may have 12",
	} {
		p := linked(t, links+"\n")
		require.True(t, p.Offerings["db"].Broken, links)
		require.Contains(t, p.Problems[0].String(), want)
	}
}

// TestLinksHaveAnAllowance: nothing waits for links, and there may be very many requests.
func TestLinksHaveAnAllowance(t *testing.T) {
	p := linked(t, `  - {name: Dashboard, url: 'https://grafana.example.com/${request.name}'}
  - {name: Costly, url: 'https://grafana.example.com/${[0,1,2,3,4,5,6,7,8,9].all(i, [0,1,2,3,4,5,6,7,8,9].all(j, [0,1,2,3,4,5,6,7,8,9].all(k, request.name != "")))}'}
  - {name: After, url: 'https://grafana.example.com/${request.team}'}
`)
	e := &platform.Environment{Name: "prod"}
	r := &platform.Request{Key: platform.RequestKey{Team: "store", Name: "shop"}, Spec: platform.RequestSpec{Offering: "db", Version: "1", Environments: map[string]platform.RequestEnvironment{"prod": {}}}}
	require.Equal(t, []platform.Link{{Name: "Dashboard", URL: "https://grafana.example.com/shop"}}, p.Offerings["db"].LinksOf(r.Key, e, "1.0.0", &r.Spec, nil))
	i := &platform.Instance{Request: r, Environment: e, Offering: p.Offerings["db"], Version: p.Offerings["db"].Versions[0]}
	require.Equal(t, "offerings/db/offering.yaml: spec.links: warning: link Costly costs more than 2000 steps of CEL together with the ones before it, "+
		"as much as the links of one request may cost; it and those after it are omitted; let it read less", i.CostlyLink(nil).String())
}
