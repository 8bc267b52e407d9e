package platform

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"transom.dev/render/strictyaml"
	"transom.dev/render/wording"
)

// maxProblems bounds how many Problems one file can have, so that those of the others are still seen.
const maxProblems = 50

// document is one file of ours while it is read. Fields are named by paths such as spec.environments.prod.version or
// spec.components[0].path, and a Problem stands where its field's key does.
type document struct {
	path     string
	object   *strictyaml.Object // nil where the file could not be parsed
	problems []Problem
	source   *source // parsed once a position is asked for, where object is not set
	opaque   bool    // part of the document's subject cannot be read, as is reported elsewhere

	// the subject of every Problem of the file
	request     *RequestKey
	environment string
}

// object is the shape that all kinds of a platform repository share.
type object[S any] struct {
	APIVersion string `json:"apiVersion" decode:"required"`
	Kind       string `json:"kind" decode:"required"`
	Metadata   struct {
		Name        string            `decode:"required"`
		Labels      map[string]string `json:"labels"`
		Annotations map[string]string `json:"annotations"`
	} `decode:"required"`
	Spec S `decode:"required"`
}

// parse makes the document's tree of data.
func (d *document) parse(data []byte) {
	object, problems := strictyaml.Parse(data)
	d.object = object
	d.addFrom(problems)
}

// read decodes the document as the one object of the given kind that belongs here, whose name its path gives. It
// returns false where nothing of the spec could be read.
func read[S any](d *document, kind, name string, marks ...strictyaml.Mark) (o object[S], ok bool) {
	if d.object == nil || !d.checkHeader(kind) {
		return o, false
	}
	d.addFrom(d.object.Decode(&o, marks...))
	if got := o.Metadata.Name; got != name && got != "" {
		d.problem("metadata.name", "name", "must be %q, as its place in the repository says, not %q", name, got)
	}
	d.checkLabels("metadata.labels", o.Metadata.Labels)
	return o, true
}

// checkHeader checks the fields that must be right before anything else of the file means something.
func (d *document) checkHeader(kinds ...string) bool {
	before := len(d.problems)
	switch v := d.object.Text("apiVersion"); v {
	case APIVersion:
	case "":
		d.problem("apiVersion", "required", "is required; write apiVersion: %s", APIVersion)
	default:
		d.problem("apiVersion", "api-version", "must be %s, not %q", APIVersion, wording.Shorten(v))
	}
	switch k := d.object.Text("kind"); {
	case slices.Contains(kinds, k):
	case k == "":
		d.problem("kind", "required", "is required; a file here is of kind %s", strings.Join(kinds, " or "))
	default:
		d.problem("kind", "kind", "must be %s here, not %q%s", strings.Join(kinds, " or "), wording.Shorten(k), wording.Suggest(k, kinds))
	}
	return len(d.problems) == before
}

func (d *document) checkLabels(field string, values map[string]string) {
	for _, k := range sortedKeys(values) {
		errs := append(validation.IsQualifiedName(k), validation.IsValidLabelValue(values[k])...)
		for _, e := range errs {
			e, _, _ = strings.Cut(e, " (e.g.")
			d.problem(field+"."+k, "label", "is no Kubernetes label: %s", e)
		}
	}
}

// problem reports a Problem of a field at its key, or at the nearest field around it that is there.
func (d *document) problem(field, rule, format string, args ...any) {
	d.add(d.at(field, rule, fmt.Sprintf(format, args...)))
}

// warn is problem for a Warning, which blocks nothing.
func (d *document) warn(field, rule, format string, args ...any) {
	p := d.at(field, rule, fmt.Sprintf(format, args...))
	p.Warning = true
	d.add(p)
}

// at returns a Problem of a field without reporting it.
func (d *document) at(field, rule, message string) Problem {
	if d.object == nil && d.source != nil {
		d.object = d.source.object()
		d.source = nil
	}
	line, column := d.object.Position(field)
	return Problem{File: d.path, Line: line, Column: column, Field: field, Rule: rule, Message: message}
}

// addFrom adds the Problems of the document's YAML.
func (d *document) addFrom(problems []strictyaml.Problem) {
	for _, p := range problems {
		d.add(FromYAML(d.path, p))
	}
}

func (d *document) add(p Problem) {
	if p.Request == nil {
		p.Request = d.request
	}
	p.Environment = cmp.Or(p.Environment, d.environment)
	if !d.full() && !d.hasProblemOf(p) {
		d.problems = append(d.problems, p)
	}
}

// full says that the file has as many Problems as are told of one: nothing more has to be found.
func (d *document) full() bool { return len(d.problems) >= maxProblems }

// How many entries a list may have that is gone through again and again, and one of names, of which a large platform has many.
const (
	maxListed = 1000
	maxNamed  = 10_000
)

// tooLong reports a list that is so long that going through it takes long.
func (d *document) tooLong(field string, length int) bool { return d.longer(field, length, maxListed) }

// longer reports a list that is longer than most entries.
func (d *document) longer(field string, length, most int) bool {
	if length > most {
		d.problem(field, "too-many", "has %d entries; at most %d", length, most)
	}
	return length > most
}

// hasProblemOf finds an earlier Problem of the same field: the value of a field that could not be read is not judged again.
func (d *document) hasProblemOf(p Problem) bool {
	return p.Field != "" && !p.Warning && slices.ContainsFunc(d.problems, func(o Problem) bool {
		return o.File == p.File && o.Field == p.Field && o.Line == p.Line && !o.Warning
	})
}

// wrongBelow says whether a field or anything in it has a Problem.
func (d *document) wrongBelow(field string) bool {
	return slices.ContainsFunc(d.problems, func(p Problem) bool { return !p.Warning && strings.HasPrefix(p.Field, field) })
}

// broken says whether the document's subject cannot be used.
func (d *document) broken() bool { return d.opaque || broken(d.problems) }

// broken says whether any Problem blocks.
func broken(problems []Problem) bool {
	return slices.ContainsFunc(problems, func(p Problem) bool { return !p.Warning })
}
