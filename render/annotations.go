package render

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// misplaced says why one of an object's annotations is wrong, with the remedy; empty if it is not.
func misplaced(id objectID, annotations map[string]string, annotation string) string {
	value := annotations[annotation]
	switch annotation {
	case state.AnnotationStep:
		if _, err := strconv.Atoi(value); err != nil {
			return fmt.Sprintf("%q is no integer; write one in quotes, such as \"1\"", value)
		}
	case state.AnnotationPruneOrder:
		if value != state.PruneFirst {
			return fmt.Sprintf("%q is not known; write first, or remove it: then the object goes once what replaces it is healthy", value)
		}
	case state.AnnotationDigest, state.AnnotationDrift, state.AnnotationPullSecret:
		return "is Transom's own; remove it"
	case state.AnnotationReplace:
		switch {
		case value != "true":
			return fmt.Sprintf("%q is not known; write \"true\", or remove it: then the object is never deleted to be made anew", value)
		case state.NeverPruned(id.group, id.kind) || annotations[state.AnnotationGenerate] != "":
			return "it is never replaced, because it may hold what cannot be made again; remove the annotation"
		}
	}
	return ""
}

// ordering are the annotations that mean something within an instance only.
var ordering = []string{state.AnnotationStep, state.AnnotationPruneOrder, state.AnnotationReplace}

// annotationProblems finds the Problems of the annotations of a version's objects as they are written, for any request
// says.
func annotationProblems(s *skeleton) (problems []platform.Problem) {
	for n, o := range s.Objects {
		group, _, grouped := strings.Cut(o.APIVersion, "/")
		if !grouped {
			group = ""
		}
		id, annotations := objectID{group, o.Kind, o.Namespace, o.Name}, writtenAnnotations(s.Texts[n].Content[0])
		for _, name := range slices.Sorted(maps.Keys(annotations)) {
			if wrong := misplaced(id, annotations, name); wrong != "" {
				problems = append(problems, platform.Problem{
					File: o.File, Line: o.Line, Field: "metadata.annotations." + name, Rule: "annotation",
					Message: fmt.Sprintf("%s %s: %s", o.Kind, o.Name, wrong),
				})
			}
		}
	}
	return problems
}

// writtenAnnotations are those of an object into which no input is written.
func writtenAnnotations(object *yaml.Node) map[string]string {
	written := map[string]string{}
	annotations := mappingOf(mappingOf(object, "metadata"), "annotations")
	for i := 0; annotations != nil && i+1 < len(annotations.Content); i += 2 {
		if value := annotations.Content[i+1]; value.ShortTag() != "!!null" {
			written[annotations.Content[i].Value] = value.Value
		}
	}
	return written
}

func mappingOf(n *yaml.Node, key string) *yaml.Node {
	for i := 0; n != nil && i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}
