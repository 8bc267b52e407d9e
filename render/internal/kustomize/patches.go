package kustomize

import (
	"fmt"
	"path"

	"go.yaml.in/yaml/v3"
	"sigs.k8s.io/kustomize/api/types"
	k8syaml "sigs.k8s.io/yaml"

	"transom.dev/render/platform"
)

// A targeted patch is one that says by a selector which objects it is for, and so can be for none in silence.
type targetedPatch struct {
	*types.Selector
	position platform.Problem // where it stands
}

// patchesOf lists the targeted patches of a version's component and of the components that it lists.
func patchesOf(trees []Tree, dir string) ([]targetedPatch, error) {
	return patchesBelow(trees, dir, map[string]bool{})
}

// patchesBelow leaves out components that were visited: they may be listed many times, by many.
func patchesBelow(trees []Tree, dir string, visited map[string]bool) ([]targetedPatch, error) {
	if visited[dir] {
		return nil, nil
	}
	visited[dir] = true
	file := path.Join(dir, KustomizationFile)
	t, content, err := ReadIn(trees, file)
	if err != nil || t.Overlay {
		return nil, err
	}
	k, err := decodeForBuild(content)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	var patches []targetedPatch
	for _, nested := range k.Components {
		inner, err := patchesBelow(trees, path.Join(dir, nested), visited)
		if err != nil {
			return nil, err
		}
		patches = append(patches, inner...)
	}
	var root yaml.Node
	if err := yaml.Unmarshal(content, &root); err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	merged := 0 // of patchesStrategicMerge, which have no target and come first
	if n := Lookup(root.Content[0], "patchesStrategicMerge"); n != nil {
		merged = len(n.Content)
	}
	for i, p := range patched(k) {
		if p.Target == nil {
			continue
		}
		position := platform.Problem{File: file, Field: field("patches", i-merged)}
		if last := i - len(k.Patches); last >= 0 {
			position.Field = field("patchesJson6902", last)
		}
		if n := Lookup(root.Content[0], splitField(position.Field)...); n != nil {
			position.Line, position.Column = n.Line, n.Column
		}
		patches = append(patches, targetedPatch{p.Target, position})
	}
	return patches, nil
}

// checkPatches checks the targets of a component's patches, where the stage has the objects that it results in. A patch may have
// removed the object it was for, so an object that is not there any more is looked for without patches.
func (a *analysis) checkPatches(patches []targetedPatch, components []string) error {
	var before Objects
	for _, p := range patches {
		if matchesInputs(p.Selector) {
			a.report(p.position, "inputs", fmt.Sprintf("the target %s "+matchesInputsToo, describe(p.Selector)))
			continue
		}
		found, err := selected(&types.TargetSelector{Select: p.Selector}, a.stage, a.affixes)
		if err == nil && len(found) == 0 {
			if before == nil {
				if before, err = a.wrapper.unpatched(components); err != nil {
					return err
				}
			}
			found, err = selected(&types.TargetSelector{Select: p.Selector}, before, a.affixes)
		}
		switch {
		case err != nil:
			a.report(p.position, "target", err.Error())
		case len(found) == 0:
			a.report(p.position, "no-target", fmt.Sprintf("the target %s matches no object", describe(p.Selector)))
		}
	}
	return nil
}

const matchesInputsToo = "matches the Inputs object, which is none of the version's; name a kind"

// matchesInputs reports whether a selector would take the Inputs object for one of the version's.
func matchesInputs(s *types.Selector) bool {
	return s.LabelSelector == "" && s.AnnotationSelector == "" && SelectsInputs(s)
}

func (a *analysis) report(position platform.Problem, rule, message string) {
	position.Rule, position.Message = rule, message
	a.Problems = append(a.Problems, position)
}

// unpatched builds a stage without any patch.
func (w Wrapper) unpatched(components []string) (Objects, error) {
	tree := map[string][]byte{}
	for _, t := range w.Trees {
		if err := copyTree(tree, t, withoutPatches); err != nil {
			return nil, err
		}
	}
	return w.stage(tree, components)
}

func withoutPatches(content []byte) ([]byte, error) {
	content, err := withoutReplacements(content)
	if err != nil {
		return nil, err
	}
	k, err := Decode(content)
	if err != nil {
		return content, nil // no build comes to it
	}
	k.Patches = nil
	return k8syaml.Marshal(k)
}
