package render

import (
	"bytes"
	"fmt"
	"slices"

	"go.yaml.in/yaml/v3"

	"transom.dev/render/internal/manifests"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// sign has every object of a manifest that Kustomize wrote carry its digest. Nothing else changes.
func sign(manifest []byte) ([]byte, error) {
	return annotate(manifest, state.AnnotationDigest, func(object map[string]any) string { return platform.Digest(object) })
}

// markStrict has every object of a manifest say that nothing stays that is set by hand beside its fields.
func markStrict(manifest []byte) ([]byte, error) {
	return annotate(manifest, state.AnnotationDrift, func(map[string]any) string { return state.DriftStrict })
}

// markOf is how the manifests of an environment's instances are annotated after they are built; nil: not at all.
func markOf(e *platform.Environment) func(manifest []byte) ([]byte, error) {
	switch {
	case e.External:
		return sign
	case e.Drift == state.DriftStrict:
		return markStrict
	}
	return nil
}

// annotate has every object of a manifest that Kustomize wrote carry an annotation. Nothing else changes.
func annotate(manifest []byte, name string, value func(object map[string]any) string) ([]byte, error) {
	documents := manifests.Split(manifest)
	for n, document := range documents {
		annotated, err := annotateObject(document, name, value)
		if err != nil {
			return nil, fmt.Errorf("annotate object %d of the manifest: %w", n+1, err)
		}
		documents[n] = annotated
	}
	return manifests.Join(documents), nil
}

func annotateObject(document []byte, name string, value func(object map[string]any) string) ([]byte, error) {
	object, err := manifests.Object(document)
	if err != nil {
		return nil, err
	}
	var node yaml.Node
	if err := yaml.Unmarshal(document, &node); err != nil {
		return nil, err
	}
	metadata := mappingOf(node.Content[0], "metadata")
	if metadata == nil || len(metadata.Content) == 0 {
		return nil, fmt.Errorf("it has no metadata")
	}
	line := fmt.Sprintf("%s: %s", name, value(object))
	lines := bytes.Split(document, []byte("\n"))
	indent := func(n int) []byte { return bytes.Repeat([]byte(" "), n) }
	first := metadata.Content[0]
	switch annotations := mappingOf(metadata, "annotations"); {
	case annotations == nil:
		lines = slices.Insert(lines, first.Line-1,
			append(indent(first.Column-1), "annotations:"...), append(indent(first.Column+1), line...))
	case len(annotations.Content) == 0:
		lines[annotations.Line-1] = append(indent(first.Column-1), "annotations:"...)
		lines = slices.Insert(lines, annotations.Line, append(indent(first.Column+1), line...))
	default:
		own := annotations.Content[0]
		lines = slices.Insert(lines, own.Line-1, append(indent(own.Column-1), line...))
	}
	return bytes.Join(lines, []byte("\n")), nil
}
