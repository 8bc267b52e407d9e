package catalog_test

import (
	"bytes"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/cmd/transom/internal/catalog"
	"transom.dev/cmd/transom/internal/states"
	"transom.dev/cmd/transom/internal/terminal"
	"transom.dev/render/platform"
)

// today is after the last day of a version, and before that of another.
var today = time.Date(2027, 6, 2, 8, 0, 0, 0, time.UTC)

// gears is a platform with two versions of the offering gear. One request takes any of them, one the first alone.
func gears(t *testing.T, changes map[string]string) *platform.Platform {
	t.Helper()
	const head = "apiVersion: transom.dev/v1alpha1\n"
	component := "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"
	files := fstest.MapFS{}
	add := func(name, content string) { files[name] = &fstest.MapFile{Data: []byte(content)} }
	for name, content := range map[string]string{
		"clusters/one.yaml":      head + "kind: Cluster\nmetadata: {name: one}\nspec: {}\n",
		"environments/dev.yaml":  head + "kind: Environment\nmetadata: {name: dev}\nspec: {state: {url: ../dev.git}, clusters: {}}\n",
		"environments/prod.yaml": head + "kind: Environment\nmetadata: {name: prod}\nspec: {state: {url: ../prod.git}, clusters: {}, promotesFrom: [dev], namespace: {name: 'request.team + \"-prod\"'}}\n",

		"offerings/gear/offering.yaml":            head + "kind: Offering\nmetadata: {name: gear}\nspec: {title: A gear, owner: mechanics, teams: [demo]}\n",
		"offerings/gear/1.0.0/version.yaml":       head + "kind: Version\nmetadata: {name: gear}\nspec: {}\n",
		"offerings/gear/1.0.0/kustomization.yaml": component,
		"offerings/gear/1.1.0/version.yaml": head + "kind: Version\nmetadata: {name: gear}\nspec:\n" +
			"  parameters: {type: object, properties: {teeth: {type: integer, minimum: 3, default: 5, description: How many.}}}\n" +
			"  outputs: [{name: host, value: request.name}]\n",
		"offerings/gear/1.1.0/kustomization.yaml": component,

		"requests/demo/any.yaml":   head + "kind: Request\nmetadata: {name: any}\nspec: {offering: gear, version: \"1\", environments: {dev: {}, prod: {}}}\n",
		"requests/demo/first.yaml": head + "kind: Request\nmetadata: {name: first}\nspec: {offering: gear, version: 1.0.0, environments: {prod: {}}}\n",
	} {
		add(name, content)
	}
	for name, content := range changes {
		add(name, content)
	}
	p, err := platform.Load(files)
	require.NoError(t, err)
	return p
}

func TestAnInstanceSaysWhichVersionItWouldTakeInstead(t *testing.T) {
	p := gears(t, nil)
	require.Empty(t, p.Problems)
	anyOf, first := platform.RequestKey{Team: "demo", Name: "any"}, platform.RequestKey{Team: "demo", Name: "first"}
	require.Equal(t, []catalog.Instance{
		{Request: anyOf, Environment: "dev", Version: "1.1.0", Constraint: "1", Otherwise: "1.0.0"},
		{Request: anyOf, Environment: "prod", Version: "1.1.0", Constraint: "1", Otherwise: "1.0.0"},
		{Request: first, Environment: "prod", Version: "1.0.0", Constraint: "1.0.0"},
	}, catalog.Resolved(p, p.Offerings["gear"]))
}

func TestACatalogueTellsWhatCanBeRequestedAndWhatNot(t *testing.T) {
	p := gears(t, map[string]string{
		"offerings/gear/offering.yaml": "apiVersion: transom.dev/v1alpha1\nkind: Offering\nmetadata: {name: gear}\n" +
			"spec: {versions: {1.0.0: {lifecycle: deprecated, reason: use 1.1, removeAfter: 2027-06-01}}}\n",
		"offerings/gear/1.2.0/version.yaml": "apiVersion: transom.dev/v1alpha1\nkind: Version\nmetadata: {name: gear}\nspec: {scoop: cluster}\n",
	})
	all := catalog.Offerings(p, today)
	require.Equal(t, []catalog.Offering{{Name: "gear", Teams: []string{}, Versions: []catalog.Published{
		{Version: "1.2.0", Lifecycle: "active", Problem: true},
		{Version: "1.1.0", Lifecycle: "active"},
		{Version: "1.0.0", Lifecycle: "deprecated", Reason: "use 1.1", RemoveAfter: "2027-06-01", Overdue: true},
	}}}, all)
	require.False(t, catalog.Offerings(p, today.AddDate(0, 0, -1))[0].Versions[2].Overdue, "on its last day")
	var out bytes.Buffer
	catalog.Table(&out, all)
	require.Regexp(t, `(?m)^gear +1\.2\.0 \(has a Problem\), 1\.1\.0, 1\.0\.0 \(deprecated\) +every team +-$`, out.String())
}

func describe(t *testing.T, p *platform.Platform, o *platform.Offering, v *platform.Version, users []catalog.Instance, known states.States, now time.Time) *catalog.Page {
	t.Helper()
	page, err := catalog.Describe(p, o, v, users, known, now)
	require.NoError(t, err)
	return page
}

func TestAPageShowsTheContractOfOneVersion(t *testing.T) {
	p := gears(t, nil)
	o := p.Offerings["gear"]
	looked := states.States{{Environment: "dev", Looked: true}, {Environment: "prod", Looked: true}}
	page := describe(t, p, o, o.Version("1.1.0"), catalog.Resolved(p, o), looked, today)
	require.True(t, page.Looked)
	var out bytes.Buffer
	page.Text(&out, terminal.Paint{})
	require.Equal(t, `gear  A gear

owner mechanics; for demo; when removed: delete

Versions
  1.1.0
  1.0.0

Parameters of 1.1.0
  teeth  integer  default 5  How many; at least 3

Outputs
  host  request.name

Changes of 1.1.0 against gear@1.0.0
  + parameter teeth: integer, default 5, at least 3
  + output host: request.name

Example
  # requests/TEAM/my-gear.yaml
  apiVersion: transom.dev/v1alpha1
  kind: Request
  metadata: {name: my-gear}
  spec:
    offering: gear
    version: "1"
    environments:
      dev: {}
      prod: {}

Used by
  demo/any    dev 1.1.0, prod 1.1.0
  demo/first  prod 1.0.0
`, out.String())

	page = describe(t, p, o, o.Version("1.0.0"), nil, looked, today)
	require.Nil(t, page.Changes, "it is the first")
	require.Empty(t, page.Parameters)
	require.NotNil(t, page.Users, "JSON has a list")
	out.Reset()
	page.Text(&out, terminal.Paint{})
	require.Contains(t, out.String(), "Parameters of 1.0.0\n  none\n")
	require.Contains(t, out.String(), "Used by\n  nobody yet\n")
}

func TestAPageSaysWhatRunsAndWhereNobodyLooked(t *testing.T) {
	p := gears(t, nil)
	o := p.Offerings["gear"]
	page := describe(t, p, o, o.Version("1.1.0"), []catalog.Instance{
		{Request: platform.RequestKey{Team: "demo", Name: "any"}, Environment: "dev", Version: "1.0.0", Wanted: "1.1.0"},
		{Request: platform.RequestKey{Team: "demo", Name: "any"}, Environment: "prod", Version: "1.1.0"},
	}, states.States{{Environment: "dev", Looked: true}, {Environment: "prod", Why: "--offline"}}, today)
	require.False(t, page.Looked)
	var out bytes.Buffer
	page.Text(&out, terminal.Paint{})
	require.Contains(t, out.String(), "Used by\n  demo/any  dev 1.0.0 (resolves to 1.1.0 now), prod 1.1.0\n\nnot looked at: what prod really runs; --offline\n")
}
