package render

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"transom.dev/render/internal/kinds"
	"transom.dev/render/internal/manifests"
	"transom.dev/render/platform"
	"transom.dev/render/schema"
)

// schemas looks up the schemas that a platform's own CustomResourceDefinitions have of a kind in a version, which may
// differ.
type schemas func(apiVersion, kind string) []*schema.Schema

// customSchemas are the schemas of kinds, by API version and kind.
type customSchemas map[[2]string]*schema.Schema

// schemasFor are those that a version's objects are checked against: of the definitions that it brings along, else of those of all others.
func (d *definitions) schemasFor(v *platform.Version) schemas {
	return func(apiVersion, kind string) []*schema.Schema {
		key := [2]string{apiVersion, kind}
		if own := d.cache.schemasOf(v)[key]; own != nil {
			return []*schema.Schema{own}
		}
		group, _ := groupOf(apiVersion)
		if _, defined := scopeIn(d.kinds(), group, kind); !defined {
			return nil
		}
		return d.schemas()[key]
	}
}

// listSchemas lists the schemas that the platform's own CustomResourceDefinitions have of each kind, in the order of offerings and
// versions.
func (d *definitions) listSchemas() map[[2]string][]*schema.Schema {
	all := map[[2]string][]*schema.Schema{}
	for _, name := range slices.Sorted(maps.Keys(d.platform.Offerings)) {
		for _, v := range d.platform.Offerings[name].Versions {
			for key, s := range d.cache.schemasOf(v) {
				all[key] = append(all[key], s)
			}
		}
	}
	return all
}

func (c *definitionCache) schemasOf(v *platform.Version) customSchemas {
	if len(c.defined(v)) == 0 {
		return nil
	}
	return c.schemas.get(v.Digest, func() customSchemas {
		found := customSchemas{}
		for _, crd := range crdsOf(v) {
			for _, one := range crd.versions {
				name, _ := one["name"].(string)
				props, _ := manifests.At(one, "schema.openAPIV3Schema").(map[string]any)
				if s := schema.CompileCustom(props); s != nil {
					found[[2]string{crd.Group + "/" + name, crd.Kind.Kind}] = s
				}
			}
		}
		return found
	})
}

// customRefusals finds the Faults of a custom resource that every schema of its kind refuses: which of them a cluster has is
// not known.
func customRefusals(object *yaml.Node, of []*schema.Schema) (faults []kinds.Fault) {
	for _, s := range of {
		text, err := yaml.Marshal(object)
		if err != nil {
			return nil
		}
		content, err := manifests.Object(text)
		if err != nil {
			return nil
		}
		mistakes := s.Mistakes(content)
		if len(mistakes) == 0 {
			return nil
		}
		faults = nil
		for _, m := range mistakes {
			faults = append(faults, kinds.Fault{Path: pathOf(m.Field), Rule: "custom-resource", Message: m.Message})
		}
	}
	return faults
}

// pathOf reads a path such as spec.zones[0].name.
func pathOf(field string) (path kinds.Path) {
	for _, name := range strings.FieldsFunc(field, func(r rune) bool { return r == '.' || r == '[' || r == ']' }) {
		if i, err := strconv.Atoi(name); err == nil {
			path = append(path, kinds.EntryStep(i))
		} else {
			path = append(path, kinds.Step{Name: name})
		}
	}
	return path
}
