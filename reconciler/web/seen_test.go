package web_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/status"
	"transom.dev/reconciler/web"
	"transom.dev/reconciler/web/access"
	resource "transom.dev/reconciler/web/api"
	"transom.dev/render/state"
)

const shopPods = "/requests/store/shop/pods?environment=prod"

// TestThePageOfPodsIsForDevelopersOfTheTeamWhereTheEnvironmentSaysSo, as the routes of the API are, and only they are shown the way to it.
func TestThePageOfPodsIsForDevelopersOfTheTeamWhereTheEnvironmentSaysSo(t *testing.T) {
	all := newTeam(t, "")
	o := busy(t)
	o.Access = all.guard(t)
	s := serve(t, o)
	for role, want := range map[access.Role]int{access.Anybody: 401, access.Viewer: 403, access.Developer: 200, access.Operator: 200} {
		resp, body := as(t, http.MethodGet, s.URL+shopPods, all.tokens[role])
		require.Equal(t, want, resp.StatusCode, "as %s: %s", role, body)
		require.Equal(t, want == http.StatusOK, strings.Contains(body, "one line"), "as %s", role)
		_, body = as(t, http.MethodGet, s.URL+"/requests/store/shop?environment=prod", all.tokens[role])
		require.Equal(t, want == http.StatusOK, strings.Contains(body, "Log and Events of its pods"), "as %s", role)
	}
	o = busy(t)
	o.Board.Status().Platform.Offers().Environments["prod"].Logs = false
	code, body := get(t, serve(t, o), shopPods)
	require.Equal(t, http.StatusForbidden, code)
	require.Contains(t, body, "merge spec.logs: true in environments/prod.yaml")
	_, body = get(t, serve(t, o), "/requests/store/shop?environment=prod")
	require.NotContains(t, body, "Log and Events of its pods")
	require.Contains(t, body, "No logs: prod does not say logs: true")
}

// TestThePageOfPodsIsBoundedAndHarmless: whatever containers print and clusters say stays text, and is short.
func TestThePageOfPodsIsBoundedAndHarmless(t *testing.T) {
	o := busy(t)
	ask := func(p web.Runtime, query string) (int, string) {
		o.Runtime = p
		return get(t, serve(t, o), shopPods+query)
	}
	code, body := ask(pods{"shop-web-1": "plain\x1b]0;owned\x07\u202e\n</div><script>alert(1)</script>\n" + strings.Repeat("x", 1<<20) + "\nlast"}, "&pod=shop-web-1&tail=5")
	require.Equal(t, http.StatusOK, code)
	require.Contains(t, body, "plain�]0;owned��")
	require.NotContains(t, body, "<script>alert")
	require.Less(t, len(body), 40<<10)
	require.Contains(t, body, "</span> last</div>")

	_, body = ask(pods{"shop-web-1": strings.Repeat(strings.Repeat("x", 1000)+"\n", 12<<10)}, "&tail=99999999")
	require.Less(t, len(body), 600<<10)
	require.Contains(t, body, "cut after 512 KiB")

	_, body = ask(pods{"shop-web-1": ""}, "&pod=gone-"+strings.Repeat("y", 5000))
	require.Contains(t, body, "its pods are shop-web-1", "a pod that is gone costs its log and nothing else")
	require.Less(t, len(body), 20<<10)
	code, body = ask(lost{}, "")
	require.Equal(t, http.StatusOK, code)
	require.Contains(t, body, "cluster east is not reachable", "what a cluster does not answer is said in its place")
}

// lost are the pods of a cluster that does not answer.
type lost struct{ pods }

func (lost) Pods(context.Context, resource.Placement) ([]resource.Pod, error) {
	return nil, errors.New("cluster east is not reachable at the moment")
}

// talking is a log that goes on for as long as somebody reads it.
type talking struct {
	pods
	said chan string
}

func (l talking) ReadLog(ctx context.Context, _ resource.Placement, log resource.Log, read func(io.Reader) error) error {
	if !log.Follow {
		return read(strings.NewReader("before\n"))
	}
	from, to := io.Pipe()
	go func() {
		for {
			select {
			case <-ctx.Done():
				_ = to.Close()
				return
			case line := <-l.said:
				_, _ = io.WriteString(to, line)
			}
		}
	}()
	return read(from)
}

// TestALogIsFollowedOnItsPage: its lines come without a reload and stay while the page around them is made anew; they are text.
func TestALogIsFollowedOnItsPage(t *testing.T) {
	o, said := busy(t), make(chan string)
	o.Runtime = talking{pods{"shop-web-1": ""}, said}
	s := httptest.NewServer(web.Handler(o))
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	eventually := open(t, s.URL+shopPods)
	eventually(all("#lines div"), "shop-web-1 web before")
	eventually(`(document.querySelector("#follow:not([hidden])")?.click(), document.querySelector("#follow").textContent)`, "Stop")
	said <- "<img src=x onerror=window.owned=1>\n"
	eventually(all("#lines div"), "shop-web-1 web <img src=x onerror=window.owned=1>")
	eventually(`(dispatchEvent(new PopStateEvent("popstate")), window.owned === undefined)`, "true")
	said <- "second\n"
	eventually(all("#lines div"), "shop-web-1 web <img src=x onerror=window.owned=1>|shop-web-1 web second")
	// The page may be made anew right after the line that tells of the end.
	eventually(`(window.told ??= (() => {
		const told = [];
		new MutationObserver((all) => all.forEach((one) => one.addedNodes.forEach((node) => told.push(node.textContent)))).observe(document.body, { childList: true, subtree: true });
		document.querySelector("#follow").click();
		return told;
	})(), window.told.includes("stopped"))`, "true")
	eventually(all("#follow"), "Follow")
}

// aTree is the pods of a placement, which may be lost.
type aTree struct {
	asked atomic.Int32
	gone  atomic.Bool
}

func (p *aTree) Pods(context.Context, resource.Placement) ([]resource.Pod, error) {
	p.asked.Add(1)
	if p.gone.Load() {
		return nil, errors.New("cluster east is not reachable at the moment")
	}
	return []resource.Pod{{Namespace: "store", Name: "shop-web-1", Phase: "Running", Message: "CrashLoopBackOff <b>", Owners: []resource.Controller{{Kind: "ConfigMap", Name: "shop-web"}}}}, nil
}

func (*aTree) Happenings(context.Context, resource.Placement) ([]resource.Happening, error) {
	panic("nobody asked for Events")
}

func (*aTree) ReadLog(context.Context, resource.Placement, resource.Log, func(io.Reader) error) error {
	panic("nobody asked for logs")
}

// TestThePageOfAnInstanceHasItsTreeToPods: its objects are there at once, with their desired and live manifests, and the cluster is asked for
// the pods alone, by the page that is open, where they are in sight.
func TestThePageOfAnInstanceHasItsTreeToPods(t *testing.T) {
	o := busy(t)
	tree := &aTree{}
	o.Runtime = tree
	server := served(t, o)
	const page, manifest = "/requests/store/shop?environment=prod", "/requests/store/shop/manifests?cluster=east&environment=prod&object=ConfigMap+store%2Fshop-web"
	resp, body := as(t, http.MethodGet, server+page, "")
	require.Equal(t, http.StatusOK, resp.StatusCode)
	escaped := strings.NewReplacer("&", "&amp;", "+", "&#43;").Replace(manifest)
	require.Contains(t, body, `<a href="`+escaped+`">shop-web</a>`)
	require.Contains(t, body, `href="`+escaped+`&amp;live=true"`)
	require.Zero(t, tree.asked.Load(), "the page comes without a question to a cluster")

	eventually := open(t, server+page)
	eventually(`document.querySelector("#clusters .tree .tree .node a")?.textContent`, "shop-web-1")
	eventually(`document.querySelector("#clusters .tree .tree .reason")?.textContent`, "CrashLoopBackOff <b>")
	eventually(`document.querySelector("#clusters .tree .tree .node a").getAttribute("href")`, "/requests/store/shop/pods?cluster=east&environment=prod&pod=shop-web-1#log")
	eventually(`document.querySelector("#clusters .tree .live").getAttribute("href")`, manifest+"&live=true")
	require.EqualValues(t, 1, tree.asked.Load())
	b := o.Board.(*status.Board)
	for i := range 3 { // the page is made anew, and keeps its pods without a further question
		b.ClusterSeen(status.Cluster{Name: "east", Reachable: true, Version: "v1.36.3", Problem: fmt.Sprint("sick ", i)})
		eventually(all("#notice span"), fmt.Sprint("sick ", i))
		eventually(`document.querySelector("#clusters .tree .tree .node a")?.textContent`, "shop-web-1")
	}
	require.LessOrEqual(t, tree.asked.Load(), int32(2), "once in five seconds at most")
	tree.gone.Store(true)
	eventually(`document.querySelector("#clusters .grows .why")?.textContent`, "cluster east is not reachable at the moment")
	eventually(`document.querySelector("#clusters .tree .node a").textContent`, "shop-web")

	o.Board.Status().Platform.Offers().Environments["prod"].Logs = false
	b.ClusterSeen(status.Cluster{Name: "east", Reachable: true, Version: "v1.37.0"})
	_, body = as(t, http.MethodGet, server+page, "")
	require.NotContains(t, body, "data-tree")
	require.Contains(t, body, ">shop-web</a>")
}

// TestATreeRestsOnceItIsThere, also where its cluster takes longer to answer than a tree rests: nothing changed.
func TestATreeRestsOnceItIsThere(t *testing.T) {
	o := busy(t)
	tree := &aTree{}
	o.Runtime = tree
	eventually := open(t, served(t, o)+"/requests/store/shop?environment=prod")
	eventually(`document.querySelector("#clusters .tree .tree .node a")?.textContent`, "shop-web-1")
	before := tree.asked.Load()
	eventually(`(window.asked ??= (async () => {
		const now = performance.now.bind(performance);
		performance.now = () => now() * 100000; // each answer takes many times as long as a tree rests
		document.dispatchEvent(new Event("visibilitychange"));
		const address = document.querySelector("[data-tree]").dataset.tree;
		for (let i = 0; i < 50; i++) await (await fetch(address)).text();
		window.over = "yes";
	})(), window.over)`, "yes")
	require.Less(t, tree.asked.Load()-before, int32(50+5))
}

// TestATreeIsBounded: of very many objects and pods the page has those that are worst off, and says how many others there are.
func TestATreeIsBounded(t *testing.T) {
	o := busy(t)
	b := o.Board.(*status.Board)
	objects := []status.Object{}
	for i := range 1000 {
		objects = append(objects, status.Object{Kind: "ConfigMap", Namespace: "store", Name: fmt.Sprintf("c%03d", i), Health: state.Healthy})
	}
	objects = append(objects, status.Object{Kind: "Secret", Namespace: "store", Name: "sick", Health: state.Failed})
	b.Placed("prod", shop, status.Placement{Cluster: "east", Stage: status.Applied, Health: state.Failed, Revision: "r", Objects: objects})
	_, body := as(t, http.MethodGet, served(t, o)+"/requests/store/shop?environment=prod", "")
	require.Equal(t, 100, strings.Count(body, `class="node"`))
	require.Contains(t, body, ">sick</a>")
	require.NotContains(t, body, `live manifest of Secret`, "it stays in its cluster")
	require.Contains(t, body, "and 901 objects more, none of them worse")
}
