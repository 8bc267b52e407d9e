package console

import (
	"cmp"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"transom.dev/reconciler/status"
	"transom.dev/reconciler/web/api"
	"transom.dev/render/platform"
)

// A catalogPage lists the offerings of a platform.
type catalogPage struct {
	Words     string
	Offerings []offered
	Loaded    bool
}

// An offered is an offering with the version that a new request would get.
type offered struct {
	*platform.Offering
	Newest *platform.Version // nil: none can be asked for
	Users  int               // requests
	Link   string
}

func (c *Console) catalog(r *http.Request, m *model) (*view, error) {
	page := &catalogPage{Words: r.URL.Query().Get("q")}
	if p := m.Platform.Offers(); p != nil {
		page.Loaded = true
		users := map[string]int{}
		for _, row := range m.rows {
			users[row.Offering]++
		}
		for _, name := range slices.Sorted(maps.Keys(p.Offerings)) {
			o := p.Offerings[name]
			known := strings.ToLower(strings.Join([]string{o.Name, o.Title, o.Description, o.Owner}, " "))
			if !hasWords(known, page.Words) {
				continue
			}
			page.Offerings = append(page.Offerings, offered{o, newest(o), users[o.Name], "/catalog/" + url.PathEscape(o.Name)})
		}
	}
	return &view{template: "catalog", title: "Catalogue", section: "catalog", main: page}, nil
}

func hasWords(text, words string) bool {
	for _, word := range strings.Fields(strings.ToLower(words)) {
		if !strings.Contains(text, word) {
			return false
		}
	}
	return true
}

// newest is the version that people would ask for: the highest active one, else the highest that can be used.
func newest(o *platform.Offering) *platform.Version {
	var other *platform.Version
	for _, v := range slices.Backward(o.Versions) {
		switch {
		case v.Broken || v.Lifecycle == platform.Withdrawn:
		case v.Lifecycle == platform.Active || v.Lifecycle == "":
			return v
		case other == nil:
			other = v
		}
	}
	return other
}

// An offeringPage is one offering with the contract of one version.
type offeringPage struct {
	*platform.Offering
	Version  *platform.Version // nil: it has none that can be used
	Versions []published
	Fields   []field
	Rules    []string // over several parameters
	Bindings []named
	Parts    []named
	Outputs  []named
	Users    []user
	New      string // the form

	Changes *api.VersionChanges // of the version that is shown; nil: none are
}

// mostCompared is how many of the latest versions are compared with the one before; an older one is when it is chosen.
const mostCompared = 12

// A published is a line about a version.
type published struct {
	*platform.Version
	Link   string
	Chosen bool
	Users  int    // instances that run it
	Fleet  string // which lists them
	Late   bool   // its last day is over

	Changes *api.VersionChanges // against the version before; nil: it is the first, has a Problem, or they are not shown here
}

// A named is a value with its name: an output, an optional part or a binding of a version.
type named struct{ Name, Value string }

// A user is a request of an offering with the versions that it runs.
type user struct {
	Key  platform.RequestKey
	Link string
	Runs string
}

// find is the offering and the version that an address names. Without a version it is the newest.
func find(m *model, r *http.Request) (*platform.Offering, *platform.Version, error) {
	p := m.Platform.Offers()
	if p == nil {
		return nil, nil, missing("The platform was not loaded yet.")
	}
	o := p.Offerings[r.PathValue("offering")]
	if o == nil {
		return nil, nil, missing("The platform offers no " + r.PathValue("offering") + ".")
	}
	if number := r.URL.Query().Get("version"); number != "" {
		v := o.Version(number)
		if v == nil {
			v = o.Match(number) // a request may name a range, such as 1
		}
		if v == nil {
			return nil, nil, missing(o.Name + " has no version " + number + ".")
		}
		return o, v, nil
	}
	return o, newest(o), nil
}

// changedText sums up the changes of a version in a line.
func changedText(c *api.VersionChanges) string {
	all := len(c.Contract) + len(c.Files) + c.More
	if all == 0 {
		return "nothing changed against " + c.From
	}
	return terminalCount(all, "change") + " against " + c.From
}

func (c *Console) offering(r *http.Request, m *model) (*view, error) {
	o, v, err := find(m, r)
	if err != nil {
		return nil, err
	}
	page := &offeringPage{Offering: o, Version: v}
	link := "/catalog/" + url.PathEscape(o.Name)
	runs := map[string]int{}
	for _, row := range m.rows {
		if row.Offering != o.Name {
			continue
		}
		var versions []string
		for _, in := range row.Instances {
			versions = append(versions, in.Environment+" "+cmp.Or(in.Version, "–"))
			runs[in.Version]++
		}
		page.Users = append(page.Users, user{row.Key, requestLink(row.Key, ""), strings.Join(versions, ", ")})
	}
	for _, one := range slices.Backward(o.Versions) {
		number := one.Number.String()
		line := published{Version: one, Link: link + "?version=" + url.QueryEscape(number), Chosen: one == v, Users: runs[number], Fleet: filter{Offering: o.Name, Version: number}.link(), Late: one.Overdue(c.Now())}
		before := o.Before(one)
		if shown := len(page.Versions) < mostCompared || one == v; c.Changes != nil && before != nil && shown {
			changes, err := c.Changes(r, before, one)
			if err != nil {
				return nil, err
			}
			if line.Changes = &changes; one == v {
				page.Changes = &changes
			}
		}
		page.Versions = append(page.Versions, line)
	}
	if v != nil {
		page.New = link + "/new?version=" + url.QueryEscape(v.Number.String())
		page.Fields, page.Rules = fieldsOf(v, c.Sample), rulesOf(v)
		page.Bindings, page.Parts = contractOf(v)
		page.Outputs = outputsOf(v)
	}
	return &view{template: "offering", title: o.Name, section: "catalog", main: page}, nil
}

func (c *Console) form(r *http.Request, m *model) (*view, error) {
	o, v, err := find(m, r)
	if err != nil {
		return nil, err
	}
	if v == nil {
		return nil, missing(o.Name + " has no version that can be asked for.")
	}
	q := r.URL.Query()
	page := &formPage{
		Offering: o, Version: v, Team: strings.TrimSpace(q.Get("team")), Name: strings.TrimSpace(q.Get("name")), Teams: o.Teams, Fields: fieldsOf(v, c.Sample), Bindings: bindingsOf(v), Secrets: secretsOf(v),
		Action: "/catalog/" + url.PathEscape(o.Name) + "/new", Begun: q.Has("name"),
	}
	if len(page.Teams) == 0 {
		page.Teams = m.teams
	}
	for _, e := range platform.NewGraph(m.Platform.Offers().Environments).Order() {
		page.Environments = append(page.Environments, choice{e, slices.Contains(q["environment"], e)})
	}
	page.Rules = rulesBeside(page.Fields, v)
	page.fill(q, m)
	page.Create = forgeOf(m.Platform.URL, m.Platform.Branch).create("requests/"+page.Team, page.Name+".yaml", page.YAML)
	ofRequests{c}.plan(r, m, page, page.Team)
	return &view{template: "form", title: "New " + o.Name, section: "catalog", main: page}, nil
}

// contractOf lists the bindings and the optional parts of a version.
func contractOf(v *platform.Version) (bindings, parts []named) {
	for _, name := range slices.Sorted(maps.Keys(v.Bindings)) {
		bindings = append(bindings, named{name, v.Bindings[name].String()})
	}
	for _, one := range v.Components {
		if one.When != nil {
			parts = append(parts, named{one.Path, one.When.Source})
		}
	}
	return bindings, parts
}

// outputsOf lists the outputs of a version, those that are computed first.
func outputsOf(v *platform.Version) (all []named) {
	for _, o := range v.Outputs {
		all = append(all, named{o.Name, o.Source})
	}
	for _, o := range v.Observed {
		all = append(all, named{o.Name, o.String()})
	}
	return all
}

// taken says whether an environment has a request of that name.
func taken(m *model, key platform.RequestKey) *status.Instance {
	if row := m.byKey[key]; row != nil {
		return row.Instances[0].Instance
	}
	return nil
}
