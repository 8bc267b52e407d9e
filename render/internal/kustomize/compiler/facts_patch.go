package compiler

import (
	"bytes"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	"sigs.k8s.io/kustomize/api/types"

	"transom.dev/render/internal/kustomize"
)

// patching are the facts about patches.
type patching struct {
	sequences   map[string]bool // lists that a strategic merge patch merges, by field path
	jsonPatches bool            // a patch writes its object anew, by way of JSON
}

// patch records the fields that a patch compares.
func (f *facts) patch(dir string, p types.Patch) error {
	content := []byte(p.Patch)
	if p.Path != "" {
		var err error
		if _, content, err = kustomize.ReadIn(f.trees, path.Join(dir, p.Path)); err != nil {
			return err
		}
	}
	if p.Target != nil {
		f.selectors = f.selectors || p.Target.LabelSelector != "" || p.Target.AnnotationSelector != ""
		if kustomize.SelectsInputs(p.Target) {
			return unproven("a patch of %s selects the Inputs object", dir)
		}
	}
	if err := f.scalars(dir, content); err != nil {
		return err
	}
	documents, err := parseAll(bytes.TrimSpace(content))
	if err != nil {
		return err
	}
	for _, document := range documents {
		if len(document.Content) == 1 && document.Content[0].Kind == yaml.SequenceNode {
			if err := f.jsonPatch(dir, document.Content[0]); err != nil {
				return err
			}
			continue
		}
		if kind := kustomize.Lookup(document.Content[0], "kind"); kind != nil && kind.Value == kustomize.InputsKind {
			return unproven("a patch of %s is of the Inputs object", dir)
		}
		if err := f.mergePatch(dir, document, ""); err != nil {
			return err
		}
	}
	return nil
}

func (f *facts) jsonPatch(dir string, operations *yaml.Node) error {
	f.jsonPatches = true
	for _, operation := range operations.Content {
		op := kustomize.Lookup(operation, "op")
		if op == nil || !slices.Contains([]string{"add", "replace", "remove"}, op.Value) {
			return unproven("a JSON patch of %s tests, moves or copies", dir)
		}
	}
	return nil
}

func (f *facts) mergePatch(dir string, n *yaml.Node, field string) error {
	switch n.Kind {
	case yaml.AliasNode:
		return f.mergePatch(dir, n.Alias, field)
	case yaml.SequenceNode:
		f.sequences[field] = true
	case yaml.MappingNode:
		for i := 0; i < len(n.Content); i += 2 {
			key := n.Content[i].Value
			if strings.HasPrefix(key, "$") && key != "$patch" {
				return unproven("a patch of %s has the directive %s", dir, key)
			}
			if err := f.mergePatch(dir, n.Content[i+1], joinField(field, key)); err != nil {
				return err
			}
		}
		return nil
	}
	for _, item := range n.Content {
		if err := f.mergePatch(dir, item, field); err != nil {
			return err
		}
	}
	return nil
}
