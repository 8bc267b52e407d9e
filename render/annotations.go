package render

import (
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"transom.dev/render/platform"
)

// Annotations that say how an object is applied.
const (
	annotationStep       = "transom.dev/step"
	annotationPruneOrder = "transom.dev/prune-order"
	annotationReplace    = "transom.dev/replace"
)

// misplaced says what is wrong with an annotation of an object and what to do about it; empty if nothing is.
func misplaced(id objectID, annotation, value string) string {
	switch annotation {
	case annotationStep:
		if _, err := strconv.Atoi(value); err != nil {
			return fmt.Sprintf("%q is no integer; write one in quotes, such as \"1\"", value)
		}
	case annotationPruneOrder:
		if value != "first" {
			return fmt.Sprintf("%q is not known; write first, or remove it: then the object goes once what replaces it is healthy", value)
		}
	case annotationReplace:
		return fmt.Sprintf("%s does not act yet; remove it", value)
	}
	return ""
}

// ordering are the annotations that mean something within an instance only.
var ordering = []string{annotationStep, annotationPruneOrder, annotationReplace}

// annotationProblems finds what is wrong with the annotations of a version's objects as they are written, whatever a
// request says.
func annotationProblems(s *skeleton) (problems []platform.Problem) {
	for n, o := range s.Objects {
		metadata := mappingOf(s.Texts[n].Content[0], "metadata")
		annotations := mappingOf(metadata, "annotations")
		group, _, grouped := strings.Cut(o.APIVersion, "/")
		if !grouped {
			group = ""
		}
		for i := 0; annotations != nil && i+1 < len(annotations.Content); i += 2 {
			key, value := annotations.Content[i].Value, annotations.Content[i+1]
			if value.ShortTag() == "!!null" {
				continue // an input is written here
			}
			if wrong := misplaced(objectID{group, o.Kind, o.Namespace, o.Name}, key, value.Value); wrong != "" {
				problems = append(problems, platform.Problem{
					File: o.File, Line: o.Line, Field: "metadata.annotations." + key, Rule: "annotation",
					Message: fmt.Sprintf("%s %s: %s", o.Kind, o.Name, wrong),
				})
			}
		}
	}
	return problems
}

func mappingOf(n *yaml.Node, key string) *yaml.Node {
	for i := 0; n != nil && i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}
