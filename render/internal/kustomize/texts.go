package kustomize

import (
	"maps"
	"slices"
)

// Views are views of all objects of a render, in order.
type Views []*view

// Choose says, in a word, where the identity goes into the objects, and which of them lose their replicas. The views' texts are
// taken as read returns them.
func (v Views) Choose(w *Wrapper, read func(text string) string) string {
	return wordOf(w.choose(v, read))
}

// LabelKeys are the keys of labels that some selector asks for.
func (v Views) LabelKeys() map[string]bool {
	asked := map[string]bool{}
	for _, of := range v {
		for _, s := range of.selectors {
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

// KeepLabels drops the labels of other keys.
func (v Views) KeepLabels(keys map[string]bool) {
	for _, of := range v {
		maps.DeleteFunc(of.labels, func(key, _ string) bool { return !keys[key] })
	}
}

// Rewrite puts other texts into the views, in always the same order.
func (v Views) Rewrite(by func(text string) string) {
	scaling := slices.ContainsFunc(v, scales)
	for _, of := range v {
		of.scaling.rewrite(by, scaling)
		of.asWritten = by(of.asWritten)
		for _, key := range sortedKeys(of.labels) {
			of.labels[key] = by(of.labels[key])
		}
		for i := range of.selectors {
			of.selectors[i].rewrite(by)
		}
	}
}

func (s *selector) rewrite(by func(text string) string) {
	s.any = by(s.any)
	for _, key := range sortedKeys(s.labels) {
		s.labels[key] = by(s.labels[key])
	}
	for i := range s.expressions {
		e := &s.expressions[i]
		e.key, e.operator = by(e.key), by(e.operator)
		for k := range e.values {
			e.values[k] = by(e.values[k])
		}
	}
}
