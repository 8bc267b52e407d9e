package render

import (
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"sync"

	"go.yaml.in/yaml/v3"

	"transom.dev/render/builtin"
	"transom.dev/render/platform"
	"transom.dev/render/schema"
)

// Scopes of kinds, as Kubernetes writes them.
const (
	scopeNamespaced = "Namespaced"
	scopeCluster    = "Cluster"
)

// A definitionCache remembers the kinds that the CustomResourceDefinitions in the files of versions define, and the parts of
// them that were asked for, by the digest of the version.
type definitionCache struct {
	kinds   cache[string, []platform.Kind]
	fixed   cache[string, customFields]
	schemas cache[string, customSchemas]
}

// definitions look up the kinds and schemas that the CustomResourceDefinitions of one platform define.
type definitions struct {
	cache    *definitionCache
	platform *platform.Platform
	kinds    func() []platform.Kind                // of all versions; listed once
	schemas  func() map[[2]string][]*schema.Schema // of all versions, by API version and kind; listed once
}

func (c *definitionCache) of(p *platform.Platform) *definitions {
	d := &definitions{cache: c, platform: p}
	d.kinds, d.schemas = sync.OnceValue(d.listKinds), sync.OnceValue(d.listSchemas)
	return d
}

// scope returns whether objects of a kind live in a namespace: from Kubernetes, from the version's kinds, from the
// CustomResourceDefinitions of the version, and at last from those of any other.
func (d *definitions) scope(v *platform.Version, group, kind string) (scope string, known bool) {
	if scope, known := builtin.Scope(group, kind); known {
		return scope, true
	}
	if scope, known := scopeIn(v.Kinds, group, kind); known {
		return scope, true
	}
	if scope, known := scopeIn(d.cache.defined(v), group, kind); known {
		return scope, true
	}
	return scopeIn(d.kinds(), group, kind)
}

func scopeIn(kinds []platform.Kind, group, kind string) (scope string, known bool) {
	for _, k := range kinds {
		if k.Group == group && k.Kind == kind {
			return k.Scope, true
		}
	}
	return "", false
}

// listKinds lists the kinds that the platform's own CustomResourceDefinitions define.
func (d *definitions) listKinds() (kinds []platform.Kind) {
	for _, name := range slices.Sorted(maps.Keys(d.platform.Offerings)) {
		for _, v := range d.platform.Offerings[name].Versions {
			kinds = append(kinds, d.cache.defined(v)...)
		}
	}
	return kinds
}

// defined lists the kinds that a version's files define.
func (c *definitionCache) defined(v *platform.Version) []platform.Kind {
	return c.kinds.get(v.Digest, func() []platform.Kind {
		var kinds []platform.Kind
		_ = fs.WalkDir(v.Files, ".", func(name string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || path.Ext(name) != ".yaml" {
				return nil // a file that cannot be read defines nothing; the guard reports it
			}
			kinds = append(kinds, definedIn(v.Files, name)...)
			return nil
		})
		return kinds
	})
}

func definedIn(files fs.FS, name string) []platform.Kind {
	var kinds []platform.Kind
	for _, document := range definitionsIn(files, name) {
		if kind, ok := definition(document); ok {
			kinds = append(kinds, kind)
		}
	}
	return kinds
}

func definition(document *yaml.Node) (platform.Kind, bool) {
	var crd struct {
		Kind string `yaml:"kind"`
		Spec struct {
			Group string `yaml:"group"`
			Scope string `yaml:"scope"`
			Names struct {
				Kind string `yaml:"kind"`
			} `yaml:"names"`
		} `yaml:"spec"`
	}
	if err := document.Decode(&crd); err != nil || crd.Kind != "CustomResourceDefinition" {
		return platform.Kind{}, false
	}
	return platform.Kind{Group: crd.Spec.Group, Kind: crd.Spec.Names.Kind, Scope: crd.Spec.Scope}, true
}

// unknownKind is the Problem of a kind whose scope nobody knows.
func unknownKind(v *platform.Version, group, version, kind string) string {
	switch unserved := builtin.Unserved(group, version, kind); {
	case unserved != "":
		return unserved
	case group == "":
		return fmt.Sprintf("Kubernetes has no kind %s in its core group; correct apiVersion or kind", kind)
	}
	return fmt.Sprintf("neither Kubernetes nor this repository defines the kind %s of %s; "+
		"add {group: %s, kind: %s, scope: Namespaced} or scope: Cluster to spec.kinds of %s",
		kind, group, group, kind, path.Join(v.Dir, "version.yaml"))
}
