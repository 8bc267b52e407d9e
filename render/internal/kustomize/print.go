package kustomize

import (
	"bytes"
	"fmt"

	"go.yaml.in/yaml/v2"

	"transom.dev/render/internal/keyorder"
)

// printAll prints objects as Kustomize does, but always in the same one of its orders.
func printAll(result objects) ([]byte, error) {
	var out bytes.Buffer
	for n, object := range result.Resources() {
		content, err := object.MarshalJSON()
		if err != nil {
			return nil, fmt.Errorf("print %s: %w", object.CurId(), err)
		}
		printed, err := printJSON(content)
		if err != nil {
			return nil, fmt.Errorf("print %s: %w", object.CurId(), err)
		}
		if n > 0 {
			out.WriteString("---\n")
		}
		out.Write(printed)
	}
	return out.Bytes(), nil
}

// printJSON prints an object as sigs.k8s.io/yaml does, which Kustomize prints with: there, some keys come in an order
// that differs from one time to the next.
func printJSON(content []byte) ([]byte, error) {
	var object yaml.MapSlice
	if err := yaml.Unmarshal(content, &object); err != nil {
		return nil, err
	}
	return keyorder.Marshal(object)
}
