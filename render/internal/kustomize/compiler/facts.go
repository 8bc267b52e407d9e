package compiler

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"

	"go.yaml.in/yaml/v3"
	"sigs.k8s.io/kustomize/api/types"

	"transom.dev/render/internal/kustomize"
)

// facts are the uses that the kustomizations of a wrapper make of the values of its inputs: which of them they read, where
// they write them, and where they look at a value instead of handing it on. Kustomize copies everything else.
type facts struct {
	trees   []kustomize.Tree
	visited map[string]bool

	replacing
	patching

	constants  map[string]bool // every scalar in the files
	namespaces map[string]bool // those below a key "namespace"
	names      map[string]bool // of objects
	images     []*regexp.Regexp
	affixed    bool // a kustomization gives names a prefix or suffix
	generated  bool // a kustomization generates ConfigMaps
	selectors  bool // something selects by labels or annotations
}

// errConstruct says which construct stands in the way of compiling.
type errConstruct string

func (e errConstruct) Error() string { return string(e) }

func unproven(format string, args ...any) error { return errConstruct(fmt.Sprintf(format, args...)) }

// gather reads all that a build of the components reads. The error is the construct that rules compiling out.
func gather(w kustomize.Wrapper) (*facts, error) {
	f := &facts{
		trees: w.Trees, visited: map[string]bool{},
		patching: patching{sequences: map[string]bool{}}, constants: map[string]bool{}, namespaces: map[string]bool{"default": true},
		names: map[string]bool{kustomize.InputsName: true},
	}
	for _, dir := range w.Components {
		if err := f.kustomization(dir); err != nil {
			return nil, err
		}
	}
	f.trees, f.visited = nil, nil
	if f.jsonPatches { // which name fields by path
		f.names, f.namespaces = f.constants, f.constants
	}
	if f.selectors && f.metadata {
		return nil, unproven("a replacement writes labels or annotations, and something selects by those")
	}
	if len(f.images) > 0 && len(f.delimiters) > 0 {
		return nil, unproven("images beside a replacement with a delimiter")
	}
	return f, nil
}

func (f *facts) kustomization(dir string) error {
	if f.visited[dir] {
		return nil
	}
	f.visited[dir] = true
	file := path.Join(dir, kustomize.KustomizationFile)
	_, content, err := kustomize.ReadIn(f.trees, file)
	if err != nil {
		return err
	}
	if err := f.scalars(file, content); err != nil {
		return err
	}
	k, err := kustomize.Decode(content)
	if err != nil {
		return fmt.Errorf("read %s: %w", file, err)
	}
	if len(k.Transformers) > 0 {
		return unproven("transformers in %s", file)
	}
	if len(k.Configurations) > 0 {
		return unproven("configurations in %s", file)
	}
	f.affixed = f.affixed || k.NamePrefix != "" || k.NameSuffix != ""
	for _, image := range k.Images {
		f.image(image.Name)
	}
	for _, c := range k.ConfigMapGenerator {
		f.generated, f.names[c.Name] = true, true
	}
	for _, p := range k.Patches {
		if err := f.patch(dir, p); err != nil {
			return err
		}
	}
	for _, r := range k.Replacements {
		list, err := kustomize.ReadReplacements(f.trees, dir, r)
		if err != nil {
			return err
		}
		for _, one := range list {
			if err := f.replacement(file, one); err != nil {
				return err
			}
		}
	}
	return f.follow(dir, k)
}

// follow reads the files and directories that a kustomization lists.
func (f *facts) follow(dir string, k *types.Kustomization) error {
	for _, component := range k.Components {
		if err := f.kustomization(path.Join(dir, component)); err != nil {
			return err
		}
	}
	for _, resource := range k.Resources {
		file := path.Join(dir, resource)
		_, content, err := kustomize.ReadIn(f.trees, file)
		if err != nil {
			if _, _, err := kustomize.ReadIn(f.trees, path.Join(file, kustomize.KustomizationFile)); err != nil {
				return err
			}
			if err := f.kustomization(file); err != nil {
				return err
			}
			continue
		}
		if err := f.scalars(file, content); err != nil {
			return err
		}
	}
	return nil
}

// image records how Kustomize recognises an image, which takes the name for part of an expression.
func (f *facts) image(name string) {
	r, err := regexp.Compile("^" + name + `(:[a-zA-Z0-9_.{}-]*)?(@[a-zA-Z0-9]+([.+_-][a-zA-Z0-9]+)*:[a-zA-Z0-9_.{}-]*)?$`)
	if err == nil {
		f.images = append(f.images, r)
	}
}

// scalars records every scalar of a file, and the names of the objects in it.
func (f *facts) scalars(file string, content []byte) error {
	documents, err := parseAll(content)
	if err != nil {
		return fmt.Errorf("read %s: %w", file, err)
	}
	for _, document := range documents {
		f.scalarsOf(document, "")
	}
	return nil
}

func (f *facts) scalarsOf(n *yaml.Node, key string) {
	switch n.Kind {
	case yaml.ScalarNode:
		f.constants[n.Value] = true
		switch key {
		case "name":
			f.names[n.Value] = true
		case "namespace":
			f.namespaces[n.Value] = true
		}
	case yaml.MappingNode:
		for i := 0; i < len(n.Content); i += 2 {
			f.constants[n.Content[i].Value] = true
			f.scalarsOf(n.Content[i+1], n.Content[i].Value)
		}
	case yaml.AliasNode:
		f.scalarsOf(n.Alias, key)
	default:
		for _, item := range n.Content {
			f.scalarsOf(item, key)
		}
	}
}

func parseAll(content []byte) ([]*yaml.Node, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	var documents []*yaml.Node
	for {
		var document yaml.Node
		err := decoder.Decode(&document)
		if errors.Is(err, io.EOF) {
			return documents, nil
		}
		if err != nil {
			return nil, err
		}
		documents = append(documents, &document)
	}
}
