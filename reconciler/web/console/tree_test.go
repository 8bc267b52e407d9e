package console_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/status"
	"transom.dev/reconciler/web/api"
	"transom.dev/reconciler/web/console"
	"transom.dev/render/state"
)

// outline is the tree of a page: a line for each node, further in for each level.
func outline(body string) string {
	var lines []string
	depth := 0
	for _, part := range strings.SplitAfter(strings.Split(body, `<section id="pods">`)[1], ">") {
		switch {
		case strings.HasSuffix(part, `<ul class="tree">`):
			depth++
		case strings.HasSuffix(part, "</ul>"):
			depth--
		case strings.HasSuffix(part, "</section>"):
			return strings.Join(lines, "\n")
		case strings.HasSuffix(part, "</span>") || strings.HasSuffix(part, "</a>") || strings.HasSuffix(part, "</div>"):
			if text := strings.TrimSpace(part[:strings.LastIndex(part, "<")]); text != "" {
				lines = append(lines, strings.Repeat("  ", depth)+text)
			}
		}
	}
	return ""
}

// TestObjectsAreATreeToPods: each pod hangs below those that control it, with its health and its reason; one of an operator, and one of nobody,
// are shown as well.
func TestObjectsAreATreeToPods(t *testing.T) {
	b := status.NewBoard(time.Now)
	b.Loaded("https://github.com/acme/platform.git", offering(t))
	b.Reconciled(status.Environment{Name: "dev", Clusters: []status.Cluster{{Name: "one", State: "active"}}}, []status.Instance{{
		Environment: "dev", Request: shop, Offering: "web", Version: "1.2.0", Release: "sha256:a",
		Placements: []status.Placement{{Cluster: "one", Revision: "r", Stage: status.Committed, Health: state.Unknown}},
	}})
	b.ClusterSeen(status.Cluster{Name: "one", Reachable: true})
	b.Placed("dev", shop, status.Placement{Cluster: "one", Revision: "r", Stage: status.Applied, Health: state.Progressing, Objects: []status.Object{
		{Kind: "ConfigMap", Namespace: "store", Name: "shop", Health: state.Healthy},
		{Group: "apps", Kind: "Deployment", Namespace: "store", Name: "shop", Health: state.Progressing, Message: "1 of 2 updated"},
		{Group: "batch", Kind: "CronJob", Namespace: "store", Name: "shop-clean", Health: state.Healthy},
		{Kind: "Pod", Namespace: "store", Name: "bare", Health: state.Progressing},
	}})
	ready := []api.Container{{Name: "web", Ready: true}}
	pod := func(name, phase, why string, containers []api.Container, owners ...api.Controller) api.Pod {
		return api.Pod{Namespace: "store", Name: name, Phase: phase, Message: why, Containers: containers, Owners: owners}
	}
	deployment := api.Controller{Kind: "Deployment", Name: "shop"}
	pods := []api.Pod{
		pod("shop-1-a", "Running", "", ready, api.Controller{Kind: "ReplicaSet", Name: "shop-1"}, deployment),
		pod("shop-2-a", "Running", "CrashLoopBackOff: <b>", []api.Container{{Name: "web", Restarts: 3}}, api.Controller{Kind: "ReplicaSet", Name: "shop-2"}, deployment),
		pod("shop-2-b", "Pending", "", []api.Container{{Name: "web"}}, api.Controller{Kind: "ReplicaSet", Name: "shop-2"}, deployment),
		pod("shop-clean-29000000-x", "Succeeded", "", nil, api.Controller{Kind: "Job", Name: "shop-clean-29000000"}),
		pod("db-0", "Running", "", ready, api.Controller{Kind: "StatefulSet", Name: "db"}),
		pod("alone", "Running", "", ready),
		pod("bare", "Running", "", ready),
		pod("proxy-1-a", "Running", "", ready, api.Controller{Kind: "ReplicaSet", Name: "proxy-1"}, api.Controller{Kind: "Deployment", Name: "proxy"}),
		pod("proxy-1-b", "Running", "", ready, api.Controller{Kind: "ReplicaSet", Name: "proxy-1"}, api.Controller{Kind: "Deployment", Name: "proxy"}),
		pod("proxy-2-a", "Pending", "", nil, api.Controller{Kind: "ReplicaSet", Name: "proxy-2"}, api.Controller{Kind: "Deployment", Name: "proxy"}),
	}
	get := serve(console.Options{Board: b, See: func(*http.Request, console.Look) (console.Seen, error) {
		return console.Seen{Cluster: "one", Pods: pods}, nil
	}})
	_, body := get(t, "/requests/store/shop/pods?environment=dev")
	require.Equal(t, strings.TrimSpace(`
  ◔
  Deployment
  shop
  Progressing
  1 of 2 updated
    ✓
    ReplicaSet
    shop-1
    1 of 1 pod well
      ✓
      Pod
      shop-1-a
      Running
      web ready
    ✕
    ReplicaSet
    shop-2
    0 of 2 pods well
      ✕
      Pod
      shop-2-a
      Running
      CrashLoopBackOff: &lt;b&gt;
      web not ready, 3 restarts
      ◔
      Pod
      shop-2-b
      Pending
      web not ready
  ✓
  CronJob
  shop-clean
  Healthy
    ✓
    Job
    shop-clean-29000000
    1 of 1 pod well
      ✓
      Pod
      shop-clean-29000000-x
      Succeeded
  ✓
  StatefulSet
  db
  1 of 1 pod well
    ✓
    Pod
    db-0
    Running
    web ready
  ◔
  Deployment
  proxy
  2 of 3 pods well
    ✓
    ReplicaSet
    proxy-1
    2 of 2 pods well
      ✓
      Pod
      proxy-1-a
      Running
      web ready
      ✓
      Pod
      proxy-1-b
      Running
      web ready
    ◔
    ReplicaSet
    proxy-2
    0 of 1 pod well
      ◔
      Pod
      proxy-2-a
      Pending
  ✓
  ConfigMap
  shop
  Healthy
  ✓
  Pod
  bare
  Running
  web ready
  ✓
  Pod
  alone
  Running
  web ready`), strings.TrimSpace(outline(body)))
	require.Contains(t, body, `href="/requests/store/shop/pods?cluster=one&amp;environment=dev&amp;pod=shop-2-a#log"`)
}

// TestAGateLeadsToTheFileThatDecides: in the list of those that are closed, and on the arrow of the picture, at the forge.
func TestAGateLeadsToTheFileThatDecides(t *testing.T) {
	b := status.NewBoard(time.Now)
	b.Branch = "main"
	b.Loaded("https://github.com/acme/platform.git", offering(t))
	page := func(gates ...status.Gate) string {
		b.Reconciled(status.Environment{Name: "dev", Decisions: []status.Decision{
			{Kind: "Hold", About: "team store", File: "decisions/dev/other.yaml"}, {Kind: "Hold", About: "all of dev", File: "decisions/dev/sale.yaml"},
		}}, []status.Instance{{Environment: "dev", Request: shop, Offering: "web", File: "requests/store/shop.yaml", Candidate: &status.Candidate{Release: "sha256:a"}, Waiting: gates}})
		_, body := serve(console.Options{Board: b})(t, "/requests/store/shop")
		return body
	}
	const forge = "https://github.com/acme/platform/blob/main/"
	for file, g := range map[string]status.Gate{
		"decisions/dev/sale.yaml":  {Name: "hold", Reason: "held by decisions/dev/sale.yaml", Opens: "whoever removes it"},
		"requests/store/shop.yaml": {Name: "hold", Reason: "requests/store/shop.yaml says hold: true for dev"},
		"environments/dev.yaml":    {Name: "window", Reason: "outside the windows of environments/dev.yaml"},
	} {
		body := page(g)
		require.Contains(t, body, `· decided by <a href="`+forge+file+`" rel="noreferrer"><code>`+file+`</code></a>`)
		require.Contains(t, body, `<a href="`+forge+file+`" rel="noreferrer" aria-label="`+file+`, which decides: `+string(g.Name)+`: `)
	}
	body := page(status.Gate{Name: "problem", Reason: "its version is gone"}, status.Gate{Name: "soak", Reason: "12m of 2h"})
	require.Contains(t, body, `decided by <a href="`+forge+`requests/store/shop.yaml"`)
	require.Contains(t, body, `decided by <a href="`+forge+`environments/dev.yaml"`)
}
