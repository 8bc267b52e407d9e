package kustomize

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"transom.dev/render/strictyaml"
)

// insteadOf says, for each part of a transformer configuration, which allowed field of a kustomization does the same. The configuration
// itself is refused: it would hold for the objects of every version and overlay that is built along with this one.
var insteadOf = map[string]string{
	"nameReference":             "replacements from metadata.name of the object that is meant",
	"varReference":              `the replacements that "kustomize edit fix --vars" makes`,
	"namePrefix":                fieldSpecsOf("PrefixTransformer"),
	"nameSuffix":                fieldSpecsOf("SuffixTransformer"),
	"namespace":                 fieldSpecsOf("NamespaceTransformer"),
	"commonLabels":              "labels with fields",
	"labels":                    "labels with fields",
	"templateLabels":            "labels with fields",
	"volumeClaimTemplateLabels": "labels with fields",
	"commonAnnotations":         fieldSpecsOf("AnnotationsTransformer"),
	"images":                    fieldSpecsOf("ImageTagTransformer"),
	"replicas":                  fieldSpecsOf("ReplicaCountTransformer"),
}

func fieldSpecsOf(transformer string) string {
	return "a " + transformer + " with fieldSpecs under transformers"
}

// instead says what to write instead of the configurations that a kustomization lists; empty where no file of the tree says it.
func (g *guard) instead(name string, list *yaml.Node) string {
	var parts []string
	for _, entry := range list.Content[:min(len(list.Content), maxTransformers)] {
		file := path.Join(path.Dir(name), entry.Value)
		if !localPath.MatchString(entry.Value) || strings.HasPrefix(file, "../") || !g.isFile(file) {
			continue
		}
		for _, part := range g.partsOf(file) {
			if !slices.Contains(parts, part) {
				parts = append(parts, part)
			}
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return "changes how objects are read; " + strings.Join(parts, ", ")
}

// partsOf says what to write instead of each part of a transformer configuration.
func (g *guard) partsOf(file string) (parts []string) {
	for _, root := range g.scan(file, strictyaml.Options{Documents: true}) {
		for i := 0; root.Kind == yaml.MappingNode && i+1 < len(root.Content); i += 2 {
			key := root.Content[i]
			if other, known := insteadOf[key.Value]; known {
				parts = append(parts, fmt.Sprintf("for %s (%s:%d) write %s", key.Value, path.Base(file), key.Line, other))
			}
		}
	}
	return parts
}
