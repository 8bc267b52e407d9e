package kustomize

import (
	"maps"
	"reflect"
	"slices"
)

// A sight has the texts that the rule looks at in every instance of a shape, with gaps where their values go.
type sight struct {
	views []*view
	gaps  map[string]gap // by the word that stands in their place
}

// newSight finds out how the texts that the rule looks at depend on the markers of probes. There is none where they do not.
func (s *shape) newSight(views [probes][]*view, m [probes]markers) (*sight, error) {
	var texts [probes][]string
	forget(views)
	for i := range views {
		rewrite(views[i], func(text string) string {
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
	rewrite(found.views, func(string) string {
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
func forget(views [probes][]*view) {
	asked := askedFor(views[0])
	if !maps.Equal(asked, askedFor(views[1])) || !maps.Equal(asked, askedFor(views[2])) {
		return
	}
	for _, list := range views {
		for _, v := range list {
			maps.DeleteFunc(v.labels, func(key, _ string) bool { return !asked[key] })
		}
	}
}

func askedFor(views []*view) map[string]bool {
	asked := map[string]bool{}
	for _, v := range views {
		for _, s := range v.selectors {
			for key := range s.labels {
				asked[key] = true
			}
			for _, e := range s.expressions {
				asked[e.key] = true
			}
		}
	}
	return asked
}

// rewrite puts other texts into views, in always the same order.
func rewrite(views []*view, by func(text string) string) {
	scaling := slices.ContainsFunc(views, scales)
	for _, v := range views {
		v.scaling.rewrite(by, scaling)
		v.asWritten = by(v.asWritten)
		for _, key := range sortedKeys(v.labels) {
			v.labels[key] = by(v.labels[key])
		}
		for i := range v.selectors {
			s := &v.selectors[i]
			s.any = by(s.any)
			for _, key := range sortedKeys(s.labels) {
				s.labels[key] = by(s.labels[key])
			}
			for j := range s.expressions {
				e := &s.expressions[j]
				e.key, e.operator = by(e.key), by(e.operator)
				for k := range e.values {
					e.values[k] = by(e.values[k])
				}
			}
		}
	}
}

// chosen says where the identity goes with the values of a shape.
func (g *sight) chosen(s *shape) string {
	return wordOf(s.wrapper.choose(g.views, func(text string) string {
		if gap, ok := g.gaps[text]; ok {
			return gap.text(s.values)
		}
		return text
	}))
}
