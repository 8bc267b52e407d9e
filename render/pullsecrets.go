package render

import (
	"bytes"
	"fmt"
	"maps"
	"slices"

	"go.yaml.in/yaml/v3"
	sigsyaml "sigs.k8s.io/yaml"

	"transom.dev/render/internal/manifests"
	"transom.dev/render/platform"
	"transom.dev/render/sealed"
	"transom.dev/render/state"
)

// pulling gives the pods of an instance, or of the Job of a check, the image pull secrets of the environment. Each instance with pods and each
// such Job has Secrets of its own for them: one that several shared would go with the first of them, or with none.
type pulling struct {
	instance  *platform.Instance
	namespace string
	prefix    string            // of the names of the Secrets
	labels    map[string]string // of the objects
}

// pullSecretsKey is all that bytes depend on of image pull secrets.
func pullSecretsKey(secrets map[string]*sealed.File) map[string]string {
	key := map[string]string{}
	for name, s := range secrets {
		if key[name] = ""; s != nil {
			key[name] = s.For + s.ValuesText() + s.BlockText()
		}
	}
	return key
}

// secrets are the names of the environment's image pull secrets, sorted.
func (p pulling) secrets() []string {
	return slices.Sorted(maps.Keys(p.instance.Environment.PullSecrets))
}

// own is the name of the own Secret for one of them.
func (p pulling) own(secret string) string { return p.prefix + secret }

// add puts the Secrets behind the other objects of a manifest, and their names into its pods. Without pods nothing changes.
func (p pulling) add(manifest []byte, objects []object) ([]byte, []object, []platform.Problem) {
	file := kustomizationOf(p.instance.Version)
	named, pods, err := p.name(manifest)
	if err != nil {
		return manifest, objects, []platform.Problem{{File: file, Rule: "build", Message: err.Error()}}
	}
	if !pods {
		return manifest, objects, nil
	}
	documents := [][]byte{bytes.TrimSuffix(named, []byte("\n"))}
	for _, name := range p.secrets() {
		id := objectID{"", "Secret", p.namespace, p.own(name)}
		if slices.ContainsFunc(objects, func(o object) bool { return o.id == id }) {
			return manifest, objects, []platform.Problem{{File: file, Rule: "duplicate", Message: fmt.Sprintf(
				"renders the %s, which is to be the image pull secret %s of %s; give one of them another name", id, name, p.instance.Environment.Name)}}
		}
		secret, err := p.secret(name)
		if err != nil {
			return manifest, objects, []platform.Problem{{File: file, Rule: "build", Message: err.Error()}}
		}
		documents, objects = append(documents, secret), append(objects, object{id: id, version: "v1"})
	}
	return append(manifests.Join(documents), '\n'), objects, nil
}

// secret is the Secret of an image pull secret, without a line break at its end.
func (p pulling) secret(name string) ([]byte, error) {
	values := p.instance.Environment.PullSecrets[name]
	if values == nil { // the environment is broken then, and nothing of it is rendered
		return nil, fmt.Errorf("the image pull secret %s has no values", name)
	}
	document, err := sigsyaml.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "Secret", "type": sealed.PullType,
		"metadata": map[string]any{
			"name": p.own(name), "namespace": p.namespace, "labels": p.labels, "annotations": map[string]string{state.AnnotationPullSecret: name},
		},
	})
	if err != nil {
		return nil, err
	}
	return fillSecret(bytes.TrimSuffix(document, []byte("\n")), values)
}

// name has the pods of a manifest name the Secrets, and reports whether there are any.
func (p pulling) name(manifest []byte) (named []byte, pods bool, err error) {
	var names []string
	for _, secret := range p.secrets() {
		names = append(names, p.own(secret))
	}
	if len(names) == 0 {
		return manifest, false, nil
	}
	documents := manifests.Split(manifest)
	for n, document := range documents {
		if !bytes.Contains(document, []byte("containers:")) {
			continue
		}
		var node yaml.Node
		if err := yaml.Unmarshal(document, &node); err != nil {
			return nil, false, fmt.Errorf("read object %d of the manifest: %w", n+1, err)
		}
		if spec := podSpecOf(node.Content[0]); spec != nil {
			documents[n], pods = namePullSecrets(document, spec, names), true
			if !namesAll(documents[n], names) {
				return nil, false, fmt.Errorf("object %d of the manifest has a text that image pull secrets cannot be written beside, as of a line separator "+
					"such as U+2028; write the text without it", n+1)
			}
		}
	}
	return manifests.Join(documents), pods, nil
}

// namesAll reports whether the pods of an object name all of these Secrets.
func namesAll(document []byte, names []string) bool {
	var node yaml.Node
	if yaml.Unmarshal(document, &node) != nil || len(node.Content) == 0 {
		return false
	}
	spec := podSpecOf(node.Content[0])
	if spec == nil {
		return false
	}
	list := mappingOf(spec, "imagePullSecrets")
	return list != nil && !slices.ContainsFunc(names, func(name string) bool {
		return !slices.ContainsFunc(list.Content, func(item *yaml.Node) bool { return valueOf(item, "name") == name })
	})
}

// podSpecOf is the spec of the pods that an object of any kind makes, or is; nil: it has none where Kubernetes' own kinds have it.
func podSpecOf(o *yaml.Node) *yaml.Node {
	paths := [][]string{{"spec", "template", "spec"}, {"spec", "jobTemplate", "spec", "template", "spec"}}
	switch group, _ := groupOf(valueOf(o, "apiVersion")); {
	case group != "":
	case valueOf(o, "kind") == "Pod":
		paths = [][]string{{"spec"}}
	case valueOf(o, "kind") == "PodTemplate":
		paths = [][]string{{"template", "spec"}}
	}
	for _, path := range paths {
		spec := o
		for _, field := range path {
			spec = mappingOf(spec, field)
		}
		if containers := mappingOf(spec, "containers"); containers != nil && containers.Kind == yaml.SequenceNode {
			return spec
		}
	}
	return nil
}

// namePullSecrets puts names before those of the image pull secrets that the spec of a pod has. Nothing else of the text changes.
func namePullSecrets(document []byte, spec *yaml.Node, names []string) []byte {
	lines := bytes.Split(document, []byte("\n"))
	list := mappingOf(spec, "imagePullSecrets")
	column, at := spec.Content[0].Column, spec.Content[0].Line
	head := [][]byte{indented(column, "imagePullSecrets:")}
	switch {
	case list == nil:
		for i := 0; i < len(spec.Content); i += 2 {
			if spec.Content[i].Value > "imagePullSecrets" {
				at = spec.Content[i].Line
				break
			}
		}
	case len(list.Content) == 0: // it is written on one line
		at = list.Line
		lines = slices.Delete(lines, at-1, at)
	default:
		head, column, at = nil, list.Column, list.Line
		for _, item := range list.Content {
			names = slices.DeleteFunc(slices.Clone(names), func(name string) bool { return name == valueOf(item, "name") })
		}
	}
	for _, name := range names {
		head = append(head, indented(column, "- name: "+name))
	}
	return bytes.Join(slices.Insert(lines, at-1, head...), []byte("\n"))
}

// indented is a line of text that begins at a column, counted from 1.
func indented(column int, text string) []byte {
	return append(bytes.Repeat([]byte(" "), column-1), text...)
}
