package kustomize

import (
	"fmt"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/api/resource"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/resid"
	"sigs.k8s.io/kustomize/kyaml/utils"
	kyaml "sigs.k8s.io/kustomize/kyaml/yaml"

	"transom.dev/render/strictyaml"
)

// A target is one field that a write fills from the inputs.
type target struct {
	write  *write
	source []string // the path of the value in the inputs
	object string   // for people
	path   string
	field  *kyaml.RNode // the node there before; nil where the write creates it
	split  bool         // the write replaces a part of a string
}

// match finds the fields that a write fills in the objects of its stage.
func (a *analysis) match(w *write) {
	from, known := a.origin(w)
	if !known {
		return
	}
	for _, selector := range w.Targets {
		if selector == nil || selector.Select == nil {
			a.problem(w, "target", "a target without select; say which object it is in")
			continue
		}
		objects, err := selected(selector, a.stage, a.affixes)
		if err != nil {
			a.problem(w, "target", err.Error())
			continue
		}
		if !w.overlay && len(selector.Reject) == 0 && matchesInputs(selector.Select) {
			a.problem(w, "inputs", fmt.Sprintf("the target %s "+matchesInputsToo, describe(selector.Select)))
		}
		if len(objects) == 0 && !w.overlay {
			a.problem(w, "no-target", fmt.Sprintf("the target %s matches no object", describe(selector.Select)))
		}
		for _, object := range objects {
			a.fields(w, selector, from, object)
		}
	}
}

func (a *analysis) problem(w *write, rule, message string) { a.report(w.position, rule, message) }

func describe(s *types.Selector) string {
	var parts []string
	for _, part := range []struct{ name, value string }{
		{"group", s.Group},
		{"version", s.Version},
		{"kind", s.Kind},
		{"name", s.Name},
		{"namespace", s.Namespace},
		{"labelSelector", s.LabelSelector},
		{"annotationSelector", s.AnnotationSelector},
	} {
		if part.value != "" {
			parts = append(parts, part.name+": "+part.value)
		}
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

func selected(selector *types.TargetSelector, stage Objects, affixes []string) ([]*resource.Resource, error) {
	compiled, err := types.NewTargetSelectorRegex(selector)
	if err != nil {
		return nil, err
	}
	var found []*resource.Resource
	for _, r := range stage.Resources() {
		ids := idsOf(r, affixes)
		if !slices.ContainsFunc(ids, compiled.Selects) || compiled.RejectsAny(ids) {
			continue
		}
		ok, err := labelled(selector, r)
		if err != nil {
			return nil, err
		}
		if ok {
			found = append(found, r)
		}
	}
	return found, nil
}

// idsOf are the ids by which Kustomize knows an object: its own, and those from before a kustomization gave it a prefix
// or suffix.
func idsOf(r *resource.Resource, affixes []string) []resid.ResId {
	const most = 1000
	ids := []resid.ResId{r.CurId()}
	known := map[string]bool{ids[0].Name: true}
	for _, affix := range affixes {
		for _, id := range ids {
			for _, name := range []string{strings.TrimPrefix(id.Name, affix), strings.TrimSuffix(id.Name, affix)} {
				if before := id; !known[name] && len(ids) < most {
					known[name], before.Name = true, name
					ids = append(ids, before)
				}
			}
		}
	}
	return ids
}

func labelled(t *types.TargetSelector, r *resource.Resource) (bool, error) {
	ok, err := hasLabels(t.Select, r)
	if err != nil || !ok {
		return false, err
	}
	for _, reject := range t.Reject {
		if reject.AnnotationSelector == "" && reject.LabelSelector == "" {
			continue
		}
		if rejected, err := hasLabels(reject, r); err != nil || rejected {
			return false, err
		}
	}
	return true, nil
}

func hasLabels(s *types.Selector, r *resource.Resource) (bool, error) {
	labels, err := r.MatchesLabelSelector(s.LabelSelector)
	if err != nil {
		return false, err
	}
	annotations, err := r.MatchesAnnotationSelector(s.AnnotationSelector)
	return labels && annotations, err
}

// fields records the node at each field path of one object, where the value comes from the inputs, and judges a value that
// comes from elsewhere.
func (a *analysis) fields(w *write, selector *types.TargetSelector, from origin, object *resource.Resource) {
	creates := selector.Options != nil && selector.Options.Create
	for _, fieldPath := range selector.FieldPaths {
		t := target{
			write: w, source: from.path, path: fieldPath,
			object: nameOfObject(object),
			split:  selector.Options != nil && selector.Options.Delimiter != "",
		}
		steps := utils.SmarterPathSplitter(fieldPath, ".")
		nodes := fieldsAt(&object.RNode, steps)
		absent := len(nodes) == 0 && !creates && !a.brought(t.object, steps)
		if absent && !throughText(&object.RNode, steps) {
			a.problem(w, "no-field", fmt.Sprintf("writes %s to %s of %s, which has no such field; write it there with a value "+
				"of its type, or set options: {create: true}", from, fieldPath, t.object))
		}
		if makes := creates || absent; makes && from.inputs && len(nodes) == 0 {
			a.targets = append(a.targets, t)
		}
		if len(nodes) == 0 && creates {
			a.judge(t, from)
		}
		for _, n := range nodes {
			t.field = n
			if a.judge(t, from); from.inputs {
				a.targets = append(a.targets, t)
			}
		}
		a.writes = append(a.writes, filled{t.object, steps})
	}
}

func nameOfObject(r *resource.Resource) string { return r.GetKind() + " " + r.GetName() }

// A filled field is one that a replacement writes, so that its content is not known from the objects alone.
type filled struct {
	object string
	path   []string
}

// brought reports whether a replacement before may have made a field, or one that it is in.
func (a *analysis) brought(object string, path []string) bool {
	return slices.ContainsFunc(a.writes, func(w filled) bool {
		if w.object != object {
			return false
		}
		return covers(w.path, path) || covers(path, w.path)
	})
}

// throughText reports whether a path goes on inside text, which Kustomize then reads as YAML.
func throughText(object *kyaml.RNode, path []string) bool {
	for i := 1; i < len(path); i++ {
		n, err := object.Pipe(kyaml.Lookup(path[:i]...))
		if err != nil || n == nil {
			return err != nil
		}
		if n.YNode().Kind == kyaml.ScalarNode && !isNull(n.YNode()) {
			return true
		}
	}
	return false
}

var inputsID = resid.NewResId(resid.Gvk{Group: "transom.dev", Version: "v1alpha1", Kind: InputsKind}, InputsName)

// SelectsInputs reports whether a selector, but for its labels and annotations, takes the Inputs object.
func SelectsInputs(s *types.Selector) bool {
	compiled, err := types.NewSelectorRegex(s)
	if err != nil {
		return true
	}
	return compiled.MatchGvk(inputsID.Gvk) && compiled.MatchName(inputsID.Name)
}

// InputsPath returns the path of a source in the inputs, if it is there.
func InputsPath(source *types.SourceSelector) (path []string, ok bool) {
	if source == nil {
		return nil, false
	}
	if !inputsID.IsSelectedBy(source.ResId) {
		return nil, false
	}
	if source.FieldPath == "" {
		return []string{"metadata", "name"}, true
	}
	return utils.SmarterPathSplitter(source.FieldPath, "."), true
}

// fieldsAt finds fields as Kustomize does: where the path goes on inside a string, that string is read as YAML.
func fieldsAt(object *kyaml.RNode, path []string) []*kyaml.RNode {
	for i := 1; i < len(path); i++ {
		n, err := object.Pipe(kyaml.Lookup(path[:i]...))
		if err != nil || n == nil || n.YNode().Kind != kyaml.ScalarNode {
			continue
		}
		document, problems := strictyaml.Scan([]byte(n.YNode().Value), strictyaml.Options{})
		if len(problems) > 0 || len(document) != 1 {
			return nil
		}
		return matches(kyaml.NewRNode(document[0]), path[i:])
	}
	return matches(object, path)
}

func matches(object *kyaml.RNode, path []string) []*kyaml.RNode {
	list, err := object.Pipe(&kyaml.PathMatcher{Path: path})
	if err != nil || list == nil {
		return nil
	}
	elements, err := list.Elements()
	if err != nil {
		return nil
	}
	return elements
}
