package render_test

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/render"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// claims is a platform with a claim, whose endpoint is observed, and a web service that is bound to it, both in prod.
func claims() fstest.MapFS {
	files := common()
	for name, text := range map[string]string{
		"offerings/claim/offering.yaml": "apiVersion: transom.dev/v1alpha1\nkind: Offering\nmetadata: {name: claim}\nspec: {title: T}\n",
		"offerings/claim/1.0.0/version.yaml": `apiVersion: transom.dev/v1alpha1
kind: Version
metadata: {name: claim}
spec:
  kinds: [{group: example.com, kind: Claim, scope: Namespaced}]
  outputs:
  - {name: port, type: integer, example: 5432, from: {group: example.com, kind: Claim, path: status.port}}
  - {name: endpoint, type: string, example: example.example.com, from: {group: example.com, kind: Claim, path: status.endpoint}}
`,
		"offerings/claim/1.0.0/kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: [a.yaml]\n",
		"offerings/claim/1.0.0/a.yaml":             "apiVersion: example.com/v1\nkind: Claim\nmetadata: {name: claim}\n",
		"offerings/web/offering.yaml":              "apiVersion: transom.dev/v1alpha1\nkind: Offering\nmetadata: {name: web}\nspec: {title: T}\n",
		"offerings/web/1.0.0/version.yaml": `apiVersion: transom.dev/v1alpha1
kind: Version
metadata: {name: web}
spec:
  bindings: {db: {offerings: [claim], required: true}}
  computed: {address: 'bindings.db.endpoint + ":" + string(bindings.db.port + 1)'}
`,
		"offerings/web/1.0.0/kustomization.yaml": `apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
resources: [a.yaml]
replacements:
- source: {kind: Inputs, fieldPath: computed.address}
  targets: [{select: {kind: ConfigMap}, fieldPaths: [data.address]}]
`,
		"offerings/web/1.0.0/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {address: address}\n",
		"requests/shop/db.yaml":      "apiVersion: transom.dev/v1alpha1\nkind: Request\nmetadata: {name: db}\nspec: {offering: claim, version: \"1\", environments: {prod: {}}}\n",
		"requests/shop/web.yaml":     "apiVersion: transom.dev/v1alpha1\nkind: Request\nmetadata: {name: web}\nspec: {offering: web, version: \"1\", bindings: {db: db}, environments: {prod: {}}}\n",
	} {
		put(files, name, []byte(text))
	}
	return files
}

var db, web = platform.RequestKey{Team: "shop", Name: "db"}, platform.RequestKey{Team: "shop", Name: "web"}

// told is a record with values that were observed on clusters.
func told(r *state.Release, endpoints map[string]string) *state.Release {
	r = r.Clone()
	for cluster, endpoint := range endpoints {
		r.Observe(cluster, "endpoint", state.Observed{Value: endpoint, At: time.Unix(0, 0).UTC()})
		r.Observe(cluster, "port", state.Observed{Value: int64(1), At: time.Unix(0, 0).UTC()})
	}
	return r
}

// everything admits all, as a daemon without gates would.
func everything(proposals []state.Proposal) (all []*state.Release) {
	for _, p := range proposals {
		all = append(all, p.Next)
	}
	return all
}

// TestAConsumerGetsTheValueOfItsOwnCluster also shows that nothing but the records decides it, and that a pass which continues the one
// before comes to what a fresh one comes to.
func TestAConsumerGetsTheValueOfItsOwnCluster(t *testing.T) {
	p := load(t, claims())
	require.Empty(t, p.Problems)
	var r render.Renderer
	base, files := &render.Base{}, fstest.MapFS{}
	pass := func(records map[platform.RequestKey]*state.Release) *render.State {
		next, err := r.Direct(p, "prod", base, render.Direction{Records: records, Admit: everything})
		require.NoError(t, err)
		files = commit(files, next.Changes)
		base.Advance(next, files)
		fresh, err := render.ReadBase(files)
		require.NoError(t, err)
		rest, err := new(render.Renderer).Direct(p, "prod", fresh, render.Direction{Admit: everything})
		require.NoError(t, err)
		require.Empty(t, rest.Changes, "a fresh pass has nothing to add")
		return next
	}
	waits := []string{"[prod shop/web] requests/shop/web.yaml:4:48: spec.bindings.db: waits for shop/db: it has told no endpoint on prod-eu yet"}

	require.Equal(t, waits, problemsOf(pass(nil).Problems))
	require.NotNil(t, base.Releases[db])
	require.Nil(t, base.Releases[web])

	pass(map[platform.RequestKey]*state.Release{db: told(base.Releases[db], map[string]string{"prod-us": "us.example.com"})})
	require.Nil(t, base.Releases[web], "a cluster has no value yet")

	pass(map[platform.RequestKey]*state.Release{db: told(base.Releases[db], map[string]string{"prod-eu": "eu.example.com"})})
	require.Contains(t, string(files["clusters/prod-eu/shop/web.yaml"].Data), "address: eu.example.com:2")
	require.Contains(t, string(files["clusters/prod-us/shop/web.yaml"].Data), "address: us.example.com:2")

	digest := base.Releases[web].Digest
	next := pass(map[platform.RequestKey]*state.Release{db: told(base.Releases[db], map[string]string{"prod-us": "new.example.com"})})
	require.NotContains(t, next.Changes, "clusters/prod-eu/shop/web.yaml")
	require.Contains(t, string(next.Changes["clusters/prod-us/shop/web.yaml"]), "address: new.example.com:2")
	require.Equal(t, digest, base.Releases[web].Digest, "a value is in no digest of a release")

	again, err := new(render.Renderer).Again(p, "prod", p.Instances("prod"), base.Releases, web, "prod-us")
	require.NoError(t, err)
	require.Equal(t, string(files["clusters/prod-us/shop/web.yaml"].Data), string(again.Manifest), "it can be proven by the records")
}

func TestAConsumerIsRenderedWithTheExampleWhereNobodyObserves(t *testing.T) {
	next := renderAll(t, load(t, claims()), "prod", nil)
	require.Empty(t, next.Problems)
	require.Contains(t, string(next.Changes["clusters/prod-eu/shop/web.yaml"]), "address: example.example.com:5433")
	require.NotContains(t, string(next.Changes["releases/shop/db.yaml"]), "example.example.com")
}

// hasten has the values of an output be urgent from now on.
func hasten(files fstest.MapFS, output string) {
	const at = "offerings/claim/1.0.0/version.yaml"
	put(files, at, bytes.Replace(files[at].Data, []byte("{name: "+output+","), []byte("{name: "+output+", urgent: true,"), 1))
}

// TestARecordTellsAValueFromAnyOtherChange of the bytes: the keys without values stay the same when nothing but these changes.
func TestARecordTellsAValueFromAnyOtherChange(t *testing.T) {
	files := claims()
	hasten(files, "endpoint")
	placed := func(endpoint string, port int64, change func(fstest.MapFS)) state.Placement {
		own := maps.Clone(files)
		change(own)
		p := load(t, own)
		require.Empty(t, p.Problems)
		base, err := render.ReadBase(commit(fstest.MapFS{}, renderAll(t, p, "prod", nil).Changes))
		require.NoError(t, err)
		record := base.Releases[db].Clone()
		for _, cluster := range []string{"prod-eu", "prod-us"} {
			record.Observe(cluster, "endpoint", state.Observed{Value: endpoint})
			record.Observe(cluster, "port", state.Observed{Value: port})
		}
		next, err := new(render.Renderer).Direct(p, "prod", base, render.Direction{Records: map[platform.RequestKey]*state.Release{db: record}, Admit: everything})
		require.NoError(t, err)
		require.Empty(t, next.Problems)
		return next.Releases[web].Clusters["prod-eu"]
	}
	nothing := func(fstest.MapFS) {}
	before := placed("a.example.com", 1, nothing)
	require.False(t, before.OnlyValues(before), "nothing changed")

	urgent := placed("b.example.com", 1, nothing)
	require.True(t, urgent.Hastens(before))
	require.True(t, urgent.OnlyValues(before))

	other := placed("b.example.com", 2, nothing)
	require.False(t, other.Hastens(before), "the port is not urgent")
	require.True(t, other.OnlyValues(before))

	mixed := placed("b.example.com", 1, func(files fstest.MapFS) {
		put(files, "clusters/prod-eu.yaml", bytes.Replace(files["clusters/prod-eu.yaml"].Data, []byte("labels: {"), []byte("labels: {more: more, "), 1))
	})
	require.NotEqual(t, urgent.RenderKey, mixed.RenderKey)
	require.False(t, mixed.Hastens(before), "the cluster has another label, too")
	require.False(t, mixed.OnlyValues(before))
}

// TestAnUrgentValueIsNotUrgentWhereObjectsComeOrGo, as by a component whose condition reads it. A ConfigMap that is generated has another
// name with each value, and is the same one.
func TestAnUrgentValueIsNotUrgentWhereObjectsComeOrGo(t *testing.T) {
	files := claims()
	hasten(files, "endpoint")
	const web1 = "offerings/web/1.0.0/"
	put(files, web1+"version.yaml", append(bytes.Clone(files[web1+"version.yaml"].Data), "  components: [{path: extra, when: 'bindings.db.endpoint.startsWith(\"b\")'}]\n"...))
	put(files, web1+"extra/kustomization.yaml", []byte("apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: [b.yaml]\n"))
	put(files, web1+"extra/b.yaml", []byte("apiVersion: v1\nkind: Service\nmetadata: {name: extra}\nspec: {ports: [{port: 80}]}\n"))
	put(files, web1+"kustomization.yaml", bytes.Replace(files[web1+"kustomization.yaml"].Data, []byte("resources: [a.yaml]"), []byte("configMapGenerator: [{name: web, literals: [address=none]}]"), 1))
	p := load(t, files)
	require.Empty(t, p.Problems)
	files = commit(fstest.MapFS{}, renderAll(t, p, "prod", nil).Changes)
	base, err := render.ReadBase(files)
	require.NoError(t, err)
	var r render.Renderer
	hastens := func(endpoint string) bool {
		t.Helper()
		before := base.Releases[web].Clusters["prod-eu"]
		told := told(base.Releases[db], map[string]string{"prod-eu": endpoint, "prod-us": endpoint})
		next, err := r.Direct(p, "prod", base, render.Direction{Records: map[platform.RequestKey]*state.Release{db: told}, Admit: everything})
		require.NoError(t, err)
		require.Empty(t, next.Problems)
		files = commit(files, next.Changes)
		base.Advance(next, files)
		return base.Releases[web].Clusters["prod-eu"].Hastens(before)
	}
	hastens("a.example.com")
	require.True(t, hastens("aa.example.com"), "the ConfigMap is the same one")
	require.False(t, hastens("b.example.com"), "a Service comes")
	require.Contains(t, string(files["clusters/prod-eu/shop/web.yaml"].Data), "kind: Service")
	require.False(t, hastens("b.example.com"), "nothing changes but the record")
	require.True(t, hastens("bb.example.com"), "the Service stays")
	require.False(t, hastens("a.example.com"), "the Service goes")
}

// TestRecordsWithoutValueKeysStayAtRest, as those that an earlier Transom wrote have none.
func TestRecordsWithoutValueKeysStayAtRest(t *testing.T) {
	p := load(t, claims())
	files := commit(fstest.MapFS{}, renderAll(t, p, "prod", nil).Changes)
	base, err := render.ReadBase(files)
	require.NoError(t, err)
	base.Releases[db] = told(base.Releases[db], map[string]string{"prod-eu": "eu.example.com", "prod-us": "us.example.com"})
	next, err := new(render.Renderer).Direct(p, "prod", base, render.Direction{Admit: everything})
	require.NoError(t, err)
	files = commit(files, next.Changes)
	const record = "releases/shop/web.yaml"
	lines := strings.Split(string(files[record].Data), "\n")
	without := slices.DeleteFunc(slices.Clone(lines), func(line string) bool { return strings.Contains(line, "valueKey:") })
	require.Len(t, without, len(lines)-2)
	put(files, record, []byte(strings.Join(without, "\n")))
	put(files, "releases/shop/db.yaml", base.Releases[db].Encode())

	before, err := render.ReadBase(files)
	require.NoError(t, err)
	rest, err := new(render.Renderer).Direct(p, "prod", before, render.Direction{Admit: everything})
	require.NoError(t, err)
	require.Empty(t, rest.Changes)
}
