package render

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"transom.dev/render/platform"
)

// reportNew reports a breach of a rule that is newer than versions that run. It only warns about those: a release that runs
// is never stopped by a new binary.
func (c *output) reportNew(file, rule, format string, args ...any) {
	c.report(file, rule, format, args...)
	c.problems[len(c.problems)-1].Warning = c.taken
}

// actions are the kinds, by GROUP/KIND, whose creation does something once and leaves nothing that could be kept as it is.
var actions = map[string]bool{
	"/Binding": true,
	"authentication.k8s.io/SelfSubjectReview":       true,
	"authentication.k8s.io/TokenRequest":            true,
	"authentication.k8s.io/TokenReview":             true,
	"authorization.k8s.io/LocalSubjectAccessReview": true,
	"authorization.k8s.io/SelfSubjectAccessReview":  true,
	"authorization.k8s.io/SelfSubjectRulesReview":   true,
	"authorization.k8s.io/SubjectAccessReview":      true,
	"certificates.k8s.io/CertificateSigningRequest": true,
	"policy/Eviction":                               true,
}

// kind refuses objects that are no state to be kept.
func (c *output) kind(o object) {
	if actions[o.id.group+"/"+o.id.kind] {
		c.reportNew(c.file, "action", "renders the %s %s, which is an action and no object that could be kept as it is; remove it",
			o.id.kind, o.id.name)
	}
}

// served refuses fields that only an API server fills, and warns of a status, which is not applied.
func (c *output) served(o object) {
	if len(o.served) > 0 {
		c.reportNew(c.file, "server-field", "renders the %s %s with %s in its metadata, which only the API server writes; remove that",
			o.id.kind, o.id.name, strings.Join(o.served, ", "))
	}
	if o.reports {
		c.report(c.file, "status", "renders the %s %s with a status, which is not applied, because the cluster's controllers "+
			"write it; remove it", o.id.kind, o.id.name)
		c.problems[len(c.problems)-1].Warning = true
	}
}

// accounts refuses bindings that reach the ServiceAccounts of another namespace by the name of a user or a group.
func (c *output) accounts(namespace string, o object) {
	for _, s := range o.named {
		if s.namespace == namespace {
			continue
		}
		whose := "all namespaces"
		if s.namespace != "" {
			whose = "namespace " + s.namespace
		}
		c.reportNew(c.file, "foreign-subject", "renders %s for the %s %q, which is ServiceAccounts of %s; bind its own ServiceAccount",
			o.id, s.kind, s.name, whose)
	}
}

// reserved keeps out of the namespaces of Kubernetes and Transom, but for the kinds that the environment leaves to offerings.
func (c *output) reserved(e *platform.Environment, objects []object) {
	missing := map[string]map[platform.ReservedKind]bool{} // by namespace
	for _, o := range objects {
		namespace := o.id.namespace
		if o.id.group == "" && o.id.kind == "Namespace" {
			namespace = o.id.name
		}
		needed := platform.ReservedKind{Namespace: namespace, Group: o.id.group, Kind: o.id.kind}
		if !platform.ReservedNamespace(namespace) || slices.Contains(e.Reserved, needed) {
			continue
		}
		if missing[namespace] == nil {
			missing[namespace] = map[platform.ReservedKind]bool{}
		}
		missing[namespace][needed] = true
	}
	for _, namespace := range slices.Sorted(maps.Keys(missing)) {
		var kinds []string
		for k := range missing[namespace] {
			if k.Group == "" {
				kinds = append(kinds, fmt.Sprintf("{kind: %s}", k.Kind))
			} else {
				kinds = append(kinds, fmt.Sprintf("{group: %s, kind: %s}", k.Group, k.Kind))
			}
		}
		slices.Sort(kinds)
		c.reportNew(c.file, "reserved", "reaches into the namespace %s, which is closed to offerings; if they may have that there, add to "+
			"spec.reserved of %s: - {namespace: %s, kinds: [%s]}", namespace, path.Clean(e.File), namespace, strings.Join(kinds, ", "))
	}
}
