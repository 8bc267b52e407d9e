package render

import (
	"fmt"
	"path"
	"strings"

	"transom.dev/render/platform"
)

// observedProblems finds the outputs of which nobody could tell whose value they have: an instance renders exactly one object of the
// kind that each of them is read of.
func observedProblems(c *candidate, objects []object) (problems []platform.Problem) {
	v := c.instance.Version
	for _, o := range v.Observed {
		var found []string
		for _, one := range objects {
			if one.id.group == o.Group && one.id.kind == o.Kind {
				found = append(found, one.id.name)
			}
		}
		said := "none"
		if len(found) > 0 {
			said = strings.Join(found, ", ")
		}
		if len(found) != 1 {
			problems = append(problems, platform.Problem{
				File: path.Join(v.Dir, "version.yaml"), Rule: "observed",
				Message: fmt.Sprintf("reads its output %s of the one %s that it renders, and renders %s; it has to render exactly one", o.Name, o.Of(), said),
			})
		}
	}
	return problems
}
