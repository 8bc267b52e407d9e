package render

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"transom.dev/render/builtin"
	"transom.dev/render/internal/kinds"
	"transom.dev/render/internal/kustomize"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// unprefixed warns about text that is the name that an object had before its prefix, or has it as a host. Kustomize renames the
// references that it knows; it does not reach into annotations, environment variables, arguments, ConfigMaps and custom
// kinds, nor to a Secret that a custom resource makes. An object annotated transom.dev/names: as-written means its texts.
func unprefixed(l *locator, prefix, file string, rendered []*yaml.Node) (warnings []platform.Problem) {
	names := namesOf(l.skeleton.Objects)
	for _, document := range rendered {
		root := document.Content[0]
		if writtenAnnotations(root)[state.AnnotationNames] == state.NamesAsWritten {
			continue
		}
		at := -2
		visit := &textVisitor{custom: names.custom[valueOf(root, "kind")], renamed: prefix != ""}
		visit.found = func(text *yaml.Node, parent *yaml.Node) {
			message := names.unprefixed(text.Value, visit.path, parent)
			if message == "" {
				return
			}
			if at == -2 {
				at = l.index(root, prefix)
			}
			warnings = append(warnings, l.problem(at, root, file, kinds.Fault{
				Path: slices.Clone(visit.path), Rule: "unprefixed-name", Value: text, Message: message +
					", or keep all names by names: verbatim in version.yaml; if it is not meant, annotate the object " +
					state.AnnotationNames + ": " + state.NamesAsWritten,
			}))
			warnings[len(warnings)-1].Warning = true
		}
		visit.node(root, nil)
	}
	return warnings
}

// originalNames are the names of a version's objects before the prefix.
type originalNames struct {
	kinds  map[string][]string // of the objects of a name
	custom map[string]bool     // kinds that are not Kubernetes' own
}

func namesOf(objects []kustomize.Object) originalNames {
	names := originalNames{kinds: map[string][]string{}, custom: map[string]bool{}}
	for _, o := range objects {
		if group, _ := groupOf(o.APIVersion); !slices.Contains(names.kinds[o.Name], o.Kind) {
			names.kinds[o.Name] = append(names.kinds[o.Name], o.Kind)
			if _, known := builtin.Scope(group, o.Kind); !known {
				names.custom[o.Kind] = true
			}
		}
	}
	return names
}

// unprefixed says which objects text at a path names as before the prefix, and how to compute it; empty: it names none.
func (n originalNames) unprefixed(text string, path kinds.Path, parent *yaml.Node) string {
	if of := meant(n.kinds[text], n.custom, path, parent); len(of) > 0 {
		are := "the " + of[0] + " is"
		if last := len(of) - 1; last > 0 {
			are = "the " + strings.Join(of[:last], ", the ") + " and the " + of[last] + " are"
		}
		return fmt.Sprintf("%q is what %s called before the prefix; compute the final name: request.name + %q", text, are, "-"+text)
	}
	named := func(name string) bool { return len(n.kinds[name]) > 0 }
	found := hostFinder{n.serves, named}.find(text)
	if len(found) == 0 {
		return ""
	}
	var hosts []string
	are := " is what the %s is called before the prefix"
	for _, at := range found {
		host := text[at[0]:at[1]]
		kind := n.kinds[host][0]
		if slices.Contains(n.kinds[host], "Service") {
			kind = "Service"
		}
		if told := fmt.Sprintf("%q", host); len(hosts) == 0 {
			hosts, are = []string{told}, fmt.Sprintf(are, kind)
		} else if !slices.Contains(hosts, told) {
			hosts, are = append(hosts, told), " are names of before the prefix"
		}
	}
	return strings.Join(hosts, " and ") + are + "; compute the final text" + computed(text, found)
}

// serves reports whether some object may be reached by a name: a Service, or a custom resource, which may have one made.
func (n originalNames) serves(name string) bool {
	return slices.ContainsFunc(n.kinds[name], func(kind string) bool { return kind == "Service" || n.custom[kind] })
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

// isText reports whether the scalar at the path is text, or a reference that Kustomize may have kept as it is.
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
	case last.Name == "externalName" && len(path) == 2:
		return true
	case last.Name == "name" && valueOf(parent, "kind") != "":
		return v.renamed && first != "subjects" && first != "roleRef"
	case last.Name == "secretName", last.Name == "name" && referred[list] == "Secret",
		last.Name == "name" && len(path) > 2 && referred[path[len(path)-3].Name] == "Secret":
		return v.renamed
	}
	return first == "data" && len(path) == 2 || list == "args" || list == "command" || list == "volumeAttributes"
}
