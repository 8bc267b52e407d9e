package compiler

import (
	"maps"
	"reflect"

	"transom.dev/render/internal/kustomize"
)

// A sight has the texts that the rule looks at in every instance of a shape, with gaps where their values go.
type sight struct {
	views kustomize.Views
	gaps  map[string]gap // by the word that stands in their place
}

// newSight finds out how the texts that the rule looks at depend on the markers of probes. There is none where they do not.
func (s *shape) newSight(views [probes]kustomize.Views, m [probes]markers) (*sight, error) {
	var texts [probes][]string
	forget(views)
	for i := range views {
		views[i].Rewrite(func(text string) string {
			texts[i] = append(texts[i], text)
			return ""
		})
	}
	if reflect.DeepEqual(texts[0], texts[1]) && reflect.DeepEqual(texts[0], texts[2]) {
		return nil, nil
	}
	if !reflect.DeepEqual(views[0], views[1]) || !reflect.DeepEqual(views[0], views[2]) {
		return nil, unproven("what selectors there are depends on values")
	}
	c := &comparison{markers: m, values: s.values, object: "selectors"}
	found := &sight{views: views[0], gaps: map[string]gap{}}
	var failed error
	n := -1
	found.views.Rewrite(func(string) string {
		n++
		if texts[0][n] == texts[1][n] && texts[1][n] == texts[2][n] {
			return texts[0][n]
		}
		if _, err := c.gap([probes]any{texts[0][n], texts[1][n], texts[2][n]}, nil); err != nil {
			failed = err
			return ""
		}
		word := token(len(c.gaps) - 1)
		found.gaps[word] = c.gaps[len(c.gaps)-1]
		return word
	})
	return found, failed
}

// forget drops labels that no selector asks for. The keys that selectors ask for may depend on values themselves.
func forget(views [probes]kustomize.Views) {
	asked := views[0].LabelKeys()
	if !maps.Equal(asked, views[1].LabelKeys()) || !maps.Equal(asked, views[2].LabelKeys()) {
		return
	}
	for _, list := range views {
		list.KeepLabels(asked)
	}
}

// chosen says where the identity goes with the values of a shape.
func (g *sight) chosen(s *shape) string {
	return g.views.Choose(s.wrapper, func(text string) string {
		if gap, ok := g.gaps[text]; ok {
			return gap.text(s.values)
		}
		return text
	})
}
