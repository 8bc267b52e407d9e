package kustomize

import (
	"bytes"
	"fmt"

	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/yaml"
)

// modernised rewrites commonLabels, which many published bases still have, as the labels that Kustomize itself makes
// of them. The build is the same; only the warning that Kustomize would print on the process's stderr is not.
func modernised(content []byte) ([]byte, error) {
	if !bytes.Contains(content, []byte("commonLabels")) {
		return content, nil
	}
	var k types.Kustomization
	if err := k.Unmarshal(content); err != nil {
		return nil, err
	}
	if err := k.FixKustomizationPreMarshalling(nil); err != nil {
		return nil, err
	}
	out, err := yaml.Marshal(k)
	if err != nil {
		return nil, fmt.Errorf("marshal: %w", err)
	}
	return out, nil
}
