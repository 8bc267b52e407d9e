package platform

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"

	"transom.dev/render/expression"
	"transom.dev/render/inquiry"
	"transom.dev/render/internal/fieldpath"
	"transom.dev/render/schema"
	"transom.dev/render/wording"
)

// Bounds of the links of an offering.
const (
	mostLinks    = 12
	longestLink  = 2048 // bytes of an address with its values
	longestTitle = 60   // bytes
)

// mostOfLinks is what the expressions of the links of one request may cost together. Nothing waits for links, and there may be very many
// requests.
var mostOfLinks = expression.Allowance{Steps: 2_000, Size: 64 << 10}

// hostOfLink matches an address after its scheme: a host's name or address and, maybe, its port and the rest.
var hostOfLink = regexp.MustCompile(`^([a-zA-Z0-9]([-a-zA-Z0-9._]*[a-zA-Z0-9])?|\[[0-9a-fA-F:.]+\])(:[0-9]+)?([/?#]|$)`)

type linkSpec struct {
	Name string
	URL  string `json:"url"`
}

// A Link leads from an instance to a page elsewhere: a dashboard, its logs, a runbook.
type Link struct {
	Name string `json:"name"`
	URL  string `json:"url"`
}

// A link is one that an offering declares for its instances.
type link struct {
	Name string
	URL  *expression.Template
}

// decodeLinks reads the links of an offering.
func decodeLinks(d *document, specs []linkSpec) (links []link) {
	if len(specs) > mostLinks {
		d.problem("spec.links", "too-many", "has %d links and may have %d", len(specs), mostLinks)
		return nil
	}
	names, scope := map[string]bool{}, linkScope()
	for i, s := range specs {
		at := fieldpath.Index("spec.links", i)
		name := strings.TrimSpace(s.Name)
		switch {
		case name == "":
			d.problem(at+".name", "value", "must be the text that people see, such as Dashboard")
		case len(name) > longestTitle:
			d.problem(at+".name", "too-long", "has %d bytes and may have %d", len(name), longestTitle)
		case names[name]:
			d.problem(at+".name", "duplicate", "%q is the name of a link before it, too", wording.Shorten(name))
		}
		names[name] = true
		t := d.compileTemplate(at+".url", s.URL, scope)
		if t == nil {
			continue
		}
		d.checkLink(at+".url", s.URL, t)
		links = append(links, link{wording.Clean(name), t})
	}
	return links
}

// checkLink checks the address of a link. Its scheme and host are written out, so that no value of a request leads people elsewhere.
func (d *document) checkLink(field, address string, t *expression.Template) {
	head := t.Head()
	if t.Plain() {
		head = address
	}
	scheme, rest, found := strings.Cut(head, "://")
	switch {
	case hasPassword.MatchString(address):
		d.problem(field, "credentials", "carries credentials, which everybody who reads the repository has; leave them out")
	case !found || scheme != "https" && scheme != "http":
		d.problem(field, "value", "must begin with https:// or http://, not with %q", wording.Shorten(cmp.Or(head, address)))
	case !t.Plain() && !strings.ContainsAny(rest, "/?#"):
		d.problem(field, "value", "has an expression in its host; write the host out, so that it is known where people are led")
	case badPort(head):
		d.problem(field, "value", "has a port that is none; ports are from 1 to 65535")
	default:
		if !hostOfLink.MatchString(rest) {
			d.problem(field, "value", "must be the address of a page, such as https://grafana.example.com/d/web, not %q", wording.Shorten(address))
		}
	}
}

// linkScope has the variables of links.
func linkScope() *expression.Scope {
	s := expression.NewScope()
	s.Declare("request", s.Object("request", map[string]*expression.Type{"name": expression.String, "team": expression.String}))
	s.Declare("environment", s.Object("environment", map[string]*expression.Type{"name": expression.String, "values": expression.AnyMap}))
	s.Declare("version", expression.String)
	s.Declare("parameters", expression.AnyMap)
	s.Declare("outputs", expression.AnyMap)
	return s
}

// LinksOf fills in the links of an offering for a request in an environment that runs a version with some outputs. One that needs a
// value which is not there is omitted.
func (o *Offering) LinksOf(k RequestKey, e *Environment, version string, spec *RequestSpec, outputs map[string]any) (links []Link) {
	links, _ = o.fillLinks(k, e, version, spec, outputs)
	return links
}

// CostlyLink warns of a link of an instance that costs more than it may, so that nobody sees it; nil: none does.
func (i *Instance) CostlyLink(outputs map[string]any) *Problem {
	_, why := i.Offering.fillLinks(i.Request.Key, i.Environment, i.Version.Number.String(), &i.Request.Spec, outputs)
	if why == "" {
		return nil
	}
	return &Problem{
		File: i.Offering.File, Field: "spec.links", Rule: schema.RuleTooMuchWork, Environment: i.Environment.Name, Request: &i.Request.Key, Warning: true,
		Message: why + ", as much as the links of one request may cost; it and those after it are omitted; let it read less",
	}
}

// fillLinks fills in the links of an offering, and says which costs too much, if one does.
func (o *Offering) fillLinks(k RequestKey, e *Environment, version string, spec *RequestSpec, outputs map[string]any) (links []Link, costly string) {
	if o == nil || len(o.links) == 0 || e == nil || spec == nil {
		return nil, ""
	}
	parameters := mergePatch(spec.Parameters, spec.Environments[e.Name].Parameters)
	if v := o.Version(version); v != nil && v.Parameters != nil {
		parameters = v.Parameters.Default(parameters)
	}
	vars := map[string]any{
		"request":     map[string]any{"name": k.Name, "team": k.Team},
		"environment": map[string]any{"name": e.Name, "values": orEmpty(e.Values)},
		"version":     version, "parameters": orEmpty(parameters), "outputs": orEmpty(outputs),
	}
	spent := &expression.Tally{Most: mostOfLinks}
	for _, one := range o.links {
		address, err := one.fill(vars, spent)
		if err == nil {
			links = append(links, Link{one.Name, address})
		}
		if spent.Over() {
			return links, fmt.Sprintf("link %s costs %s together with the ones before it", wording.Shorten(one.Name), spent.Most.Exceeded(spent.Spent))
		}
	}
	return links, ""
}

// fill fills a link in. Each value is one segment of a path, or one value of a query.
func (l link) fill(vars map[string]any, spent *expression.Tally) (string, error) {
	address, err := l.URL.Fill(vars, inquiry.EscapeURL, spent)
	if err != nil {
		return "", err
	}
	if len(address) > longestLink {
		return "", fmt.Errorf("comes to %d bytes; at most %d", len(address), longestLink)
	}
	return address, nil
}
