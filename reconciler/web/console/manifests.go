package console

import (
	"net/http"
	"net/url"
	"strings"

	"transom.dev/reconciler/status"
	"transom.dev/reconciler/web/api"
	"transom.dev/render/platform"
)

// A ManifestLook names manifests of a placement, or what they are compared with.
type ManifestLook struct {
	Environment string
	Request     platform.RequestKey
	Cluster     string
	Commit      string // of the environment's state; empty: the deployed one
	Live        bool   // as the cluster has them
	With        string // what they are compared with, as the API takes it; empty: they are shown
}

// Manifests are what a ManifestLook finds: the objects, or the comparison.
type Manifests struct {
	Objects    []api.Manifest
	Comparison api.Comparison
}

// A manifestsPage has the manifests of a placement, or their differences from something else.
type manifestsPage struct {
	Key   platform.RequestKey
	In    *status.Instance
	Row   *row
	Look  ManifestLook
	Found Manifests
	Views []choiceOf // the other things that can be looked at
	Past  []choiceOf // earlier states
	One   string     // the object that was asked for; empty: all
}

// A choiceOf is a view with its address.
type choiceOf struct {
	Name   string
	Link   string
	Chosen bool
}

// manifestsLink is the address of manifests.
func manifestsLink(key platform.RequestKey, environment, cluster, with string) string {
	q := url.Values{"environment": {environment}, "cluster": {cluster}}
	if with != "" {
		q.Set("with", with)
	}
	return "/requests/" + url.PathEscape(key.Team) + "/" + url.PathEscape(key.Name) + "/manifests?" + q.Encode()
}

// objectLink is the address of the manifest of one object.
func objectLink(key platform.RequestKey, environment, cluster string, o status.Object) string {
	return manifestsLink(key, environment, cluster, "") + "&object=" + url.QueryEscape(objectName(o.Kind, o.Namespace, o.Name))
}

func objectName(kind, namespace, name string) string {
	if namespace != "" {
		name = namespace + "/" + name
	}
	return kind + " " + name
}

// showsManifests says whether a person may see the manifests of an instance.
func (c onClusters) showsManifests(r *http.Request, in *status.Instance) bool {
	who := c.Person(r)
	return c.Open != nil && who.In != nil && who.In(in.Request.Team)
}

func (c onClusters) manifests(r *http.Request, m *model) (*view, error) {
	key := keyOf(r.PathValue("team"), r.PathValue("name"))
	row := m.byKey[key]
	if row == nil || c.Open == nil {
		return nil, missing("No environment has a request " + key.String() + " whose manifests can be shown.")
	}
	q := r.URL.Query()
	in := row.on(q.Get("environment"))
	if in == nil {
		in = row.worst()
	}
	look := ManifestLook{
		Environment: in.Environment, Request: key, Cluster: q.Get("cluster"), Commit: q.Get("commit"), Live: q.Get("live") != "", With: q.Get("with"),
	}
	if look.Cluster == "" && len(in.Placements) > 0 {
		look.Cluster = in.Placements[0].Cluster
	}
	found, err := c.Open(r, look)
	if err != nil {
		return nil, err
	}
	page := &manifestsPage{Key: key, In: in.Instance, Row: row, Look: look, Found: found, One: q.Get("object")}
	page.list(row)
	if c.History != nil {
		c.listPast(r, page)
	}
	return &view{"manifests", "Manifests of " + key.String(), "fleet", page}, nil
}

// list fills in the views that the page leads to.
func (p *manifestsPage) list(row *row) {
	add := func(name, with string) {
		p.Views = append(p.Views, choiceOf{name, manifestsLink(p.Key, p.In.Environment, p.Look.Cluster, with), p.Look.With == with && !p.Look.Live && p.Look.Commit == ""})
	}
	add("Desired", "")
	p.Views = append(p.Views, choiceOf{"Live", manifestsLink(p.Key, p.In.Environment, p.Look.Cluster, "") + "&live=true", p.Look.Live})
	add("Live against desired", "live")
	if p.In.Candidate != nil {
		add("What waits", "next")
	}
	for _, other := range row.Instances {
		if other.Environment != p.In.Environment && len(other.Placements) > 0 {
			add("Against "+other.Environment, other.Environment)
		}
	}
}

// listPast fills in the state commits that a page can be compared with.
func (c onClusters) listPast(r *http.Request, page *manifestsPage) {
	past, err := c.History(r.Context(), page.In.Environment, page.Key)
	if err != nil {
		return // the page of the request says why
	}
	for _, one := range past {
		name := one.When.UTC().Format("2 Jan 15:04 UTC")
		if one.Version != "" {
			name += ", " + one.Version
		}
		page.Past = append(page.Past, choiceOf{name, manifestsLink(page.Key, page.In.Environment, page.Look.Cluster, one.Commit), page.Look.With == one.Commit})
	}
}

// A diffLine is a line of a diff with its class.
type diffLine struct{ Class, Text string }

// diffLines are those of a diff.
func diffLines(diff string) []diffLine {
	var all []diffLine
	for _, line := range strings.Split(strings.TrimSuffix(diff, "\n"), "\n") {
		class := ""
		switch {
		case line == "":
		case line[0] == '+':
			class = "plus"
		case line[0] == '-':
			class = "minus"
		case line[0] == '@':
			class = "apart"
		}
		all = append(all, diffLine{class, line})
	}
	return all
}
