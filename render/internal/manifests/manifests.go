// Package manifests takes apart the manifests that Kustomize wrote. In come the bytes of one, out come its objects as texts
// and as generic values. It knows no kind, and checks and changes nothing.
package manifests

import (
	"bytes"
	"errors"
	"strings"

	utiljson "k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/yaml"
)

var separator = []byte("\n---\n")

// Split takes a manifest that Kustomize wrote apart; only text in column 0 can be a separator.
func Split(manifest []byte) [][]byte { return bytes.Split(manifest, separator) }

// Join is the way back from Split.
func Join(documents [][]byte) []byte { return bytes.Join(documents, separator) }

// Object reads an object with whole numbers as int64, as CEL sees it in an API server.
func Object(text []byte) (map[string]any, error) {
	converted, err := yaml.YAMLToJSON(text)
	if err != nil {
		return nil, errors.New(strings.TrimPrefix(err.Error(), "error converting YAML to JSON: "))
	}
	var object map[string]any
	if err := utiljson.Unmarshal(converted, &object); err != nil {
		return nil, err
	}
	return object, nil
}

// Name is KIND NAMESPACE/NAME, as people know an object.
func Name(kind, namespace, name string) string {
	if namespace == "" {
		return kind + " " + name
	}
	return kind + " " + namespace + "/" + name
}

// At returns the value at a path of field names, or nothing.
func At(object map[string]any, path string) any {
	var value any = object
	for name := range strings.SplitSeq(path, ".") {
		fields, _ := value.(map[string]any)
		value = fields[name]
	}
	return value
}
