package render

import (
	"bytes"
	"fmt"
	"slices"

	"go.yaml.in/yaml/v3"

	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// sign has every object of a manifest that Kustomize wrote carry its digest. Nothing else changes.
func sign(manifest []byte) ([]byte, error) {
	documents := splitDocuments(manifest)
	for n, document := range documents {
		signed, err := signObject(document)
		if err != nil {
			return nil, fmt.Errorf("sign object %d of the manifest: %w", n+1, err)
		}
		documents[n] = signed
	}
	return bytes.Join(documents, []byte("\n---\n")), nil
}

func signObject(document []byte) ([]byte, error) {
	object, err := genericObject(document)
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
	line := fmt.Sprintf("%s: %s", state.AnnotationDigest, platform.Digest(object))
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
