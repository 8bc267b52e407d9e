package console_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/status"
	"transom.dev/reconciler/web/console"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// known is a board with one request on one cluster, of which a test says more.
func known(t *testing.T, p *platform.Platform, e status.Environment, in status.Instance, at status.Placement) *status.Board {
	t.Helper()
	b := status.NewBoard(time.Now)
	b.Branch = "main"
	b.Loaded("https://github.com/acme/platform.git", p)
	e.Name, e.Clusters = "dev", []status.Cluster{{Name: "one", State: "active"}}
	in.Environment, in.Request, in.Offering, in.Version, in.Release, in.File = "dev", shop, "web", "1.2.0", "sha256:a", "requests/store/shop.yaml"
	in.Placements = []status.Placement{{Cluster: "one", Revision: "r", Stage: status.Committed, Health: state.Unknown, Outputs: at.Outputs}}
	b.Reconciled(e, []status.Instance{in})
	b.ClusterSeen(status.Cluster{Name: "one", Reachable: true})
	at.Cluster, at.Revision, at.Stage, at.Health = "one", "r", status.Healthy, state.Healthy
	b.Placed("dev", shop, at)
	return b
}

// TestARequestNamesThoseThatAreBoundToIt in the environment that is looked at, and no others.
func TestARequestNamesThoseThatAreBoundToIt(t *testing.T) {
	const head = "apiVersion: transom.dev/v1alpha1\n"
	files := fstest.MapFS{
		"offerings/app/offering.yaml":            {Data: []byte(head + "kind: Offering\nmetadata: {name: app}\nspec: {}\n")},
		"offerings/app/1.0.0/version.yaml":       {Data: []byte(head + "kind: Version\nmetadata: {name: app}\nspec: {bindings: {db: {offerings: [web]}}}\n")},
		"offerings/app/1.0.0/kustomization.yaml": {Data: []byte("apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: [config.yaml]\n")},
		"offerings/app/1.0.0/config.yaml":        {Data: []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: app}\n")},
		"requests/store/shop.yaml":               {Data: []byte(head + "kind: Request\nmetadata: {name: shop}\nspec: {offering: web, version: \"1\", parameters: {image: \"a:1\"}, environments: {dev: {}}}\n")},
		"requests/store/till.yaml":               {Data: []byte(head + "kind: Request\nmetadata: {name: till}\nspec: {offering: app, version: \"1\", bindings: {db: shop}, environments: {dev: {}}}\n")},
		"requests/store/free.yaml":               {Data: []byte(head + "kind: Request\nmetadata: {name: free}\nspec: {offering: app, version: \"1\", environments: {dev: {}}}\n")},
	}
	get := serve(console.Options{Board: known(t, offering(t, files), status.Environment{}, status.Instance{}, status.Placement{})})
	_, body := get(t, "/requests/store/shop")
	require.Contains(t, body, `<section id="bound"><h2>Bound to it</h2><ul><li><a href="/requests/store/till?environment=dev">store/till</a></li></ul></section>`)
	get = serve(console.Options{Board: known(t, offering(t), status.Environment{}, status.Instance{}, status.Placement{})})
	_, body = get(t, "/requests/store/shop")
	require.NotContains(t, body, "Bound to it")
}

// TestARequestTellsItsOutputs: those that are computed, those that its clusters tell, as they are recorded, and a value that is not recorded as it is
// now.
func TestARequestTellsItsOutputs(t *testing.T) {
	in := status.Instance{Outputs: map[string]any{"host": "shop.store.svc", "ports": []any{80, 443}}}
	at := status.Placement{
		Outputs: map[string]any{"endpoint": "https://a.example.com"},
		Told:    []status.Told{{Output: "endpoint", Value: "https://b.example.com"}},
	}
	_, body := serve(console.Options{Board: known(t, offering(t), status.Environment{}, in, at)})(t, "/requests/store/shop")
	text := section(t, body, "outputs")
	require.Contains(t, text, "host: shop.store.svc\nports: [80,443]\nendpoint on one: https://a.example.com\nnot recorded on one: ")
	require.Contains(t, text, "https://b.example.com")
}

// TestDriftIsOnThePagesOfRequestAndCluster, with the object and the fields.
func TestDriftIsOnThePagesOfRequestAndCluster(t *testing.T) {
	at := status.Placement{Drift: []status.ObjectProblem{{Object: "ConfigMap store/shop", Message: "data.colour: <red>"}}}
	get := serve(console.Options{Board: known(t, offering(t), status.Environment{}, status.Instance{}, at)})
	_, body := get(t, "/requests/store/shop")
	require.Contains(t, body, `<code>ConfigMap store/shop</code><span>drift: data.colour: &lt;red&gt;</span>`)
	_, body = get(t, "/clusters/one")
	require.Contains(t, body, `<a href="/requests/store/shop?environment=dev">store/shop</a> <code>ConfigMap store/shop</code><span>data.colour: &lt;red&gt;</span>`)
}

// TestDecisionsAreOnThePagesThatTheyAreAbout: of the environment with their files, of the request in words, and on Home as debts.
func TestDecisionsAreOnThePagesThatTheyAreAbout(t *testing.T) {
	e := status.Environment{Decisions: []status.Decision{
		{Kind: "Pin", About: "store/shop", Team: "store", File: "decisions/dev/pin.yaml", Reason: "the sale", Until: time.Now().Add(time.Hour)},
	}}
	in := status.Instance{Debts: []string{"pinned to 1.2.0 by decisions/dev/pin.yaml"}}
	get := serve(console.Options{Board: known(t, offering(t), e, in, status.Placement{}), Person: func(*http.Request) console.Person {
		return console.Person{Teams: []string{"store"}, In: func(team string) bool { return team == "store" }}
	}})
	const file = `<a href="https://github.com/acme/platform/blob/main/decisions/dev/pin.yaml" rel="noreferrer"><code>decisions/dev/pin.yaml</code></a>`
	_, body := get(t, "/environments/dev")
	require.Regexp(t, `<li><strong>Pin</strong> of store/shop: the sale · ends <time [^>]*>[^<]*</time><div class="quiet">`+file+`</div></li>`, body)
	_, body = get(t, "/requests/store/shop")
	require.Contains(t, body, `<h2>Decisions that bind it</h2><ul class="gates"><li>pinned to 1.2.0 by decisions/dev/pin.yaml</li></ul>`)
	_, body = get(t, "/")
	require.Contains(t, body, "Decisions to take back one day")
	require.Contains(t, body, "the sale")
}

// TestARequestTellsItsWayFromMergeToHealthy: each step with its time, and those that are still ahead without one.
func TestARequestTellsItsWayFromMergeToHealthy(t *testing.T) {
	merged := time.Date(2026, 11, 30, 9, 0, 0, 0, time.UTC)
	b := known(t, offering(t), status.Environment{StateCommit: "s1"}, status.Instance{MergedAt: merged}, status.Placement{})
	b.Updated(status.Environment{Name: "dev", StateCommit: "s2", Clusters: []status.Cluster{{Name: "one", State: "active"}}}, []status.Instance{{
		Environment: "dev", Request: shop, Offering: "web", Version: "1.2.0", Release: "sha256:b", MergedAt: merged,
		Placements: []status.Placement{{Cluster: "one", Revision: "r2", Stage: status.Committed, Health: state.Unknown}},
	}})
	get := serve(console.Options{Board: b})
	_, body := get(t, "/requests/store/shop")
	require.Contains(t, body, `<li class="reached"><span>Merged</span><time class="ago" datetime="2026-11-30T09:00:00Z"`)
	require.Contains(t, body, `<li class="reached"><span>Committed</span><time class="ago" datetime="20`)
	require.Contains(t, body, `<li class="ahead"><span>Healthy</span></li>`)
	b.Placed("dev", shop, status.Placement{Cluster: "one", Revision: "r2", Stage: status.Healthy, Health: state.Healthy})
	_, body = get(t, "/requests/store/shop")
	for _, name := range []string{"Merged", "Committed", "Applied", "Healthy"} {
		require.Contains(t, body, `<li class="reached"><span>`+name+`</span><time class="ago" datetime="20`)
	}
}

// TestAClusterTellsHowItIsReached: whether it answers and why not, which cluster it is, and by which credential it is asked until when.
func TestAClusterTellsHowItIsReached(t *testing.T) {
	b := known(t, offering(t), status.Environment{}, status.Instance{}, status.Placement{})
	ends := time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC)
	c := status.Cluster{Name: "one", Reachable: true, Version: "v1.36.3", UID: "6f1d-uid"}
	c.Credential.Source, c.Credential.User, c.Credential.Expires = "kubeconfigs/one.kubeconfig", "system:serviceaccount:transom:transom", ends
	b.ClusterSeen(c)
	get := serve(console.Options{Board: b})
	_, body := get(t, "/clusters/one")
	for _, fact := range []string{
		"<dt>Reachable</dt><dd>yes", "<dt>Kubernetes</dt><dd>v1.36.3</dd>", "<dt>Identity</dt><dd><code>6f1d-uid</code></dd>", "<dt>Credential</dt><dd>kubeconfigs/one.kubeconfig</dd>",
		"<dt>User</dt><dd>system:serviceaccount:transom:transom</dd>", `<dt>Ends</dt><dd><time class="ago" datetime="2027-01-02T03:04:05Z"`,
	} {
		require.Contains(t, body, fact)
	}
	b.ClusterSeen(status.Cluster{Name: "one", Message: "connection refused"})
	_, body = get(t, "/clusters/one")
	require.Contains(t, body, "<strong>Not reachable</strong>: connection refused")
	require.Contains(t, body, "connection refused")
	require.Contains(t, body, "<dt>Identity</dt><dd><code>6f1d-uid</code></dd>", "it is still that cluster")
}

// TestTheLatestOfAnEnvironmentSaysOnWhichCluster: with the request alone nobody knows where to look. On the page of a cluster that is clear.
func TestTheLatestOfAnEnvironmentSaysOnWhichCluster(t *testing.T) {
	b := status.NewBoard(time.Now)
	b.Updated(status.Environment{Name: "dev", StateCommit: "s1", Clusters: []status.Cluster{{Name: "one"}, {Name: "two"}}}, []status.Instance{{
		Environment: "dev", Request: shop, Offering: "web", Version: "1.2.0", Release: "sha256:b",
		Placements: []status.Placement{{Cluster: "one", Revision: "r"}, {Cluster: "two", Revision: "r"}},
	}})
	b.Placed("dev", shop, status.Placement{Cluster: "two", Revision: "r", Stage: status.Applied, Health: state.Failed, Message: "it crashes"})
	get := serve(console.Options{Board: b})
	about := `<a href="/requests/store/shop?environment=dev"><b>store/shop</b></a>`
	says := `</span><span class="text">Applied, Failed: it crashes</span>`
	_, body := get(t, "/environments/dev")
	require.Contains(t, body, about+` <a href="/clusters/two">two</a>`+says)
	_, body = get(t, "/clusters/two")
	require.Contains(t, body, about+says)
}

// TestTheObjectsOfARequestAreInSight: those of the first cluster where all are well, else those of each that is not.
func TestTheObjectsOfARequestAreInSight(t *testing.T) {
	for ails, open := range map[string][]string{"": {"one"}, "two": {"two"}} {
		b := status.NewBoard(time.Now)
		in := status.Instance{Environment: "dev", Request: shop, Offering: "web", Version: "1.2.0", Release: "sha256:a"}
		e := status.Environment{Name: "dev"}
		for _, name := range []string{"one", "two", "three"} {
			e.Clusters = append(e.Clusters, status.Cluster{Name: name, State: "active"})
			in.Placements = append(in.Placements, status.Placement{Cluster: name, Revision: "r", Stage: status.Committed, Health: state.Unknown})
		}
		b.Reconciled(e, []status.Instance{in})
		for _, c := range e.Clusters {
			at := status.Placement{Cluster: c.Name, Revision: "r", Stage: status.Healthy, Health: state.Healthy}
			if c.Name == ails {
				at.Stage, at.Health = status.Applied, state.Failed
			}
			b.ClusterSeen(status.Cluster{Name: c.Name, Reachable: true})
			b.Placed("dev", shop, at)
		}
		_, body := serve(console.Options{Board: b})(t, "/requests/store/shop")
		var found []string
		for _, c := range e.Clusters {
			require.Contains(t, body, `<details id="on-`+c.Name+`"`)
			if strings.Contains(body, `<details id="on-`+c.Name+`" class="place" open>`) {
				found = append(found, c.Name)
			}
		}
		require.Equal(t, open, found)
	}
}
