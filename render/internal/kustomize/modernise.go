package kustomize

import (
	"bytes"
	"fmt"

	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/yaml"
)

// Decode reads a kustomization, with the fields that Kustomize deprecated and many published bases still have as the ones that
// `kustomize edit fix` makes of them: bases, patchesStrategicMerge and patchesJson6902.
func Decode(content []byte) (*types.Kustomization, error) {
	var k types.Kustomization
	if err := k.Unmarshal(content); err != nil {
		return nil, err
	}
	k.Resources, k.Bases = append(k.Resources, k.Bases...), nil                 //nolint:staticcheck // read so that they can be replaced
	k.Patches, k.PatchesJson6902 = append(k.Patches, k.PatchesJson6902...), nil //nolint:staticcheck // likewise
	for _, p := range k.PatchesStrategicMerge {                                 //nolint:staticcheck // likewise
		k.Patches = append(k.Patches, strategicMerge(p))
	}
	k.PatchesStrategicMerge = nil //nolint:staticcheck // likewise
	return &k, nil
}

// strategicMerge is an entry of patchesStrategicMerge as one of patches: a path, or YAML, which has what no path has.
func strategicMerge(p types.PatchStrategicMerge) types.Patch {
	if isText(string(p)) {
		return types.Patch{Patch: string(p)}
	}
	return types.Patch{Path: string(p)}
}

// modernised rewrites deprecated fields as those that Kustomize itself makes of them. The build is the same; only the warning that
// Kustomize would print on the process's stderr is not. A kustomization that cannot be read stays, since no build comes to it, and so does one
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
