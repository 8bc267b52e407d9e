package installation

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	k8syaml "sigs.k8s.io/yaml"

	"transom.dev/cmd/transom/internal/workspace"
	"transom.dev/render"
	"transom.dev/render/builtin"
	"transom.dev/render/inquiry"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// The rights on a kind of which there are manifests: its objects are watched, applied and pruned. Where ServiceAccounts of teams
// write them, they are only watched.
var (
	reading = []string{"get", "list", "watch"}
	writing = append(slices.Clone(reading), "create", "patch", "delete")
)

// The group of roles and bindings.
const rbac = rbacv1.GroupName

// Rights are the rights that the daemon needs on a cluster for the kinds that a platform renders.
type Rights struct {
	Rules []rbacv1.PolicyRule

	// Guessed are the kinds that neither Kubernetes nor the platform defines, so that their resource is guessed.
	Guessed []string
	// Problems are those of the platform. A version or an environment that has one may be missing from the rules.
	Problems []platform.Problem

	from map[string]string // who renders a resource, by its name and group
}

// RightsFor finds the rights that all versions of a platform's offerings need, with all of their components, and the overlays of
// its environments.
func RightsFor(p *platform.Platform) (*Rights, error) {
	r, f := &Rights{Problems: p.Problems}, newFinder(p)
	var renderer render.Renderer
	for _, name := range slices.Sorted(maps.Keys(p.Offerings)) {
		for _, v := range p.Offerings[name].Versions {
			documents, problems := renderer.Documents(v)
			r.Problems = append(r.Problems, problems...)
			if err := f.version(v, documents); err != nil {
				return nil, fmt.Errorf("%s: %w", v, err)
			}
		}
	}
	states, err := workspace.RenderFresh(p)
	if err != nil {
		return nil, err
	}
	for _, rendered := range states {
		r.Problems = append(r.Problems, rendered.Problems...)
		for file, content := range rendered.Changes {
			if err := f.file(rendered.Environment, file, content); err != nil {
				return nil, fmt.Errorf("%s of %s: %w", file, rendered.Environment, err)
			}
		}
	}
	f.checks(p)
	r.Rules, r.Guessed, r.from = f.rules()
	r.Rules = append(r.Rules, impersonation(p)...)
	r.Rules = append(r.Rules, showing(p)...)
	slices.SortFunc(r.Problems, platform.Problem.Compare)
	r.Problems = slices.CompactFunc(r.Problems, func(a, b platform.Problem) bool { return a.Compare(b) == 0 })
	return r, nil
}

// finder collects kinds, and the rights that roles grant: nobody may grant a right that he does not have.
type finder struct {
	environments map[string]*platform.Environment
	allAccounts  bool // all environments write objects as ServiceAccounts

	kinds   map[schema.GroupKind]bool   // whether the daemon writes them as itself
	from    map[schema.GroupKind]string // who renders them
	defined map[schema.GroupKind]string // resources, by the CustomResourceDefinitions of the platform
	granted []rbacv1.PolicyRule
}

func newFinder(p *platform.Platform) *finder {
	f := &finder{
		environments: p.Environments, allAccounts: len(p.Environments) > 0,
		kinds: map[schema.GroupKind]bool{}, from: map[schema.GroupKind]string{}, defined: map[schema.GroupKind]string{},
	}
	for _, e := range p.Environments {
		f.allAccounts = f.allAccounts && e.Impersonate.ServiceAccount != nil
	}
	return f
}

// anObject has the fields of any object that say which rights it takes to write it.
type anObject struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string `yaml:"kind"`
	Metadata   struct {
		Name string `yaml:"name"`
	} `yaml:"metadata"`
	Rules       []policyRule `yaml:"rules"`
	Aggregation any          `yaml:"aggregationRule"`
	RoleRef     struct {
		Kind string `yaml:"kind"`
		Name string `yaml:"name"`
	} `yaml:"roleRef"`
	Spec struct {
		Group string `yaml:"group"`
		Names struct {
			Kind   string `yaml:"kind"`
			Plural string `yaml:"plural"`
		} `yaml:"names"`
	} `yaml:"spec"`
}

// policyRule is rbacv1.PolicyRule as the YAML library reads it.
type policyRule struct {
	Verbs           []string `yaml:"verbs"`
	APIGroups       []string `yaml:"apiGroups"`
	Resources       []string `yaml:"resources"`
	ResourceNames   []string `yaml:"resourceNames"`
	NonResourceURLs []string `yaml:"nonResourceURLs"`
}

func (o *anObject) groupKind() schema.GroupKind {
	return schema.FromAPIVersionAndKind(o.APIVersion, o.Kind).GroupKind()
}

// version takes the objects of one version.
func (f *finder) version(v *platform.Version, documents []*yaml.Node) error {
	objects := make([]anObject, len(documents))
	for i, document := range documents {
		if err := decodeLeniently(document, &objects[i]); err != nil {
			return err
		}
	}
	f.objects(objects, v.String(), !f.allAccounts)
	return nil
}

// decodeLeniently reads the fields that have the type of their destination: other kinds may have fields of the same names and
// other types.
func decodeLeniently(node *yaml.Node, to *anObject) error {
	var mistyped *yaml.TypeError
	if err := node.Decode(to); err != nil && !errors.As(err, &mistyped) {
		return err
	}
	return nil
}

// file takes the objects of a file of an environment's state, but for the namespaces of teams, which the daemon may make anyway.
func (f *finder) file(environment, file string, content []byte) error {
	_, _, ofTeam := state.ParseNamespaceFile(file)
	if _, _, ofInstance := state.ParseManifestFile(file); !ofTeam && !ofInstance {
		return nil
	}
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	var objects []anObject
	for {
		var o anObject
		switch err := decoder.Decode(&o); {
		case errors.Is(err, io.EOF):
			f.objects(objects, "environments/"+environment, ofTeam || f.environments[environment].Impersonate.ServiceAccount == nil)
			return nil
		case err != nil && !errors.As(err, new(*yaml.TypeError)):
			return err
		}
		if gk := o.groupKind(); gk.Kind != "" && gk != (schema.GroupKind{Kind: "Namespace"}) {
			objects = append(objects, o)
		}
	}
}

// objects takes objects that come together, which the daemon writes as itself or only reads.
func (f *finder) objects(all []anObject, from string, written bool) {
	own := map[string]bool{}
	for i := range all {
		own[all[i].Kind+"/"+all[i].Metadata.Name] = true
	}
	for i := range all {
		gk := all[i].groupKind()
		f.kinds[gk] = f.kinds[gk] || written
		f.from[gk] = cmp.Or(f.from[gk], from)
		if gk == (schema.GroupKind{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition"}) {
			spec := all[i].Spec
			f.defined[schema.GroupKind{Group: spec.Group, Kind: spec.Names.Kind}] = spec.Names.Plural
		}
		if written && gk.Group == rbac {
			f.role(&all[i], own)
		}
	}
}

// role takes a role or a binding, beside given roles.
func (f *finder) role(o *anObject, own map[string]bool) {
	switch {
	case strings.HasSuffix(o.Kind, "Binding"):
		if !own[o.RoleRef.Kind+"/"+o.RoleRef.Name] {
			f.granted = append(f.granted, rbacv1.PolicyRule{
				APIGroups: []string{rbac}, Resources: []string{resourceOf(schema.GroupKind{Group: rbac, Kind: o.RoleRef.Kind})},
				ResourceNames: []string{o.RoleRef.Name}, Verbs: []string{"bind"},
			})
		}
	case o.Aggregation != nil: // its rights are those that others add to it
		f.granted = append(f.granted, rbacv1.PolicyRule{APIGroups: []string{rbac}, Resources: []string{"clusterroles"}, Verbs: []string{"escalate"}})
	default:
		for _, rule := range o.Rules {
			f.granted = append(f.granted, rbacv1.PolicyRule(rule))
		}
	}
}

// impersonation is the right to act as the ServiceAccounts of teams, and to see whether there is one.
func impersonation(p *platform.Platform) (rules []rbacv1.PolicyRule) {
	names := map[string]bool{}
	for _, e := range p.Environments {
		if _, name, found := strings.Cut(e.Impersonate.ClusterScoped, "/"); found {
			names[name] = true
		}
		for _, r := range p.Requests() {
			if name, err := e.Impersonate.Account(r.Key.Team); err == nil && name != "" {
				names[name] = true
			}
		}
	}
	if len(names) == 0 {
		return nil
	}
	return []rbacv1.PolicyRule{{
		APIGroups: []string{""}, Resources: []string{"serviceaccounts"}, ResourceNames: slices.Sorted(maps.Keys(names)), Verbs: []string{"get", "impersonate"},
	}}
}

// checks adds the kinds of checks by Jobs, which run beside what the environments before have.
func (f *finder) checks(p *platform.Platform) {
	for name, e := range p.Environments {
		if !slices.ContainsFunc(e.Gates.Checks, func(c *inquiry.Check) bool { return c.Job != "" }) {
			continue
		}
		for _, up := range p.Graph.Upstream(name) {
			written := p.Environments[up] != nil && p.Environments[up].Impersonate.ServiceAccount == nil
			kinds := []schema.GroupKind{{Kind: "ConfigMap"}, {Group: "batch", Kind: "Job"}}
			if p.Environments[up] != nil && len(p.Environments[up].PullSecrets) > 0 {
				kinds = append(kinds, schema.GroupKind{Kind: "Secret"})
			}
			for _, gk := range kinds {
				f.kinds[gk] = f.kinds[gk] || written
				f.from[gk] = cmp.Or(f.from[gk], "a check of environments/"+name)
			}
		}
	}
}

// showing are the rights to show people the logs and Events of pods, where an environment lets them.
func showing(p *platform.Platform) []rbacv1.PolicyRule {
	for _, e := range p.Environments {
		if e.Logs {
			return []rbacv1.PolicyRule{
				{APIGroups: []string{""}, Resources: []string{"pods/log"}, Verbs: []string{"get"}},
				{APIGroups: []string{""}, Resources: []string{"events"}, Verbs: []string{"list"}},
			}
		}
	}
	return nil
}

func resourceOf(gk schema.GroupKind) string {
	plural, _ := meta.UnsafeGuessKindToResource(gk.WithVersion("v1"))
	return plural.Resource
}

// rules are the rights on all kinds, sorted by API group, and then those that roles grant.
func (f *finder) rules() (rules []rbacv1.PolicyRule, guessed []string, from map[string]string) {
	from = map[string]string{}
	type ruled struct {
		group   string
		written bool
	}
	resources := map[ruled][]string{}
	for gk, written := range f.kinds {
		resource := cmp.Or(f.defined[gk], resourceOf(gk))
		if _, known := builtin.Scope(gk.Group, gk.Kind); !known && f.defined[gk] == "" {
			guessed = append(guessed, gk.String()+" as "+resource)
		}
		from[schema.GroupResource{Group: gk.Group, Resource: resource}.String()] = f.from[gk]
		of := ruled{gk.Group, written}
		resources[of] = append(resources[of], resource)
	}
	for of, list := range resources {
		verbs := reading
		if of.written {
			verbs = writing
		}
		slices.Sort(list)
		rules = append(rules, rbacv1.PolicyRule{APIGroups: []string{of.group}, Resources: list, Verbs: verbs})
	}
	slices.SortFunc(rules, func(a, b rbacv1.PolicyRule) int {
		return strings.Compare(a.APIGroups[0]+a.Resources[0], b.APIGroups[0]+b.Resources[0])
	})
	slices.SortFunc(f.granted, func(a, b rbacv1.PolicyRule) int { return strings.Compare(a.String(), b.String()) })
	granted := slices.CompactFunc(f.granted, func(a, b rbacv1.PolicyRule) bool { return a.String() == b.String() })
	slices.Sort(guessed)
	return append(rules, granted...), guessed, from
}

// Manifests are a ClusterRole with the rights, bound to the daemon's ServiceAccount on its own cluster, or on any other one.
func (r *Rights) Manifests(target bool) ([]byte, error) {
	const name = "transom-platform"
	labels := map[string]string{"app.kubernetes.io/part-of": "transom"}
	role := rbacv1.ClusterRole{
		TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "ClusterRole"},
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}, Rules: r.Rules,
	}
	namespace := daemonNamespace
	if target {
		namespace = systemNamespace
	}
	binding := rbacv1.ClusterRoleBinding{
		TypeMeta:   metav1.TypeMeta{APIVersion: role.APIVersion, Kind: "ClusterRoleBinding"},
		ObjectMeta: role.ObjectMeta,
		RoleRef:    rbacv1.RoleRef{APIGroup: rbac, Kind: role.Kind, Name: name},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: "transom", Namespace: namespace}},
	}
	first, err := k8syaml.Marshal(role)
	if err != nil {
		return nil, fmt.Errorf("write the role: %w", err)
	}
	second, err := k8syaml.Marshal(binding)
	if err != nil {
		return nil, fmt.Errorf("write the binding: %w", err)
	}
	return slices.Concat(first, []byte("---\n"), second), nil
}
