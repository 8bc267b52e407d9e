package kustomize

import (
	"io/fs"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"transom.dev/render/strictyaml"
)

// The transformers that a kustomization may list, and the fields that their configurations may have: none of these names a file, and
// none of the transformers runs a program. An annotation could name a program, so that metadata has a name only.
var (
	transformerKinds = []string{
		"LabelTransformer", "AnnotationsTransformer", "NamespaceTransformer", "PrefixTransformer", "SuffixTransformer",
		"ImageTagTransformer", "ReplicaCountTransformer",
	}
	transformerFields = []string{
		"apiVersion", "kind", "metadata", "labels", "annotations", "namespace", "prefix", "suffix", "imageTag", "replica",
		"fieldSpecs", "unsetOnly", "setRoleBindingSubjects",
	}
)

const (
	maxTransformers = 20       // of one kustomization
	maxTransformer  = 16 << 10 // bytes of one entry: labels go onto every object
)

// isText reports whether an entry that may be a path is YAML, which has what no path has.
func isText(entry string) bool {
	return strings.ContainsAny(entry, "\n{") || strings.Contains(entry, ": ")
}

// transformer checks an entry of transformers: a file of the tree, or the configuration itself.
func (g *guard) transformer(k *kustomization, field, entry string) {
	text, file := []byte(entry), k.file
	if !isText(entry) {
		target, ok := g.local(k, field, entry)
		if !ok || !g.isRegular(k, field, entry, target) {
			return
		}
		var err error
		if text, err = fs.ReadFile(g.tree.Files, target); err != nil {
			g.report(target, nil, "", "unreadable", "%v", err)
			return
		}
		file = target
	}
	if len(text) > maxTransformer {
		g.reportField(k, field, "too-large", "has %d bytes; at most %d are built", len(text), maxTransformer)
		return
	}
	documents, problems := strictyaml.Scan(text, strictyaml.Options{Documents: true})
	for _, p := range problems {
		g.reportField(k, field, p.Rule, "line %d: %s", p.Line, p.Message)
	}
	for _, d := range documents {
		g.configuration(k, field, file, d)
	}
	for _, affix := range affixesIn(documents) {
		g.affixes[affix] = true
	}
}

// configuration checks the configuration of a transformer against the allowed kinds and fields.
func (g *guard) configuration(k *kustomization, field, file string, d *yaml.Node) {
	refuse := func(format string, args ...any) {
		g.reportField(k, field, "transformer", "%s: "+format, append([]any{file}, args...)...)
	}
	kind, version := Lookup(d, "kind"), Lookup(d, "apiVersion")
	if kind == nil || version == nil || version.Value != "builtin" || !slices.Contains(transformerKinds, kind.Value) {
		refuse("runs plug-ins, unless it is of apiVersion builtin and %s; use patches or replacements", strings.Join(transformerKinds, ", "))
		return
	}
	for i := 0; i+1 < len(d.Content); i += 2 {
		if name := d.Content[i].Value; !slices.Contains(transformerFields, name) {
			refuse("%s is no field of %s that may be built", name, kind.Value)
		}
	}
	metadata := Lookup(d, "metadata")
	for i := 0; metadata != nil && i+1 < len(metadata.Content); i += 2 {
		if name := metadata.Content[i].Value; name != "name" && name != "namespace" {
			refuse("metadata.%s may name a program; write the name only", name)
		}
	}
}

// affixesIn lists the prefixes and suffixes that transformers give.
func affixesIn(documents []*yaml.Node) (found []string) {
	for _, d := range documents {
		for _, name := range []string{"prefix", "suffix"} {
			if affix := Lookup(d, name); affix != nil && affix.Value != "" {
				found = append(found, affix.Value)
			}
		}
	}
	return found
}

// transformedAffixes lists the prefixes and suffixes that the transformers of a kustomization give.
func transformedAffixes(files fs.FS, dir string, entries []string) (found []string) {
	for _, entry := range entries {
		text := []byte(entry)
		if !isText(entry) {
			text, _ = fs.ReadFile(files, path.Join(dir, entry)) // one that cannot be read is not built
		}
		documents, _ := strictyaml.Scan(text, strictyaml.Options{Documents: true})
		found = append(found, affixesIn(documents)...)
	}
	return found
}
