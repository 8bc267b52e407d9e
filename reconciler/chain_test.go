package reconciler_test

import (
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler"
	"transom.dev/reconciler/promotion"
	"transom.dev/render"
	"transom.dev/render/gate"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// A chain is an environment in which requests are bound to one another, that passes are made over one after the other. Its clusters are
// healthy at once.
type chain struct {
	t        *testing.T
	files    fstest.MapFS
	endpoint string // of the request db, where that is observed
	base     *render.Base
	renderer render.Renderer
	memory   promotion.Memory
	now      time.Time
	last     *promotion.Admission
}

var (
	databaseKey = platform.RequestKey{Team: "payments", Name: "db"}
	poolerKey   = platform.RequestKey{Team: "payments", Name: "pooler"}
	appKey      = platform.RequestKey{Team: "payments", Name: "app"}
)

const aConfigMap = "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}\n"

func newChain(t *testing.T) *chain {
	c := &chain{t: t, files: fstest.MapFS{}, base: &render.Base{Files: fstest.MapFS{}}, now: time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)}
	c.put("environments/dev.yaml", document("Environment", "dev")+`spec:
  state: {url: ../state-dev.git, branch: main}
  clusters: {matchLabels: {environment: dev}}
`)
	return c
}

// newClaimChain is a database whose endpoint is observed, a pooler that is bound to it and an app that is bound to the pooler.
func newClaimChain(t *testing.T) *chain {
	c := newChain(t)
	c.endpoint = "first"
	c.put("clusters/dev.yaml", document("Cluster", "dev, labels: {environment: dev}")+"spec: {state: active}\n")
	c.offer("db", `
  kinds: [{group: example.com, kind: Claim, scope: Namespaced}]
  outputs: [{name: endpoint, type: string, example: e, from: {group: example.com, kind: Claim, path: status.endpoint}}]
`, "{apiVersion: example.com/v1, kind: Claim, metadata: {name: db}}\n")
	c.offer("pooler", `
  bindings: {to: {offerings: [db], required: true}}
  outputs: [{name: endpoint, value: '"pooler-of-" + bindings.to.endpoint'}]
`, aConfigMap)
	c.offer("app", "{bindings: {to: {offerings: [pooler], required: true}}}\n", aConfigMap)
	c.request("db", "environments: {dev: {}}")
	c.request("pooler", "bindings: {to: db}, environments: {dev: {}}")
	c.request("app", "bindings: {to: pooler}, environments: {dev: {}}")
	return c
}

func (c *chain) put(name, text string) { c.files[name] = &fstest.MapFile{Data: []byte(text)} }

// request writes a request for the offering of its name.
func (c *chain) request(name, spec string) {
	c.put("requests/payments/"+name+".yaml", document("Request", name)+"spec: {offering: "+name+", version: \"1\", "+spec+"}\n")
}

// shut has the windows of the environment be shut for months, once all is at rest.
func (c *chain) shut() {
	c.t.Helper()
	c.rest()
	require.NotNil(c.t, c.base.Releases[appKey])
	c.put("environments/dev.yaml", string(c.files["environments/dev.yaml"].Data)+"  windows: [{cron: '0 0 1 9 *', duration: 1h, timeZone: UTC}]\n")
	c.rest()
}

// offer publishes an offering with one version that has one object.
func (c *chain) offer(name, spec, object string) {
	dir := "offerings/" + name + "/1.0.0/"
	c.put("offerings/"+name+"/offering.yaml", document("Offering", name)+"spec: {title: T, description: D., owner: platform}\n")
	c.put(dir+"version.yaml", document("Version", name)+"spec: "+spec)
	c.put(dir+"kustomization.yaml", "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: [a.yaml]\n")
	c.put(dir+"a.yaml", object)
}

// pass is one over the environment, a second after the one before.
func (c *chain) pass() {
	c.t.Helper()
	p, err := platform.Load(c.files)
	require.NoError(c.t, err)
	require.Empty(c.t, p.Problems)
	p.Commit = "0123456789012345678901234567890123456789"
	c.now = c.now.Add(time.Second)
	view := reconciler.ViewOf(c.t.Context(), p, "dev", c.base, reconciler.Sources{
		Renderer: &c.renderer, Now: promotion.Clock{Wall: c.now},
		Observe: func(_ string, k platform.RequestKey, cluster string) promotion.Observation {
			said := promotion.Observation{Revision: c.base.Releases[k].Clusters[cluster].Observed(), Health: state.Healthy, Soaked: time.Hour, At: c.now}
			if k == databaseKey && c.endpoint != "" {
				said.Told = map[string]promotion.Told{"endpoint": {Value: c.endpoint, Stood: time.Hour}}
			}
			return said
		},
	})
	view.Memory, view.Told = &c.memory, map[platform.RequestKey]bool{databaseKey: true}
	choice := view.Choose()
	direction, answers, err := reconciler.Direction(c.t.Context(), choice, nil)
	require.NoError(c.t, err)
	c.last = choice.Admit(nil)
	direction.Admit = func(proposals []state.Proposal) []*state.Release {
		c.last = answers.Admit(proposals)
		return c.last.Records
	}
	rendered, err := c.renderer.Direct(p, "dev", c.base, direction)
	require.NoError(c.t, err)
	c.base, err = c.base.After(rendered)
	require.NoError(c.t, err)
}

// rest makes passes until one changes nothing and the next is not asked for before time has passed, and returns how many those were.
func (c *chain) rest() (passes int) {
	c.t.Helper()
	for passes = 1; passes <= 10; passes++ {
		before := c.base
		if c.pass(); c.base == before && (c.last.Next.IsZero() || c.last.Next.After(c.now)) {
			return passes
		}
	}
	require.FailNow(c.t, "passes come to no rest", "the app: %+v", c.last.Standings[appKey])
	return passes
}

// waits requires that a request has a change that waits for a window.
func (c *chain) waits(k platform.RequestKey) {
	c.t.Helper()
	c.rest()
	require.NotNil(c.t, c.last.Standings[k])
	require.Equal(c.t, gate.Window, c.last.Standings[k].Gates[0].Name)
}

// takes has the app be another release of the same bytes, and requires that it is taken, and that passes rest.
func (c *chain) takes(spec string) {
	c.t.Helper()
	before := c.base.Releases[appKey]
	c.request("app", spec)
	require.LessOrEqual(c.t, c.rest(), 2, "one that takes it, and one that finds nothing to do")
	after := c.base.Releases[appKey]
	require.NotEqual(c.t, before.Digest, after.Digest)
	require.Equal(c.t, before.Clusters, after.Clusters)
}

// TestAReleaseOfTheSameBytesIsTakenWhileItsProviderWaits for a window, with the outputs that the provider has until then. It keeps R6 and
// R101.
func TestAReleaseOfTheSameBytesIsTakenWhileItsProviderWaits(t *testing.T) {
	c := newClaimChain(t)
	c.shut()
	c.now, c.endpoint = c.now.Add(time.Hour), "second"
	c.waits(poolerKey)
	require.Equal(t, "second", c.base.Releases[databaseKey].Observed["dev"]["endpoint"].Value)
	c.takes("bindings: {to: pooler}, environments: {dev: {version: \"1\"}}")
	require.Equal(t, "pooler-of-first", c.base.Releases[poolerKey].Outputs["endpoint"])

	before := c.base.Releases[appKey].Clusters["dev"].RenderKey
	c.now = time.Date(2026, 9, 1, 0, 0, 1, 0, time.UTC)
	c.rest()
	require.Equal(t, "pooler-of-second", c.base.Releases[poolerKey].Outputs["endpoint"])
	require.NotEqual(t, before, c.base.Releases[appKey].Clusters["dev"].RenderKey, "and the value reaches it in the window")
}

// TestAReleaseOfTheSameBytesIsTakenWhileTheClusterOfItsProviderChanges its label, which changes an output. It keeps R6 and R101.
func TestAReleaseOfTheSameBytesIsTakenWhileTheClusterOfItsProviderChanges(t *testing.T) {
	c := newChain(t)
	cluster := func(name, zone string) {
		c.put("clusters/"+name+".yaml", document("Cluster", name+", labels: {environment: dev, has: "+name+", zone: "+zone+"}")+"spec: {state: active}\n")
	}
	cluster("data", "east")
	cluster("apps", "east")
	c.offer("db", "{placement: {clusters: {matchLabels: {has: data}}}, outputs: [{name: zone, value: cluster.labels.zone}]}\n", aConfigMap)
	c.offer("app", "{placement: {clusters: {matchLabels: {has: apps}}}, bindings: {to: {offerings: [db], required: true}}}\n", aConfigMap)
	c.request("db", "environments: {dev: {}}")
	c.request("app", "bindings: {to: db}, environments: {dev: {}}")
	c.shut()
	cluster("data", "west")
	c.waits(databaseKey)
	c.takes("bindings: {to: db}, environments: {dev: {version: \"1\"}}")
	require.Equal(t, "east", c.base.Releases[databaseKey].Outputs["zone"])
}

// TestAReleaseOfTheSameBytesAsksTheGatesOnceItsProviderMoved with other outputs in the very pass that would take the release. It keeps R6
// and R34.
func TestAReleaseOfTheSameBytesAsksTheGatesOnceItsProviderMoved(t *testing.T) {
	c := newClaimChain(t)
	c.rest()
	c.request("app", "bindings: {to: pooler}, environments: {dev: {version: \"1\"}}")
	before := c.base.Releases[appKey].Digest
	c.now, c.endpoint = c.now.Add(time.Hour), "second"
	c.pass()
	require.Equal(t, "pooler-of-second", c.base.Releases[poolerKey].Outputs["endpoint"])
	require.Equal(t, before, c.base.Releases[appKey].Digest)
	require.Equal(t, c.now, c.last.Next)
	c.rest()
	require.NotEqual(t, before, c.base.Releases[appKey].Digest)
}
