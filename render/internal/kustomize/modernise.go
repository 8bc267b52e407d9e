package kustomize

import (
	"bytes"
	"fmt"
	"slices"

	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/yaml"
)

// Decode reads a kustomization, with the fields that Kustomize deprecated and many published bases still have as those that took
// their place: bases, patchesStrategicMerge and patchesJson6902. The patches are in the order in which Kustomize applies the three
// fields, which is not that of `kustomize edit fix`.
func Decode(content []byte) (*types.Kustomization, error) {
	var k types.Kustomization
	if err := k.Unmarshal(content); err != nil {
		return nil, err
	}
	k.Resources, k.Bases = append(k.Resources, k.Bases...), nil //nolint:staticcheck // read so that they can be replaced
	var merged []types.Patch
	for _, p := range k.PatchesStrategicMerge { //nolint:staticcheck // likewise
		merged = append(merged, strategicMerge(p))
	}
	k.Patches = slices.Concat(merged, k.Patches, k.PatchesJson6902) //nolint:staticcheck // likewise
	k.PatchesStrategicMerge, k.PatchesJson6902 = nil, nil           //nolint:staticcheck // likewise
	return &k, nil
}

// strategicMerge is an entry of patchesStrategicMerge as one of patches: a path, or YAML, which has what no path has.
func strategicMerge(p types.PatchStrategicMerge) types.Patch {
	if isText(string(p)) {
		return types.Patch{Patch: string(p)}
	}
	return types.Patch{Path: string(p)}
}

// modernised rewrites deprecated fields as those of Decode. The build is the same, without the warning that Kustomize would print on
// the process's stderr, but for patchesJson6902: Kustomize applies it after the namespace, prefix, labels and annotations of its
// kustomization, and here it comes before them. A kustomization that cannot be read stays, since no build comes to it, and so does one
// that has a label in both fields, which Kustomize builds as it is.
func modernised(content []byte) ([]byte, error) {
	old := func(field string) bool { return bytes.Contains(content, []byte(field)) }
	if !old("commonLabels") && !old("bases") && !old("patchesStrategicMerge") && !old("patchesJson6902") {
		return content, nil
	}
	k, err := Decode(content)
	if err != nil {
		return content, nil
	}
	if err := k.FixKustomizationPreMarshalling(nil); err != nil {
		return content, nil
	}
	out, err := yaml.Marshal(k)
	if err != nil {
		return nil, fmt.Errorf("marshal: %w", err)
	}
	return out, nil
}
