package console

import (
	"net/http"
	"net/url"
	"slices"
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
	From, To    string // the sides that are compared, as the API takes them; both empty: the manifests are shown
}

// Compares says whether a look compares two sides.
func (l ManifestLook) Compares() bool { return l.From != "" || l.To != "" }

// Sides are the two sides of what is deployed beside something else. What is deployed is the second one, but beside what waits, and
// beside the objects of its cluster.
func Sides(with string) (from, to string) {
	if with == "live" || with == "next" {
		return "", with
	}
	return with, ""
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
	Views []choiceOf  // the other things that can be looked at
	Sides []namedSide // those that can be compared
	// Action is the address of the page, for its form.
	Action string
	One    string // the object that was asked for; empty: all
}

// A namedSide is a side of a comparison, as the API takes it, with its name for people.
type namedSide struct{ Value, Name string }

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

func objectName(kind, namespace, name string) string {
	if namespace != "" {
		name = namespace + "/" + name
	}
	return kind + " " + name
}

// showsManifests says whether a person may see the manifests of an instance.
func (c onClusters) showsManifests(who Person, in *status.Instance) bool {
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
		Environment: in.Environment, Request: key, Cluster: q.Get("cluster"), Commit: q.Get("commit"), Live: q.Get("live") != "", From: q.Get("from"), To: q.Get("to"),
	}
	if with := q.Get("with"); with != "" {
		look.From, look.To = Sides(with)
	}
	if look.Cluster == "" && len(in.Placements) > 0 {
		look.Cluster = in.Placements[0].Cluster
	}
	found, err := c.Open(r, look)
	if err != nil {
		return nil, err
	}
	page := &manifestsPage{Key: key, In: in.Instance, Row: row, Look: look, Found: found, One: q.Get("object")}
	page.Action, _, _ = strings.Cut(manifestsLink(key, in.Environment, look.Cluster, ""), "?")
	page.list(row)
	c.listSides(r, page)
	return &view{template: "manifests", title: "Manifests of " + key.String(), section: "fleet", main: page}, nil
}

// On is the address of the same look on another cluster.
func (p *manifestsPage) On(cluster string) string {
	link := manifestsLink(p.Key, p.In.Environment, cluster, "")
	if p.Look.Compares() {
		link += "&" + url.Values{"from": {p.Look.From}, "to": {p.Look.To}}.Encode()
	}
	return link
}

// list fills in the views that the page leads to.
func (p *manifestsPage) list(row *row) {
	add := func(name, with string) {
		from, to := Sides(with)
		chosen := p.Look.From == from && p.Look.To == to && !p.Look.Live && p.Look.Commit == ""
		p.Views = append(p.Views, choiceOf{name, manifestsLink(p.Key, p.In.Environment, p.Look.Cluster, with), chosen})
	}
	add("Desired", "")
	p.Views = append(p.Views, choiceOf{"Live", manifestsLink(p.Key, p.In.Environment, p.Look.Cluster, "") + "&live=true", p.Look.Live && !p.Look.Compares()})
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

// listSides fills in the sides that can be chosen: what is deployed, what waits, what the cluster has, other environments, and the
// latest states. Where the history cannot be read, the page of the request says why.
func (c onClusters) listSides(r *http.Request, p *manifestsPage) {
	p.Sides = []namedSide{{"", "what is deployed"}, {"live", "what the cluster has"}}
	if p.In.Candidate != nil {
		p.Sides = append(p.Sides, namedSide{"next", "what waits"})
	}
	for _, other := range p.Row.Instances {
		for _, at := range other.Placements {
			if other.Environment != p.In.Environment || at.Cluster != p.Look.Cluster {
				p.Sides = append(p.Sides, namedSide{other.Environment + "/" + at.Cluster, other.Environment + " on " + at.Cluster})
			}
		}
	}
	if c.History != nil {
		past, _ := c.History(r.Context(), p.In.Environment, p.Key)
		for _, one := range past {
			name := one.When.UTC().Format("2 Jan 15:04 UTC")
			if one.Version != "" {
				name += ", " + one.Version
			}
			if one.Release != "" {
				name += ", release " + short(one.Release)
			}
			p.Sides = append(p.Sides, namedSide{one.Commit, name})
		}
	}
	for _, side := range []string{p.Look.From, p.Look.To} { // an address may name others
		if !slices.ContainsFunc(p.Sides, func(s namedSide) bool { return s.Value == side }) {
			p.Sides = append(p.Sides, namedSide{side, side})
		}
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
