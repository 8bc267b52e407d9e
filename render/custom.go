package render

import (
	"bytes"
	"io/fs"
	"maps"
	"path"
	"slices"
	"sync"

	"go.yaml.in/yaml/v3"

	"transom.dev/render/internal/immutable"
	"transom.dev/render/internal/kustomize"
	"transom.dev/render/internal/manifests"
	"transom.dev/render/platform"
	"transom.dev/render/strictyaml"
)

// A customFields says which fields of custom kinds may not change, by API version and kind, as far as the
// CustomResourceDefinitions of a platform's own offerings say so: with a rule that a field equals its old value. Where
// several define a kind, the last one counts; which of them a cluster has is not known here.
type customFields map[[2]string][]immutable.Field

// FixedFields looks up the fields of custom kinds that may not change. It reads the CustomResourceDefinitions of the platform
// once it is asked of the first.
func (r *Renderer) FixedFields(p *platform.Platform) immutable.Lookup {
	fields := sync.OnceValue(func() customFields { return r.definitions.customFields(p) })
	return func(apiVersion, kind string) []immutable.Field { return fields()[[2]string{apiVersion, kind}] }
}

// customFields reads the CustomResourceDefinitions of all versions.
func (c *definitionCache) customFields(p *platform.Platform) customFields {
	all := customFields{}
	for _, name := range slices.Sorted(maps.Keys(p.Offerings)) {
		for _, v := range p.Offerings[name].Versions {
			if len(c.defined(v)) > 0 {
				maps.Copy(all, c.fixed.get(v.Digest, func() customFields { return customFieldsOf(v) }))
			}
		}
	}
	return all
}

func customFieldsOf(v *platform.Version) customFields {
	found := customFields{}
	for _, crd := range crdsOf(v) {
		for _, version := range crd.versions {
			name, _ := version["name"].(string)
			schema, _ := manifests.At(version, "schema.openAPIV3Schema").(map[string]any)
			found[[2]string{crd.Group + "/" + name, crd.Kind.Kind}] = immutable.InSchema(schema)
		}
	}
	return found
}

// A definedKind is a kind as a CustomResourceDefinition defines it.
type definedKind struct {
	platform.Kind
	versions []map[string]any
}

// crdsOf reads the CustomResourceDefinitions in a version's files. A document that is none, or that an API server would
// refuse, is skipped.
func crdsOf(v *platform.Version) (all []definedKind) {
	_ = fs.WalkDir(v.Files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || path.Ext(name) != ".yaml" {
			return nil // a file that cannot be read defines nothing; the guard reports it
		}
		for _, document := range definitionsIn(v.Files, name) {
			if crd, ok := defineKind(document); ok {
				all = append(all, crd)
			}
		}
		return nil
	})
	return all
}

func defineKind(document *yaml.Node) (definedKind, bool) {
	kind, ok := definition(document)
	if !ok {
		return definedKind{}, false
	}
	text, err := yaml.Marshal(document)
	if err != nil {
		return definedKind{}, false
	}
	crd, err := manifests.Object(text)
	if err != nil {
		return definedKind{}, false
	}
	defined := definedKind{Kind: kind}
	versions, _ := manifests.At(crd, "spec.versions").([]any)
	for _, v := range versions {
		if version, ok := v.(map[string]any); ok {
			defined.versions = append(defined.versions, version)
		}
	}
	return defined, true
}

// definitionsIn reads the documents of a file that has a CustomResourceDefinition.
func definitionsIn(files fs.FS, name string) []*yaml.Node {
	content, err := fs.ReadFile(files, name)
	if err != nil || !bytes.Contains(content, []byte("CustomResourceDefinition")) {
		return nil
	}
	documents, _ := strictyaml.Scan(content, strictyaml.Options{Documents: true, Aliases: true, Size: kustomize.MaxFile})
	return documents
}
