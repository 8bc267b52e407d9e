package platform

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/Masterminds/semver/v3"

	"transom.dev/render/internal/fieldpath"
	"transom.dev/render/wording"
)

type offeringSpec struct {
	Title       string `is:"prose"`
	Description string `is:"prose"`
	Owner       string `is:"prose"`
	Teams       []string
	Deletion    string `oneof:"delete|confirm|retain"`
	Routine     []string
	Links       []linkSpec
	Versions    map[string]lifecycleSpec
}

type lifecycleSpec struct {
	Lifecycle   string `oneof:"active|experimental|deprecated|withdrawn"`
	Reason      string `is:"prose"`
	RemoveAfter string
}

// offeringFile is an offering.yaml before its versions are looked at.
type offeringFile struct {
	offering   *Offering
	lifecycles map[string]lifecycleSpec
	problems   []Problem
	data       []byte
}

// decodeOffering reads offerings/<name>/offering.yaml.
func decodeOffering(d *document, name string, data []byte) *offeringFile {
	f := &offeringFile{offering: &Offering{Name: name, File: d.path, Deletion: DeletionDelete}, data: data}
	o, ok := read[offeringSpec](d, "Offering", name)
	if ok {
		s := o.Spec
		f.lifecycles = s.Versions
		f.offering.Title, f.offering.Description, f.offering.Owner, f.offering.Teams = s.Title, s.Description, s.Owner, s.Teams
		if s.Deletion != "" {
			f.offering.Deletion = Deletion(s.Deletion)
		}
		f.offering.Routine, f.offering.links = s.Routine[:min(len(s.Routine), maxListed)], decodeLinks(d, s.Links)
		checkOffering(d, s)
	}
	d.checkName(name, maxLabel)
	f.problems = d.problems
	f.offering.Broken = d.broken()
	return f
}

func checkOffering(d *document, s offeringSpec) {
	d.tooLong("spec.routine", len(s.Routine))
	for i, team := range s.Teams {
		if wrong := wrongName(team, maxLabel); wrong != "" {
			d.problem(fieldpath.Index("spec.teams", i), "name", "%q %s", wording.Shorten(team), wrong)
		}
	}
	if d.object.Has("spec.teams") && len(s.Teams) == 0 {
		d.problem("spec.teams", "value", "names no team; leave the field out to offer it to every team")
	}
	for _, number := range sortedKeys(s.Versions) {
		field := "spec.versions." + number
		if _, err := semver.StrictNewVersion(number); err != nil {
			d.problem(field, "version", "%q is no semantic version such as 1.4.2", wording.Shorten(number))
		}
		if at := s.Versions[number].RemoveAfter; at != "" {
			if _, err := time.Parse(time.DateOnly, at); err != nil {
				d.problem(field+".removeAfter", "value", "must be a date such as 2027-06-01, not %q", wording.Shorten(at))
			}
		}
	}
}

// assemble makes an Offering of its file and its versions, each with its stage of life.
func (f *offeringFile) assemble(versions []*Version) (*Offering, []Problem) {
	o := *f.offering
	d := &document{path: o.File, source: &source{data: f.data}}
	published := map[string]bool{}
	for _, v := range versions {
		number := v.Number.String()
		published[number] = true
		var removal Problem
		if f.lifecycles[number].RemoveAfter != "" {
			removal = d.at("spec.versions."+number+".removeAfter", "overdue", "")
		}
		o.Versions = append(o.Versions, v.at(f.lifecycles[number], removal))
	}
	slices.SortFunc(o.Versions, func(a, b *Version) int { return a.Number.Compare(b.Number) })
	all := o.parameters()
	for i, name := range o.Routine {
		if len(all) > 0 && !slices.Contains(all, name) {
			d.warn(fieldpath.Index("spec.routine", i), "unknown-parameter", "no version has a parameter %q%s", wording.Shorten(name), wording.Suggest(name, all))
		}
	}
	known := hints(len(f.lifecycles), published)
	for _, number := range sortedKeys(f.lifecycles) {
		if _, err := semver.StrictNewVersion(number); err == nil && !published[number] {
			d.warn("spec.versions."+number, "unknown-version", "there is no directory offerings/%s/%s%s", o.Name, number, known.suggest(number))
		}
	}
	return &o, d.problems
}

// Overdue lists, as Warnings, the versions that are published although their last day is over. They are no part of Problems, since
// loading the same commit gives the same on every day. A request keeps such a version for the same reason: only the stage of its
// life, which is a merged change, takes a version away from people.
func (o *Offering) Overdue(now time.Time) (all []Problem) {
	for _, v := range o.Versions {
		if v.Overdue(now) {
			w := v.removal
			w.Warning, w.Message = true, overdueText(v)
			all = append(all, w)
		}
	}
	return all
}

func overdueText(v *Version) string {
	remedy := "says who uses it; withdraw it with lifecycle: withdrawn, so that no request takes it any more"
	if v.Lifecycle == Withdrawn {
		remedy = "says when " + v.Dir + " can be removed"
	}
	return fmt.Sprintf("%s is past, and %s is still published; \"transom usage %s\" %s, or write a later date", v.RemoveAfter, v, v.Offering, remedy)
}

// parameters lists the parameters that any version has, sorted; none where a version cannot be read.
func (o *Offering) parameters() []string {
	all := map[string]bool{}
	for _, v := range o.Versions {
		if v.Parameters == nil {
			return nil
		}
		properties, _ := v.Parameters.OpenAPI()["properties"].(map[string]any)
		for name := range properties {
			all[name] = true
		}
	}
	return sortedKeys(all)
}

// checkConstraint checks a semver constraint.
func checkConstraint(d *document, field, value string) {
	if plainNumbers(value) {
		return
	}
	if _, err := semver.NewConstraint(value); value == "" || err != nil {
		d.problem(field, "version", "%q is no version constraint; write one such as %q, %q or %q", wording.Shorten(value), "1", "~1.4", "1.4.2")
	}
}

// plainNumbers says whether a constraint is up to three plain numbers, as nearly all are: to parse one takes several regular
// expressions, for each of the requests of a large merge.
func plainNumbers(constraint string) bool {
	for range 3 {
		number, rest, more := strings.Cut(constraint, ".")
		if !plainNumber(number) {
			return false
		}
		if !more {
			return true
		}
		constraint = rest
	}
	return false
}

func plainNumber(text string) bool {
	if text == "" || len(text) > 9 || text[0] == '0' && len(text) > 1 {
		return false
	}
	for _, c := range []byte(text) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}
