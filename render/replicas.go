package render

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	"transom.dev/render/builtin"
	"transom.dev/render/internal/kustomize"
	"transom.dev/render/platform"
)

// unscaled warns about replicas that a version writes and that are omitted, because something else sets them.
func unscaled(w *kustomize.Wrapper, file string, sources []kustomize.Object, rendered []*yaml.Node) (warnings []platform.Problem) {
	for _, scaled := range w.Scaled(rendered) {
		object := rendered[scaled.Object].Content[0]
		kind, name := valueOf(object, "kind"), strings.TrimPrefix(valueOf(mappingOf(object, "metadata"), "name"), w.Prefix)
		for _, o := range sources {
			if !o.Replicas || o.Kind != kind || o.Name != name || o.APIVersion != valueOf(object, "apiVersion") {
				continue
			}
			why := "spec.ignore of the version leaves them to others"
			if scaled.By != "" {
				why = fmt.Sprintf("the %s sets them", scaled.By)
			}
			warning := platform.Problem{
				File: file, Field: builtin.ReplicasField, Rule: "replicas", Warning: true,
				Message: fmt.Sprintf("the replicas of the %s %s are left out, because %s; remove the field", kind, name, why),
			}
			if o.File != "" {
				warning.File, warning.Line = o.File, o.Line
			}
			warnings = append(warnings, warning)
		}
	}
	return warnings
}
