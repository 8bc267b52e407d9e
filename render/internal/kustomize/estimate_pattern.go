package kustomize

import (
	"sigs.k8s.io/kustomize/api/types"

	"transom.dev/render/internal/pattern"
)

// patterns counts the work of matching all objects against the patterns of a kustomization's selectors: a regular expression
// of a few characters may be of a million steps, for each character of each name.
func (e *estimate) patterns(dir string, k *types.Kustomization, acc *accumulation) {
	var selectors []*types.Selector
	for _, p := range patched(k) {
		selectors = append(selectors, p.Target)
	}
	for _, r := range k.Replacements {
		for _, one := range e.sources.replacements(dir, r) {
			for _, target := range one.Targets {
				if target != nil {
					selectors = append(append(selectors, target.Select), target.Reject...)
				}
			}
		}
	}
	characters := int64(0)
	for _, i := range acc.items {
		characters += int64(len(i.kind) + len(i.name) + 1)
	}
	for _, s := range selectors {
		if s == nil {
			continue
		}
		for _, text := range []string{s.Group, s.Version, s.Kind, s.Name, s.Namespace} {
			n := pattern.Steps(text)
			e.fail(dir, limitPattern.exceeded(n))
			e.steps = plus(e.steps, times(n, characters))
		}
	}
	e.fail(dir, limitSteps.exceeded(e.steps))
}
