package installation

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
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
	"transom.dev/render/platform"
)

// verbs are the rights on a kind of which there are manifests: its objects are watched, applied and pruned.
var verbs = []string{"get", "list", "watch", "create", "patch", "delete"}

// The group of roles and bindings.
const rbac = rbacv1.GroupName

// Rights are the rights that the daemon needs on a cluster for the kinds that a platform renders.
type Rights struct {
	Rules []rbacv1.PolicyRule

	// Guessed are the kinds that neither Kubernetes nor the platform defines, so that their resource is guessed.
	Guessed []string
	// Problems are those of the platform. A version or an environment that has one may be missing from the rules.
	Problems []platform.Problem
}

// RightsFor finds the rights that all versions of a platform's offerings need, with all of their components, and the overlays of
// its environments.
func RightsFor(p *platform.Platform) (*Rights, error) {
	r, f := &Rights{Problems: p.Problems}, newFinder()
	var renderer render.Renderer
	for _, name := range slices.Sorted(maps.Keys(p.Offerings)) {
		for _, v := range p.Offerings[name].Versions {
			documents, problems := renderer.Documents(v)
			r.Problems = append(r.Problems, problems...)
			if err := f.version(documents); err != nil {
				return nil, fmt.Errorf("%s: %w", v, err)
			}
		}
	}
	states, err := workspace.RenderFresh(p)
	if err != nil {
		return nil, err
	}
	for _, state := range states {
		r.Problems = append(r.Problems, state.Problems...)
		for file, content := range state.Changes {
			if strings.HasPrefix(file, "clusters/") && path.Ext(file) == ".yaml" {
				if err := f.manifest(content); err != nil {
					return nil, fmt.Errorf("%s of %s: %w", file, state.Environment, err)
				}
			}
		}
	}
	r.Rules, r.Guessed = f.rules()
	slices.SortFunc(r.Problems, platform.Problem.Compare)
	r.Problems = slices.CompactFunc(r.Problems, func(a, b platform.Problem) bool { return a.Compare(b) == 0 })
	return r, nil
}

// finder collects kinds, and the rights that roles grant: nobody may grant a right that he does not have.
type finder struct {
	kinds   map[schema.GroupKind]bool
	defined map[schema.GroupKind]string // resources, by the CustomResourceDefinitions of the platform
	granted []rbacv1.PolicyRule
}

func newFinder() *finder {
	return &finder{kinds: map[schema.GroupKind]bool{}, defined: map[schema.GroupKind]string{}}
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
func (f *finder) version(documents []*yaml.Node) error {
	objects := make([]anObject, len(documents))
	own := map[string]bool{}
	for i, document := range documents {
		if err := decodeLeniently(document, &objects[i]); err != nil {
			return err
		}
		own[objects[i].Kind+"/"+objects[i].Metadata.Name] = true
	}
	for i := range objects {
		f.object(&objects[i], own)
	}
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

// manifest takes the objects of a manifest of a state, but for the namespaces of teams, which the daemon may make anyway.
func (f *finder) manifest(content []byte) error {
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	for {
		var o anObject
		switch err := decoder.Decode(&o); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil && !errors.As(err, new(*yaml.TypeError)):
			return err
		}
		if gk := o.groupKind(); gk.Kind != "" && gk != (schema.GroupKind{Kind: "Namespace"}) {
			f.kinds[gk] = true
		}
	}
}

// object takes one object of a version with the given roles of its own.
func (f *finder) object(o *anObject, own map[string]bool) {
	gk := o.groupKind()
	f.kinds[gk] = true
	switch {
	case gk == schema.GroupKind{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition"}:
		f.defined[schema.GroupKind{Group: o.Spec.Group, Kind: o.Spec.Names.Kind}] = o.Spec.Names.Plural
	case gk.Group != rbac:
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

func resourceOf(gk schema.GroupKind) string {
	plural, _ := meta.UnsafeGuessKindToResource(gk.WithVersion("v1"))
	return plural.Resource
}

// rules are the rights on all kinds, a rule for each API group, and then those that roles grant.
func (f *finder) rules() (rules []rbacv1.PolicyRule, guessed []string) {
	groups := map[string][]string{}
	for gk := range f.kinds {
		resource := cmp.Or(f.defined[gk], resourceOf(gk))
		if _, known := builtin.Scope(gk.Group, gk.Kind); !known && f.defined[gk] == "" {
			guessed = append(guessed, gk.String()+" as "+resource)
		}
		groups[gk.Group] = append(groups[gk.Group], resource)
	}
	for _, group := range slices.Sorted(maps.Keys(groups)) {
		slices.Sort(groups[group])
		rules = append(rules, rbacv1.PolicyRule{APIGroups: []string{group}, Resources: groups[group], Verbs: verbs})
	}
	slices.SortFunc(f.granted, func(a, b rbacv1.PolicyRule) int { return strings.Compare(a.String(), b.String()) })
	granted := slices.CompactFunc(f.granted, func(a, b rbacv1.PolicyRule) bool { return a.String() == b.String() })
	slices.Sort(guessed)
	return append(rules, granted...), guessed
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
