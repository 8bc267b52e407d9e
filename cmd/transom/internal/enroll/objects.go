package enroll

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"transom.dev/cmd/transom/internal/installation"
)

// The ServiceAccount that the daemon uses on a cluster, as "transom install --target" has it, too.
const (
	namespace = "transom-system"
	account   = "transom"
	Account   = namespace + "/" + account
)

// renewal is the right of the account to ask for further tokens of itself.
const renewal = `apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: transom-token, namespace: transom-system}
rules:
- apiGroups: [""]
  resources: [serviceaccounts/token]
  resourceNames: [transom]
  verbs: [create]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: transom-token, namespace: transom-system}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: transom-token}
subjects: [{kind: ServiceAccount, name: transom, namespace: transom-system}]
`

// bound binds the account to a ClusterRole in all namespaces.
const bound = `apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: "transom:%[1]s"}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: %[1]q}
subjects: [{kind: ServiceAccount, name: transom, namespace: transom-system}]
`

// objects are everything that the target gets: the account with the rights that it always needs, those that the platform
// needs, and those that were asked for beside.
func (m *Member) objects() ([]*unstructured.Unstructured, error) {
	target, err := installation.Target()
	if err != nil {
		return nil, err
	}
	platform, err := m.Rights.Manifests(true)
	if err != nil {
		return nil, err
	}
	manifests := []string{string(target), string(platform), renewal}
	for _, role := range m.ClusterRoles {
		manifests = append(manifests, fmt.Sprintf(bound, role))
	}
	list, err := installation.NewList([]byte(strings.Join(manifests, "\n---\n")))
	if err != nil {
		return nil, err
	}
	var all []*unstructured.Unstructured
	for _, fields := range list.Items {
		all = append(all, &unstructured.Unstructured{Object: fields})
	}
	slices.SortStableFunc(all, func(a, b *unstructured.Unstructured) int { return order(a) - order(b) })
	return all, nil
}

// order has the namespace made before anything in it, and the rights before the account's first token.
func order(o *unstructured.Unstructured) int {
	if o.GetKind() == "Namespace" {
		return 0
	}
	return 1
}

// Manifests are the objects that Grant makes, as YAML.
func (m *Member) Manifests() (string, error) {
	objects, err := m.objects()
	if err != nil {
		return "", err
	}
	var all []string
	for _, o := range objects {
		data, err := yaml.Marshal(o.Object)
		if err != nil {
			return "", fmt.Errorf("encode %s: %w", o.GetKind(), err)
		}
		all = append(all, string(data))
	}
	return strings.Join(all, "---\n"), nil
}

// Granted lists the rights in a line each, as their objects have them.
func (m *Member) Granted() ([]string, error) {
	objects, err := m.objects()
	if err != nil {
		return nil, err
	}
	var lines []string
	for _, o := range objects {
		rules, _, _ := unstructured.NestedSlice(o.Object, "rules")
		for _, rule := range rules {
			fields, _ := rule.(map[string]any)
			texts := func(name string) string {
				list, _, _ := unstructured.NestedStringSlice(fields, name)
				return strings.Join(list, ", ")
			}
			line := texts("resources")
			if group := texts("apiGroups"); group != "" {
				line += " of " + group
			}
			if names := texts("resourceNames"); names != "" {
				line += " " + names
			}
			if o.GetNamespace() != "" {
				line += " in " + o.GetNamespace()
			}
			lines = append(lines, line+": "+texts("verbs"))
		}
	}
	for _, role := range m.ClusterRoles {
		lines = append(lines, "everything of ClusterRole "+role)
	}
	return lines, nil
}

// resourceOf is the resource of a kind of Target, whose names are all regular.
func resourceOf(o *unstructured.Unstructured) (plural string) {
	resource, _ := meta.UnsafeGuessKindToResource(o.GroupVersionKind())
	return resource.Resource
}
