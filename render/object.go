package render

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"
)

// An object is what the rules need to know of a rendered object.
type object struct {
	id          objectID
	version     string // of its API
	annotations map[string]string
	plaintext   bool       // a Secret with values in it
	subjects    []objectID // the ServiceAccounts that a binding names
}

// An objectID names an object of one cluster, whatever version of its API it is written in.
type objectID struct{ group, kind, namespace, name string }

// String is KIND NAMESPACE/NAME, as people know it.
func (id objectID) String() string {
	if id.namespace == "" {
		return id.kind + " " + id.name
	}
	return id.kind + " " + id.namespace + "/" + id.name
}

// parseObjects reads a manifest that Kustomize wrote.
func parseObjects(manifest []byte) ([]object, error) {
	nodes, err := parseNodes(manifest)
	if err != nil {
		return nil, err
	}
	return describeObjects(nodes)
}

// parseNodes reads a manifest that Kustomize wrote as YAML and no more.
func parseNodes(manifest []byte) ([]*yaml.Node, error) {
	var nodes []*yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(manifest))
	for {
		node := &yaml.Node{}
		err := decoder.Decode(node)
		if errors.Is(err, io.EOF) {
			return nodes, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read object %d of the manifest: %w", len(nodes)+1, err)
		}
		nodes = append(nodes, node)
	}
}

// describeObjects finds in each object what the rules need to know.
func describeObjects(nodes []*yaml.Node) ([]object, error) {
	objects := make([]object, 0, len(nodes))
	for _, node := range nodes {
		var raw struct {
			APIVersion string `yaml:"apiVersion"`
			Kind       string `yaml:"kind"`
			Metadata   struct {
				Name        string            `yaml:"name"`
				Namespace   string            `yaml:"namespace"`
				Annotations map[string]string `yaml:"annotations"`
			} `yaml:"metadata"`
			Data       yaml.Node `yaml:"data"`
			StringData yaml.Node `yaml:"stringData"`
			Subjects   yaml.Node `yaml:"subjects"`
		}
		if err := node.Decode(&raw); err != nil {
			return nil, fmt.Errorf("read object %d of the manifest: %w", len(objects)+1, err)
		}
		group, version, ok := strings.Cut(raw.APIVersion, "/")
		if !ok {
			group, version = "", raw.APIVersion
		}
		objects = append(objects, object{
			id:          objectID{group, raw.Kind, raw.Metadata.Namespace, raw.Metadata.Name},
			version:     version,
			annotations: raw.Metadata.Annotations,
			plaintext:   group == "" && raw.Kind == "Secret" && len(raw.Data.Content)+len(raw.StringData.Content) > 0,
			subjects:    serviceAccounts(group, &raw.Subjects),
		})
	}
	return objects, nil
}

// idsOf names the objects of a manifest: all of them that is remembered.
func idsOf(objects []object) []objectID {
	ids := make([]objectID, len(objects))
	for n, o := range objects {
		ids[n] = o.id
	}
	return ids
}

// serviceAccounts reads the subjects of a binding.
func serviceAccounts(group string, subjects *yaml.Node) []objectID {
	if group != "rbac.authorization.k8s.io" {
		return nil
	}
	var list []struct {
		Kind      string `yaml:"kind"`
		Name      string `yaml:"name"`
		Namespace string `yaml:"namespace"`
	}
	if err := subjects.Decode(&list); err != nil {
		return nil // not a list of subjects: the API server refuses it
	}
	var accounts []objectID
	for _, s := range list {
		if s.Kind == "ServiceAccount" {
			accounts = append(accounts, objectID{"", s.Kind, s.Namespace, s.Name})
		}
	}
	return accounts
}
