package render

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"transom.dev/render/builtin"
	"transom.dev/render/internal/kinds"
	"transom.dev/render/platform"
)

// unprefixed warns about text that equals the name that an object had before its prefix. Kustomize renames the
// references that it knows; it does not reach into annotations, environment variables, arguments, ConfigMaps and custom
// kinds, nor to a Secret that a custom resource makes.
func unprefixed(l *locator, prefix, file string, rendered []*yaml.Node) (warnings []platform.Problem) {
	named := map[string][]string{} // the kinds of the objects of a name
	custom := map[string]bool{}    // kinds that are not Kubernetes' own
	for _, o := range l.skeleton.Objects {
		if group, _ := groupOf(o.APIVersion); !slices.Contains(named[o.Name], o.Kind) {
			named[o.Name] = append(named[o.Name], o.Kind)
			if _, known := builtin.Scope(group, o.Kind); !known {
				custom[o.Kind] = true
			}
		}
	}
	for _, document := range rendered {
		root := document.Content[0]
		at := -2
		visit := &textVisitor{custom: custom[valueOf(root, "kind")], renamed: prefix != ""}
		visit.found = func(text *yaml.Node, parent *yaml.Node) {
			of := meant(named[text.Value], custom, visit.path, parent)
			if len(of) == 0 {
				return
			}
			if at == -2 {
				at = l.index(root, prefix)
			}
			are := "the " + of[0] + " is"
			if last := len(of) - 1; last > 0 {
				are = "the " + strings.Join(of[:last], ", the ") + " and the " + of[last] + " are"
			}
			warnings = append(warnings, l.problem(at, root, file, kinds.Fault{
				Path: slices.Clone(visit.path), Rule: "unprefixed-name", Value: text,
				Message: fmt.Sprintf("%q is what %s called before the prefix; compute the final name: request.name + %q",
					text.Value, are, "-"+text.Value),
			}))
			warnings[len(warnings)-1].Warning = true
		}
		visit.node(root, nil)
	}
	return warnings
}

// referred are the kinds that fields of custom resources name by themselves, where no kind stands beside the name.
var referred = map[string]string{
	"backendRef": "Service", "backendRefs": "Service", "service": "Service", "serviceName": "Service",
	"scaleTargetRef": "Deployment", "issuerRef": "Issuer", "parentRefs": "Gateway",
	"secretName": "Secret", "secretRef": "Secret", "secretKeyRef": "Secret", "secret": "Secret", "imagePullSecrets": "Secret",
	"secretProviderClass": "SecretProviderClass",
}

// meant are the kinds, among those of the objects of a name, that text may mean: the one that the kind beside it or the field
// says, or any. Who names a Secret that no object is means the custom resource that makes it.
func meant(among []string, custom map[string]bool, path kinds.Path, parent *yaml.Node) []string {
	if len(among) == 0 {
		return nil
	}
	want := valueOf(parent, "kind")
	for i := len(path) - 1; i >= 0 && i >= len(path)-3 && want == ""; i-- {
		want = referred[path[i].Name]
		last := path[i].Name[strings.LastIndexAny(path[i].Name, "/.")+1:]
		for _, kind := range among {
			if want == "" && i == len(path)-1 && strings.EqualFold(last, kind) {
				want = kind
			}
		}
	}
	switch {
	case want == "":
		return among
	case slices.Contains(among, want):
		return []string{want}
	case want == "Secret":
		return slices.DeleteFunc(slices.Clone(among), func(kind string) bool { return !custom[kind] })
	}
	return nil
}

func valueOf(m *yaml.Node, key string) string {
	for i := 0; m != nil && i+1 < len(m.Content); i += 2 {
		if m.Content[i].Value == key {
			return m.Content[i+1].Value
		}
	}
	return ""
}

// A textVisitor finds the strings of an object that Kustomize takes for text.
type textVisitor struct {
	custom  bool // a kind of which Kustomize knows no reference
	renamed bool // Kustomize has renamed the references it knows
	path    kinds.Path
	found   func(text, parent *yaml.Node)
}

func (v *textVisitor) node(n, parent *yaml.Node) {
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			v.step(kinds.Step{Name: n.Content[i].Value}, n.Content[i+1], n)
		}
	case yaml.SequenceNode:
		for i, item := range n.Content {
			v.step(kinds.EntryStep(i), item, parent)
		}
	case yaml.ScalarNode:
		if v.isText(parent) {
			v.found(n, parent)
		}
	}
}

func (v *textVisitor) step(step kinds.Step, n, parent *yaml.Node) {
	v.path = append(v.path, step)
	v.node(n, parent)
	v.path = v.path[:len(v.path)-1]
}

// isText reports whether the scalar at the path is text, or a reference that Kustomize may have left as it is.
func (v *textVisitor) isText(parent *yaml.Node) bool {
	path := v.path
	if len(path) < 2 {
		return false
	}
	first, last, list := path[0].Name, path[len(path)-1], path[len(path)-2].Name
	switch {
	case first == "metadata":
		return list == "annotations" && len(path) == 3 && !strings.Contains(last.Name, "kustomize") && !strings.HasPrefix(last.Name, "config.kubernetes.io/")
	case v.custom:
		return list != "matchLabels" && list != "labels"
	case len(path) > 2 && last.Name == "value" && path[len(path)-3].Name == "env":
		return true
	case last.Name == "name" && valueOf(parent, "kind") != "":
		return v.renamed && first != "subjects" && first != "roleRef"
	case last.Name == "secretName", last.Name == "name" && referred[list] == "Secret",
		last.Name == "name" && len(path) > 2 && referred[path[len(path)-3].Name] == "Secret":
		return v.renamed
	}
	return first == "data" && len(path) == 2 || list == "args" || list == "command" || list == "volumeAttributes"
}
