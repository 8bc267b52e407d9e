package console

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"transom.dev/reconciler/status"
	"transom.dev/reconciler/web/api"
	"transom.dev/render/platform"
)

// A Look names the pods of a placement, and the part of their logs, that a person wants to see.
type Look struct {
	Environment string
	Request     platform.RequestKey
	Cluster     string // empty: there is one
	Pod         string // empty: all
	Container   string // empty: all but those that prepare a pod
	Tail        int    // so many of the latest lines of each container; 0: as many as the API gives
	Previous    bool   // the log before the last restart
	Alone       bool   // the pods without logs and Events
}

// Seen is what a cluster answers to a Look. A question that failed has its reason instead.
type Seen struct {
	Cluster    string
	Pods       []api.Pod
	NoPods     string
	Events     []api.Happening
	NoEvents   string
	MoreEvents int // that are omitted
	Log        []api.Line
	NoLog      string
}

// A podsPage has the pods of a placement, the Events about its objects, and the logs of its containers.
type podsPage struct {
	Key        platform.RequestKey
	In         *status.Instance
	Others     []*instance // of the request, in the environments that show their logs
	Look       Look
	Seen       Seen
	Clusters   []named // each with its address
	Containers []string
	Action     string
	Lines      int
	Tree       []*node
	More       int    // objects that it leaves out
	Follow     string // the address at the API of the lines to come; empty: there are none to come
}

// podsPace is how many seconds lie between two looks of a page that nobody asked for: a cluster is asked each time.
const podsPace = 5

// Pace is how many seconds a browser waits before it asks for the page again by itself.
func (p *podsPage) Pace() int { return podsPace }

// podsLink is the address of the pods of a placement.
func podsLink(key platform.RequestKey, environment, cluster string) string {
	return "/requests/" + url.PathEscape(key.Team) + "/" + url.PathEscape(key.Name) + "/pods?" +
		url.Values{"environment": {environment}, "cluster": {cluster}}.Encode()
}

// onClusters are the pages that ask clusters.
type onClusters struct{ *Console }

// showsPods says whether a page of pods would show a person something.
func (c onClusters) showsPods(who Person, m *model, in *status.Instance) bool {
	p := m.Platform.Offers()
	if c.See == nil || p == nil || p.Environments[in.Environment] == nil || who.In == nil {
		return false
	}
	return p.Environments[in.Environment].Logs && who.In(in.Request.Team)
}

func (c onClusters) pods(r *http.Request, m *model) (*view, error) {
	key := keyOf(r.PathValue("team"), r.PathValue("name"))
	row := m.byKey[key]
	if row == nil || c.See == nil {
		return nil, missing("No environment has a request " + key.String() + " whose pods can be shown.")
	}
	q := r.URL.Query()
	in := row.on(q.Get("environment"))
	if in == nil {
		in = row.worst()
	}
	look := Look{Environment: in.Environment, Request: key, Cluster: q.Get("cluster"), Pod: q.Get("pod"), Container: q.Get("container"), Previous: q.Get("previous") != "", Alone: q.Get("only") == "tree"}
	look.Tail, _ = strconv.Atoi(q.Get("tail")) // any other text is as many as usual
	look.Tail = max(look.Tail, 0)
	if look.Cluster == "" && len(in.Placements) > 0 {
		look.Cluster = in.Placements[0].Cluster
	}
	seen, err := c.See(r, look)
	if err != nil {
		return nil, err
	}
	page := &podsPage{Key: key, In: in.Instance, Look: look, Seen: seen, Lines: cmp.Or(look.Tail, 200)}
	page.Action = "/requests/" + url.PathEscape(key.Team) + "/" + url.PathEscape(key.Name) + "/pods"
	who := c.Person(r)
	for _, one := range row.Instances {
		if c.showsPods(who, m, one.Instance) {
			page.Others = append(page.Others, one)
		}
	}
	var at *status.Placement
	for i := range in.Placements {
		if in.Placements[i].Cluster == seen.Cluster {
			at = &in.Placements[i]
		}
	}
	page.Tree, page.More = trim(treeOf(at, seen.Pods), 1)
	link(page.Tree, in.Instance, seen.Cluster, c.showsManifests(who, in.Instance))
	for _, p := range in.Placements {
		page.Clusters = append(page.Clusters, named{p.Cluster, podsLink(key, in.Environment, p.Cluster)})
	}
	for _, pod := range seen.Pods {
		for _, one := range pod.Containers {
			if !slices.Contains(page.Containers, one.Name) {
				page.Containers = append(page.Containers, one.Name)
			}
		}
	}
	if seen.NoLog == "" && len(seen.Pods) > 0 && !look.Previous {
		page.Follow = page.follow()
	}
	return &view{template: "pods", title: "Pods of " + key.String(), section: "fleet", main: page}, nil
}

// OfOne says whether all lines of the log are of one container, whose name is needless then at each of them.
func (p *podsPage) OfOne() bool {
	return (p.Look.Pod != "" || len(p.Seen.Pods) == 1) && (p.Look.Container != "" || len(p.Containers) == 1)
}

// follow is the address of the same log at the API, with the lines to come.
func (p *podsPage) follow() string {
	q := url.Values{"cluster": {p.Seen.Cluster}, "follow": {"true"}, "tail": {strconv.Itoa(p.Lines)}}
	if p.Look.Pod != "" {
		q.Set("pod", p.Look.Pod)
	}
	if p.Look.Container != "" {
		q.Set("container", p.Look.Container)
	}
	return "/api/v1/instances/" + url.PathEscape(p.In.Environment) + "/" + url.PathEscape(p.Key.Team) + "/" + url.PathEscape(p.Key.Name) + "/logs?" + q.Encode()
}

// tails are the numbers of lines that people can choose, with the one that they chose.
func tails(chosen int) []int {
	all := []int{50, 200, 1000}
	if !slices.Contains(all, chosen) {
		all = append(all, chosen)
		slices.Sort(all)
	}
	return all
}

// sourceOf is the pod and the container that a line of a log comes from.
func sourceOf(l api.Line) string {
	if l.Container == "" {
		return l.Pod
	}
	return l.Pod + " " + l.Container
}
