package enroll

import (
	"fmt"
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"transom.dev/cmd/transom/internal/rights"
)

// Account is the ServiceAccount that the daemon uses on a cluster, and the name of everything that gives it rights.
const Account = "transom"

const rbacGroup = "rbac.authorization.k8s.io"

// An object is one that the target gets, and the resource that it is one of.
type object struct {
	resource schema.GroupVersionResource
	*unstructured.Unstructured
}

func newObject(gv schema.GroupVersion, kind, plural, namespace, name string, fields map[string]any) object {
	u := &unstructured.Unstructured{Object: map[string]any{}}
	for field, value := range fields {
		u.Object[field] = value
	}
	u.SetGroupVersionKind(gv.WithKind(kind))
	u.SetName(name)
	u.SetNamespace(namespace)
	return object{gv.WithResource(plural), u}
}

// objects are everything that the target gets, in the order in which it is made: the rights before the account's first token.
func (m *Member) objects() ([]object, error) {
	core, rbac := schema.GroupVersion{Version: "v1"}, schema.GroupVersion{Group: rbacGroup, Version: "v1"}
	subjects := []any{map[string]any{"kind": "ServiceAccount", "name": Account, "namespace": rights.Namespace}}
	refer := func(kind, name string) map[string]any {
		return map[string]any{"subjects": subjects, "roleRef": map[string]any{"apiGroup": rbacGroup, "kind": kind, "name": name}}
	}
	everywhere, here, err := m.policies()
	if err != nil {
		return nil, err
	}
	all := []object{
		newObject(core, "Namespace", "namespaces", "", rights.Namespace, nil),
		newObject(core, "ServiceAccount", "serviceaccounts", rights.Namespace, Account, nil),
		newObject(rbac, "ClusterRole", "clusterroles", "", Account, map[string]any{"rules": everywhere}),
		newObject(rbac, "ClusterRoleBinding", "clusterrolebindings", "", Account, refer("ClusterRole", Account)),
		newObject(rbac, "Role", "roles", rights.Namespace, Account, map[string]any{"rules": here}),
		newObject(rbac, "RoleBinding", "rolebindings", rights.Namespace, Account, refer("Role", Account)),
	}
	for _, role := range m.ClusterRoles {
		all = append(all, newObject(rbac, "ClusterRoleBinding", "clusterrolebindings", "", Account+":"+role, refer("ClusterRole", role)))
	}
	return all, nil
}

// policies are the rules that hold in all namespaces, and those of Transom's own.
func (m *Member) policies() (everywhere, here []any, err error) {
	for _, r := range m.Rules {
		policy := rbacv1.PolicyRule{
			APIGroups: slices.Clone(r.Rule.APIGroups), Resources: r.Rule.Resources, ResourceNames: r.Rule.ResourceNames, Verbs: r.Rule.Verbs,
		}
		fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&policy)
		if err != nil {
			return nil, nil, fmt.Errorf("encode a rule: %w", err)
		}
		switch r.Namespace {
		case "":
			everywhere = append(everywhere, fields)
		case rights.Namespace:
			here = append(here, fields)
		default:
			return nil, nil, fmt.Errorf("a rule for namespace %s, which is not Transom's", r.Namespace)
		}
	}
	return everywhere, here, nil
}
