package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"transom.dev/cmd/transom/internal/importer"
	"transom.dev/render/platform"
	"transom.dev/render/strictyaml"
)

// fromManifests adds a first version with the objects of a directory under their own names, and a golden case.
func (s *scaffold) fromManifests(offering, number, from string) error {
	objects, err := readManifests(from)
	if err == nil {
		err = s.versionOf(offering, number, objects, "")
	}
	if err != nil {
		return fmt.Errorf("read the manifests of %s: %w", from, err)
	}
	return nil
}

// readManifests reads the objects of a directory, without the fields that an API server adds and without their namespace.
func readManifests(from string) (all []manifest, err error) {
	if info, err := os.Stat(from); err == nil && !info.IsDir() {
		return nil, errors.New("it is a file; put it into a directory of its own, and give that")
	}
	files, err := readChart(from)
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		switch {
		case path.Base(name) == "Chart.yaml":
			return nil, fmt.Errorf("%s is that of a Helm chart; use --from-chart", name)
		case strings.HasPrefix(path.Base(name), "kustomization.y"), path.Base(name) == "Kustomization":
			return nil, fmt.Errorf("%s says what is built; give the directory that \"kustomize build --output DIRECTORY\" writes", name)
		case !slices.Contains([]string{".yaml", ".yml", ".json"}, path.Ext(name)):
			continue
		}
		objects, err := objectsIn(name, files[name])
		if err != nil {
			return nil, err
		}
		all = append(all, objects...)
	}
	if len(all) == 0 {
		return nil, errors.New("there is no manifest in it: no file .yaml, .yml or .json with an object")
	}
	return all, oneNamespace(all)
}

// objectsIn reads the objects of a file; those of a List are its own.
func objectsIn(file string, text []byte) (all []manifest, err error) {
	documents, problems := strictyaml.Scan(text, strictyaml.Options{Documents: true})
	if len(problems) > 0 {
		return nil, errors.New(platform.FromYAML(file, problems[0]).String())
	}
	for _, object := range documents {
		items := []*yaml.Node{object}
		if list := yamlEntry(object, "items"); list != nil && strings.HasSuffix(yamlText(object, "kind"), "List") {
			items = list.Content
		}
		for _, item := range items {
			if err := refuseManifest(item); err != nil {
				return nil, fmt.Errorf("%s:%d: %w", file, item.Line, err)
			}
			all = append(all, manifest{file, item})
		}
	}
	return all, nil
}

// refuseManifest says why an object cannot be one of a version.
func refuseManifest(object *yaml.Node) error {
	metadata := yamlEntry(object, "metadata")
	switch kind := yamlText(object, "kind"); {
	case object.Kind != yaml.MappingNode:
		return errors.New("this is no object; a manifest has apiVersion, kind and metadata")
	case kind == "":
		return errors.New("kind is missing")
	case yamlText(object, "apiVersion") == "":
		return fmt.Errorf("the %s has no apiVersion", kind)
	case yamlText(metadata, "name") == "" && yamlText(metadata, "generateName") != "":
		return fmt.Errorf("the %s has a generateName, and would be another object each time; give it a name", kind)
	case yamlText(metadata, "name") == "":
		return fmt.Errorf("the %s has no metadata.name", kind)
	case kind == "Namespace":
		return fmt.Errorf("the %s is not the version's: an environment gives each team its own; leave it out", titleOf(object))
	case kind == "Secret" && (yamlEntry(object, "data") != nil || yamlEntry(object, "stringData") != nil):
		return fmt.Errorf("the %s has values, which do not belong in Git; write an ExternalSecret, or annotate it with transom.dev/generate", titleOf(object))
	case yamlEntry(metadata, "ownerReferences") != nil:
		return fmt.Errorf("the %s is made by its owner in a cluster; leave it out", titleOf(object))
	}
	return nil
}

// oneNamespace removes the namespace, and the fields that an API server adds, from objects of one namespace.
func oneNamespace(all []manifest) error {
	var first *manifest
	namespace := ""
	for n := range all {
		m := &all[n]
		metadata := yamlEntry(m.object, "metadata")
		if in := yamlText(metadata, "namespace"); in != "" && first == nil {
			first, namespace = m, in
		} else if in != "" && in != namespace {
			return fmt.Errorf("%s has the %s in the namespace %s, and %s has the %s in %s; a version is in the one namespace of its request: give a directory for each",
				m.file, titleOf(m.object), in, first.file, titleOf(first.object), namespace)
		}
	}
	for _, m := range all {
		metadata := yamlEntry(m.object, "metadata")
		yamlRemove(m.object, "status")
		if yamlText(metadata, "uid") != "" { // it is as a cluster has it
			headless := yamlText(yamlEntry(m.object, "spec"), "clusterIP") == "None"
			for _, at := range importer.Assigned(yamlText(m.object, "kind"), headless) {
				removeAt(m.object, at)
			}
		}
		for _, field := range []string{"namespace", "uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink"} {
			yamlRemove(metadata, field)
		}
		annotations := yamlEntry(metadata, "annotations")
		if annotations != nil {
			for i := len(annotations.Content) - 2; i >= 0; i -= 2 {
				if name := annotations.Content[i].Value; importer.IsBookkeeping(name) {
					yamlRemove(annotations, name)
				}
			}
		}
		if annotations != nil && len(annotations.Content) == 0 {
			yamlRemove(metadata, "annotations")
		}
	}
	return nil
}

// removeAt removes the fields that a path of an object leads to.
func removeAt(n *yaml.Node, at importer.Path) {
	name, _ := at[0].(string)
	switch {
	case n == nil:
	case n.Kind == yaml.SequenceNode:
		for _, item := range n.Content {
			removeAt(item, at[1:])
		}
	case len(at) == 1:
		yamlRemove(n, name)
	default:
		removeAt(yamlEntry(n, name), at[1:])
	}
}
