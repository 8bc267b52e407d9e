package render

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/validate/content"
	"k8s.io/apimachinery/pkg/util/validation"

	"transom.dev/render/internal/kustomize"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// outputProblems checks the objects that Kustomize made against the output rules.
func (d *definitions) outputProblems(c *candidate, env *platform.Environment, namespace string, objects []object) []platform.Problem {
	i := c.instance
	check := output{file: kustomizationOf(i.Version), request: i.Request.File, taken: c.takenAlready()}
	if len(objects) == 0 {
		check.report(check.file, "empty", "renders no objects; list some under resources")
	}
	if len(objects) > kustomize.MaxObjects {
		check.report(check.file, "too-many", "renders %d objects; at most %d are applied", len(objects), kustomize.MaxObjects)
	}
	seen := map[objectID]bool{}
	for _, o := range objects {
		if seen[o.id] {
			check.report(check.file, "duplicate", "renders %s twice", o.id)
		}
		seen[o.id] = true
		check.name(o)
		check.secret(o)
		check.sealed(o, objects)
		check.annotations(o)
		check.kind(o)
		check.served(o)
		check.selectors(o)
	}
	check.reserved(env, objects)
	if i.Version.Scope != platform.ClusterScoped {
		check.contained(namespace, objects, func(o object) bool {
			scope, known := d.scope(i.Version, o.id.group, o.id.kind)
			return known && scope == scopeNamespaced
		})
	}
	return check.problems
}

// contained checks once more, on the rendered objects, that nothing reaches outside the instance's namespace: a value may
// have been written into a kind, a namespace or a subject.
func (c *output) contained(namespace string, objects []object, namespaced func(object) bool) {
	accounts := map[objectID]bool{{"", "ServiceAccount", namespace, "default"}: true}
	for _, o := range objects {
		accounts[o.id] = true
	}
	for _, o := range objects {
		c.accounts(namespace, o)
		if o.id.namespace != namespace || !namespaced(o) {
			c.report(c.file, "namespace", "renders %s outside the namespace %s", o.id, namespace)
		}
		for _, account := range o.subjects {
			if account.namespace == "" {
				account.namespace = namespace
			}
			if !accounts[account] {
				c.report(c.file, "foreign-subject", "renders %s for the %s, which it does not render", o.id, account)
			}
		}
	}
}

type output struct {
	file, request string
	around        bool // it is a namespace file rather than an instance's
	taken         bool // the environment runs the version: rules that are newer than that warn
	problems      []platform.Problem
}

func (c *output) report(file, rule, format string, args ...any) {
	c.problems = append(c.problems, platform.Problem{File: file, Rule: rule, Message: fmt.Sprintf(format, args...)})
}

// nameLimits are the kinds whose names also become labels or parts of other names.
var nameLimits = map[string]int{
	"Namespace":        63,
	"Service":          63,
	"apps/StatefulSet": 52, // with a hash, a label of its pods
	"batch/CronJob":    52, // with a time, the name of its Jobs
	"batch/Job":        63, // a label of its pods
}

func (c *output) name(o object) {
	name := o.id.name
	if name == "" {
		c.report(c.file, "no-name", "renders %s without a name; write metadata.name", article(o.id.kind))
		return
	}
	if limit := nameLimit(o.id); len(name) > limit {
		c.report(c.request, "name-length", "renders the %s %s, whose name is %d characters long and may have %d; "+
			"shorten the request's name", o.id.kind, name, len(name), limit)
		return
	}
	if wrong := invalidName(o.id); wrong != "" {
		c.report(c.file, "name", "renders the %s %q: %s", o.id.kind, name, wrong)
	}
}

func nameLimit(id objectID) int {
	if limit, ok := nameLimits[strings.TrimPrefix(id.group+"/"+id.kind, "/")]; ok {
		return limit
	}
	return validation.DNS1123SubdomainMaxLength
}

func invalidName(id objectID) string {
	var wrong []string
	switch {
	case id.group == "" && id.kind == "Service":
		wrong = validation.IsDNS1035Label(id.name)
	case id.group == "" && id.kind == "Namespace":
		wrong = validation.IsDNS1123Label(id.name)
	case id.group == "rbac.authorization.k8s.io":
		wrong = content.IsPathSegmentName(id.name)
	default:
		wrong = validation.IsDNS1123Subdomain(id.name)
	}
	if len(wrong) == 0 {
		return ""
	}
	rule, _, _ := strings.Cut(wrong[0], " (e.g.")
	return rule
}

// secret allows a Secret without values only: a value in the state repository is no secret.
func (c *output) secret(o object) {
	if o.plaintext {
		c.report(c.file, "plaintext-secret", "renders the Secret %s with values in it, which would be committed; "+
			"use a reference kind such as ExternalSecret, or leave data out and annotate it %s: password, or %s with the keys that a request gives",
			o.id.name, state.AnnotationGenerate, state.AnnotationSealed)
	}
	how, generated := o.annotations[state.AnnotationGenerate]
	switch {
	case !generated:
	case o.id.group != "" || o.id.kind != "Secret":
		c.report(c.file, "generate", "annotates the %s %s %s, which only a Secret can have",
			o.id.kind, o.id.name, state.AnnotationGenerate)
	case how != "password":
		c.report(c.file, "generate", "annotates the Secret %s %s: %s; write password", o.id.name, state.AnnotationGenerate, how)
	case strings.Trim(o.annotations[state.AnnotationGenerateKeys], ", ") == "":
		c.report(c.file, "generate", "generates the Secret %s without keys; list them in the annotation %s",
			o.id.name, state.AnnotationGenerateKeys)
	}
}

// annotations looks once more, on the rendered objects, at annotations that say how an object is applied: a value may have
// been written into one.
func (c *output) annotations(o object) {
	for _, annotation := range slices.Sorted(maps.Keys(o.annotations)) {
		wrong := misplaced(o.id, o.annotations, annotation)
		if c.around && slices.Contains(ordering, annotation) {
			wrong = "it is for the objects of an instance, and what is around a namespace is none; remove it"
		}
		if wrong != "" {
			c.report(c.file, "annotation", "annotates the %s %s %s: %s", o.id.kind, o.id.name, annotation, wrong)
		}
	}
}

func article(kind string) string {
	if kind != "" && strings.ContainsRune("AEIOU", rune(kind[0])) {
		return "an " + kind
	}
	return "a " + kind
}
