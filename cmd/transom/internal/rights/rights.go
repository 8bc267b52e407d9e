// Package rights is the table of the rights that Transom needs on a cluster of its fleet.
//
// In come the files of a platform; out come rules of RBAC, each with its reason: the fixed ones, and those for the kinds that the
// platform has. It contacts nothing.
package rights

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Namespace is where Transom keeps its own objects on every cluster.
const Namespace = "transom-system"

// A Rule is a right with its reason.
type Rule struct {
	Reason    string            `json:"reason"`
	Namespace string            `json:"namespace,omitempty"` // the only one that it holds in; empty: all
	Rule      rbacv1.PolicyRule `json:"rule"`
}

// String is the rule in a line.
func (r Rule) String() string {
	resources := strings.Join(r.Rule.Resources, ", ")
	if group := r.Rule.APIGroups[0]; group != "" {
		resources += " of " + group
	}
	if len(r.Rule.ResourceNames) > 0 {
		resources += " " + strings.Join(r.Rule.ResourceNames, ", ")
	}
	if r.Namespace != "" {
		resources += " in " + r.Namespace
	}
	return fmt.Sprintf("%s: %s", resources, strings.Join(r.Rule.Verbs, ", "))
}

func rule(reason, namespace, group string, resources []string, verbs ...string) Rule {
	return Rule{Reason: reason, Namespace: namespace, Rule: rbacv1.PolicyRule{APIGroups: []string{group}, Resources: resources, Verbs: verbs}}
}

// Fixed are the rights that Transom needs on every cluster. The ServiceAccount is its own one in
// Namespace.
func Fixed(account string) []Rule {
	token := rule("to renew its own token", Namespace, "", []string{"serviceaccounts/token"}, "create")
	token.Rule.ResourceNames = []string{account}
	return []Rule{
		rule("to tell which cluster it is, and to make the namespaces of teams", "", "", []string{"namespaces"}, "get", "list", "watch", "create", "patch"),
		rule("to keep inventories", Namespace, "", []string{"configmaps"}, "get", "list", "watch", "create", "update", "patch", "delete"),
		token,
		rule("to say why an instance is not healthy, and to delete pods of a failed revision that never started", "", "", []string{"pods"},
			"get", "list", "watch", "delete"),
		rule("to tell the revision of a pod", "", "apps", []string{"controllerrevisions", "replicasets"}, "get", "list"),
		rule("to know the kinds of the cluster", "", "apiextensions.k8s.io", []string{"customresourcedefinitions"}, "get", "list", "watch"),
		rule("to know whether a claim waits for its pod", "", "storage.k8s.io", []string{"storageclasses"}, "get"),
	}
}

// For are the rights to apply, watch and prune objects of some resources, one rule for each group.
func For(resources []schema.GroupResource) []Rule {
	byGroup := map[string][]string{}
	for _, r := range resources {
		byGroup[r.Group] = append(byGroup[r.Group], r.Resource)
	}
	var rules []Rule
	for group, names := range byGroup {
		slices.Sort(names)
		rules = append(rules, rule("to apply the platform's objects", "", group, slices.Compact(names), "get", "list", "watch", "create", "patch", "delete"))
	}
	slices.SortFunc(rules, func(a, b Rule) int { return strings.Compare(a.Rule.APIGroups[0], b.Rule.APIGroups[0]) })
	return rules
}

// fileLimit bounds one file that is looked at for kinds.
const fileLimit = 4 << 20

// Kinds lists the kinds of the objects in the files of a platform's offerings and environments, sorted. They are those that its
// instances can have, and perhaps some more: a file may be a patch that no request uses.
func Kinds(platform fs.FS) ([]schema.GroupKind, error) {
	found := map[schema.GroupKind]bool{}
	for _, dir := range []string{"environments", "offerings"} {
		err := fs.WalkDir(platform, dir, func(name string, entry fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) && name == dir {
				return nil
			}
			isManifest := err == nil && entry.Type().IsRegular() && slices.Contains([]string{".yaml", ".yml"}, path.Ext(name))
			if !isManifest {
				return err
			}
			return addKinds(platform, name, found)
		})
		if err != nil {
			return nil, fmt.Errorf("look for kinds: %w", err)
		}
	}
	var kinds []schema.GroupKind
	for kind := range found {
		kinds = append(kinds, kind)
	}
	slices.SortFunc(kinds, func(a, b schema.GroupKind) int { return strings.Compare(a.String(), b.String()) })
	return kinds, nil
}

// notOurs are the groups of files that are no objects of a cluster.
var notOurs = []string{"transom.dev", "kustomize.config.k8s.io"}

// addKinds adds the kinds of the documents of a file. One that is no YAML has none: "transom check" tells the mistake.
func addKinds(platform fs.FS, name string, found map[schema.GroupKind]bool) error {
	file, err := platform.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	documents := yaml.NewDecoder(io.LimitReader(file, fileLimit))
	for {
		var o struct {
			APIVersion         string           `yaml:"apiVersion"`
			Kind               string           `yaml:"kind"`
			ConfigMapGenerator []map[string]any `yaml:"configMapGenerator"`
			SecretGenerator    []map[string]any `yaml:"secretGenerator"`
		}
		if documents.Decode(&o) != nil {
			return nil
		}
		gv, err := schema.ParseGroupVersion(o.APIVersion)
		if err == nil && o.Kind != "" && gv.Version != "" && !slices.Contains(notOurs, gv.Group) {
			found[gv.WithKind(o.Kind).GroupKind()] = true
		}
		if len(o.ConfigMapGenerator) > 0 {
			found[schema.GroupKind{Kind: "ConfigMap"}] = true
		}
		if len(o.SecretGenerator) > 0 {
			found[schema.GroupKind{Kind: "Secret"}] = true
		}
	}
}
