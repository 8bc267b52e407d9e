package kustomize

import (
	"bytes"
	"fmt"
	"slices"

	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/yaml"
)

// Decode reads a kustomization, with the fields that Kustomize deprecated and many published bases still have as those that
// replaced them: bases, patchesStrategicMerge and patchesJson6902. The patches are in the order in which Kustomize applies the three
// fields, which is not that of `kustomize edit fix`. It is for looking at a kustomization, not for building it: see decodeForBuild.
func Decode(content []byte) (*types.Kustomization, error) {
	k, err := decodeForBuild(content)
	if err != nil {
		return nil, err
	}
	k.Patches, k.PatchesJson6902 = patched(k), nil //nolint:staticcheck // read so that they can be replaced
	return k, nil
}

// patched lists the patches of a kustomization of decodeForBuild, in order.
func patched(k *types.Kustomization) []types.Patch {
	return slices.Concat(k.Patches, k.PatchesJson6902) //nolint:staticcheck // published bases have them
}

// decodeForBuild is Decode, but patchesJson6902 stays: Kustomize applies it after the namespace, prefix, labels and annotations of its
// kustomization, and patches before them.
func decodeForBuild(content []byte) (*types.Kustomization, error) {
	var k types.Kustomization
	if err := k.Unmarshal(content); err != nil {
		return nil, err
	}
	k.Resources, k.Bases = append(k.Resources, k.Bases...), nil //nolint:staticcheck // read so that they can be replaced
	var merged []types.Patch
	for _, p := range k.PatchesStrategicMerge { //nolint:staticcheck // likewise
		merged = append(merged, strategicMerge(p))
	}
	k.Patches, k.PatchesStrategicMerge = slices.Concat(merged, k.Patches), nil //nolint:staticcheck // likewise
	return &k, nil
}

// strategicMerge is an entry of patchesStrategicMerge as one of patches: a path, or YAML, which has what no path has.
func strategicMerge(p types.PatchStrategicMerge) types.Patch {
	if isText(string(p)) {
		return types.Patch{Patch: string(p)}
	}
	return types.Patch{Path: string(p)}
}

// relabel moves commonLabels to labels, as `kustomize edit fix` does. It fails, and changes nothing, where a label is in both.
func relabel(k *types.Kustomization) error {
	late := k.PatchesJson6902 //nolint:staticcheck // the library would move it, too
	k.PatchesJson6902 = nil   //nolint:staticcheck // likewise
	err := k.FixKustomizationPreMarshalling(nil)
	k.PatchesJson6902 = late //nolint:staticcheck // likewise
	return err
}

// modernised rewrites deprecated fields as those of decodeForBuild. The build is the same, without the warning that Kustomize would
// print on the process's stderr; nobody reads that of patchesJson6902 in a worker. A kustomization that cannot be read stays, since no
// build comes to it, and so does one that has a label in both fields, which Kustomize builds as it is.
func modernised(content []byte) ([]byte, error) {
	old := func(field string) bool { return bytes.Contains(content, []byte(field)) }
	if !old("commonLabels") && !old("bases") && !old("patchesStrategicMerge") {
		return content, nil
	}
	k, err := decodeForBuild(content)
	if err != nil {
		return content, nil
	}
	if err := relabel(k); err != nil {
		return content, nil
	}
	out, err := yaml.Marshal(k)
	if err != nil {
		return nil, fmt.Errorf("marshal: %w", err)
	}
	return out, nil
}
