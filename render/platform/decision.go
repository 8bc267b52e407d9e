package platform

import (
	"fmt"
	"maps"
	"regexp"
	"slices"

	"transom.dev/render/decision"
	"transom.dev/render/gate"
	"transom.dev/render/internal/fieldpath"
	"transom.dev/render/wording"
)

type decisionSpec struct {
	Request   string
	Release   string
	Offering  string `is:"prose"` // it may name a thing that never was, and is shown all the same
	Version   string `is:"prose"`
	Team      string `is:"prose"`
	Cluster   string `is:"prose"`
	Plan      string
	Deletions string
	Platform  string
	Takeover  string
	State     string
	Adoption  string
	Skip      []gate.Name
	From      string
	Until     string
	Reason    string `is:"prose"`
	Items     []approvedItem
}

// An approvedItem is one of the things that an Approval of many approves.
type approvedItem struct{ Request, Release, Offering, Version, Plan, Deletions, Adoption string }

// maxItems is how many things one Approval approves at most.
const maxItems = 1000

// The fields that a decision of each kind may have. Each Approval is one of its lists, whole; a Hold is any one subject or
// none.
var (
	approvals = [][]string{
		{"request", "release"},
		{"offering", "version"},
		{"plan"},
		{"deletions"},
		{"adoption"},
		{"platform"},
		{"takeover"},
		{"state"},
		{"items"},
	}
	decisions = map[decision.Kind][]string{
		decision.Approval: {"request", "release", "offering", "version", "plan", "deletions", "adoption", "platform", "takeover", "state", "items"},
		decision.Hold:     {"request", "offering", "team", "cluster", "from", "until", "reason"},
		decision.Pin:      {"request", "release", "offering", "version", "until", "reason"},
		decision.Override: {"request", "release", "offering", "version", "skip", "until", "reason"},
	}
)

var (
	commitID  = regexp.MustCompile(`^[0-9a-f]{40}([0-9a-f]{24})?$`)
	digestHex = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
)

// decodeDecision reads decisions/<environment>/<name>.yaml.
func decodeDecision(d *document, environment, name string, data []byte) *Decision {
	c := &Decision{Name: name, File: d.path, Environment: environment}
	if d.object != nil { // else it may be of any size
		c.Digest = Digest(string(data))
		c.Kind = decision.Kind(d.object.Text("kind"))
		if _, known := decisions[c.Kind]; !known {
			d.checkHeader(decisionKinds()...)
		} else if o, ok := read[decisionSpec](d, string(c.Kind), name); ok {
			c.fill(d, o.Spec)
			c.check(d)
		}
	}
	d.checkName(name, maxLabel)
	c.Broken = d.broken()
	return c
}

func (c *Decision) fill(d *document, s decisionSpec) {
	c.Release, c.Offering, c.Version, c.Team, c.Cluster = s.Release, s.Offering, s.Version, s.Team, s.Cluster
	c.Plan, c.Deletions, c.Adoption, c.Platform, c.Takeover, c.State = s.Plan, s.Deletions, s.Adoption, s.Platform, s.Takeover, s.State
	c.Skip, c.Reason = s.Skip, s.Reason
	c.From, c.Until = d.readTime("spec.from", s.From), d.readTime("spec.until", s.Until)
	c.readRequest(d, "spec.request", s.Request)
	c.fillItems(d, s.Items)
}

func (c *Decision) check(d *document) {
	allowed := decisions[c.Kind]
	for _, f := range decisionFields() {
		if d.object.Has("spec."+f) && !slices.Contains(allowed, f) {
			d.problem("spec."+f, "value", "means nothing in kind %s; there is %s", c.Kind, wording.List(allowed))
		}
	}
	if c.Kind == decision.Approval {
		c.checkApproval(d, "spec")
		for i, item := range c.Items {
			item.checkApproval(d, fieldpath.Index("spec.items", i))
		}
	} else {
		c.checkSubject(d)
	}
	checkDigests(d, "spec")
	for _, f := range []string{"platform", "takeover", "state"} {
		if v := d.object.Text("spec." + f); v != "" && !commitID.MatchString(v) {
			d.problem("spec."+f, "value", "must be a whole commit id")
		}
	}
	if d.tooLong("spec.skip", len(c.Skip)) {
		c.Skip = nil
	}
	for i, s := range c.Skip {
		if word, gates := string(s), wording.Strings(gate.Skippable()); !gate.MaySkip(s) {
			d.problem(fieldpath.Index("spec.skip", i), "value", "must be one of %s, not %q%s", wording.List(gates), wording.Shorten(word), wording.Suggest(word, gates))
		}
	}
}

// decisionKinds lists the kinds of decisions as files name them.
func decisionKinds() []string { return wording.Strings(decision.Kinds()) }

// decisionFields lists the fields that a decision of some kind may have, sorted.
func decisionFields() []string {
	fields := slices.Concat(slices.Collect(maps.Values(decisions))...)
	slices.Sort(fields)
	return slices.Compact(fields)
}

func checkDigests(d *document, at string) {
	for _, f := range []string{"release", "plan", "deletions", "adoption"} {
		if v := d.object.Text(at + "." + f); v != "" && !digestHex.MatchString(v) {
			d.problem(at+"."+f, "value", "must be sha256: and 64 hexadecimal digits")
		}
	}
}

// fillItems makes an Approval of each item. Its digest is of the file's name and the item: one that is added decides nothing anew
// about the others, and the same in another file is another decision.
func (c *Decision) fillItems(d *document, items []approvedItem) {
	if len(items) == 0 && d.object.Has("spec.items") {
		d.problem("spec.items", "value", "lists nothing; name what it approves, or delete the file")
	}
	if len(items) > maxItems {
		d.problem("spec.items", "value", "has %d items; at most %d go into one file", len(items), maxItems)
		return
	}
	for i, s := range items {
		at := fieldpath.Index("spec.items", i)
		item := &Decision{
			Kind: c.Kind, Name: c.Name, File: c.File, Environment: c.Environment, Digest: Digest(fmt.Sprintf("%s %+v", c.File, s)),
			Release: s.Release, Offering: s.Offering, Version: s.Version, Plan: s.Plan, Deletions: s.Deletions, Adoption: s.Adoption,
		}
		item.readRequest(d, at+".request", s.Request)
		checkDigests(d, at)
		c.Items = append(c.Items, item)
	}
}

func (c *Decision) readRequest(d *document, field, text string) {
	if text == "" {
		return
	}
	key, err := ParseRequestKey(text)
	if err != nil {
		d.problem(field, "value", "%s", err)
	}
	c.Request = &key
}

// checkApproval asks for exactly one of the things that can be approved.
func (c *Decision) checkApproval(d *document, at string) {
	var whole [][]string
	for _, fields := range approvals {
		missing := 0
		for _, f := range fields {
			if !d.object.Has(at + "." + f) {
				missing++
			}
		}
		if missing == 0 {
			whole = append(whole, fields)
		} else if missing < len(fields) {
			whole = append(whole, nil)
		}
	}
	if len(whole) != 1 || whole[0] == nil {
		one := "request and release; offering and version; plan; deletions; adoption"
		if at == "spec" {
			one += "; platform; takeover; state; items"
		}
		d.problem(at, "value", "must name exactly one of: %s", one)
	}
}

// checkSubject checks that a Pin and an Override name their subject; a Hold that names nothing holds the environment.
func (c *Decision) checkSubject(d *document) {
	if c.Kind == decision.Hold {
		var named []string
		for _, f := range []string{"request", "offering", "team", "cluster"} {
			if d.object.Has("spec." + f) {
				named = append(named, f)
			}
		}
		if len(named) > 1 {
			d.problem("spec."+named[1], "value", "names a second thing to hold beside %s; write one Hold for each", named[0])
		}
		return
	}
	if c.Request == nil && c.Offering == "" {
		d.problem("spec", "required", "must name a request or an offering")
	}
	if c.Request != nil && c.Offering != "" {
		d.problem("spec.offering", "value", "names a second thing beside request; write one %s for each", c.Kind)
	}
}

// Adoptions lists the digests of adoptions that people approved for an environment, sorted.
func (p *Platform) Adoptions(environment string) (digests []string) {
	for _, d := range p.Decisions {
		if d.Environment == environment && d.Kind == decision.Approval && !d.Broken && d.Adoption != "" {
			digests = append(digests, d.Adoption)
		}
	}
	slices.Sort(digests)
	return slices.Compact(digests)
}
