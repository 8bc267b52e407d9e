package kustomize

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/resid"

	"transom.dev/render/strictyaml"
)

// A transformerConfig is a file of configurations: the fields, beside those that Kustomize knows, that have names of other objects,
// namespaces and images. Kustomize uses it for the kustomization that lists it and for all that list that one, up to the wrapper. It
// has the parts that the guard allows.
type transformerConfig struct {
	NameReference []nameReference   `json:"nameReference,omitempty"`
	Namespace     []types.FieldSpec `json:"namespace,omitempty"`
	Images        []types.FieldSpec `json:"images,omitempty"`
	VarReference  []types.FieldSpec `json:"varReference,omitempty"` // without vars it does nothing
}

// A nameReference lists the fields that name an object of a kind.
type nameReference struct {
	resid.Gvk  `json:",inline"`
	FieldSpecs []types.FieldSpec `json:"fieldSpecs,omitempty"`
}

// specs are the field specifications of a configuration that do something.
func (c *transformerConfig) specs() []types.FieldSpec {
	all := slices.Concat(c.Namespace, c.Images)
	for _, n := range c.NameReference {
		all = append(all, n.FieldSpecs...)
	}
	return all
}

// insteadOf says, for each part of a configuration that is refused, which allowed field of a kustomization does the same. Such a part
// would apply to the wrapper as well, which gives all objects their prefix and the labels of their owner.
var insteadOf = map[string]string{
	"namePrefix":                fieldSpecsOf("PrefixTransformer"),
	"nameSuffix":                fieldSpecsOf("SuffixTransformer"),
	"commonLabels":              "labels with fields",
	"labels":                    "labels with fields",
	"templateLabels":            "labels with fields",
	"volumeClaimTemplateLabels": "labels with fields",
	"commonAnnotations":         fieldSpecsOf("AnnotationsTransformer"),
	"replicas":                  fieldSpecsOf("ReplicaCountTransformer"),
}

func fieldSpecsOf(transformer string) string {
	return "a " + transformer + " with fieldSpecs under transformers"
}

const maxFieldSpecs = 200 // of one file of configurations

// specPath matches the paths of fields that a configuration may name: no pattern, and nothing that is escaped.
var specPath = regexp.MustCompile(`^[A-Za-z0-9._-]+(\[\])?(/[A-Za-z0-9._-]+(\[\])?)*$`)

// configurations checks an entry of configurations: a file of the tree.
func (g *guard) configurations(k *kustomization, field, entry string) {
	target, ok := g.local(k, field, entry)
	if !ok || !g.isRegular(k, field, entry, target) {
		return
	}
	if info, err := fs.Stat(g.tree.Files, target); err == nil && info.Size() > maxTransformer {
		g.reportField(k, field, "too-large", "%s has %d bytes; at most %d are read", target, info.Size(), maxTransformer)
		return
	}
	root := g.read(target)
	if root == nil {
		return
	}
	before := len(g.problems)
	for i := 0; root.Kind == yaml.MappingNode && i+1 < len(root.Content); i += 2 {
		key := root.Content[i]
		if other, known := insteadOf[key.Value]; known {
			g.report(target, key, key.Value, "configuration", "would hold for the wrapper, which names and labels the objects of every instance; write %s", other)
		}
	}
	var c transformerConfig
	if len(g.problems) > before || !g.strictly(target, root, &c) {
		return
	}
	if n := len(c.specs()); n > maxFieldSpecs {
		g.report(target, root, "", "too-many", "has %d fieldSpecs; at most %d are read", n, maxFieldSpecs)
		return
	}
	for i, n := range c.NameReference {
		if n.Kind == "" {
			g.report(target, root, fmt.Sprintf("nameReference[%d].kind", i), "configuration", "is missing; write the kind of the objects that the fields name")
		}
	}
	for _, spec := range c.specs() {
		g.fieldSpec(target, root, spec)
	}
}

// fieldSpec refuses a field that has, or leads to, the identity of objects: their metadata, labels and selectors are the wrapper's.
func (g *guard) fieldSpec(file string, root *yaml.Node, spec types.FieldSpec) {
	steps := strings.Split(spec.Path, "/")
	identifies := func(step string) bool {
		step = strings.ToLower(strings.TrimSuffix(step, "[]"))
		return strings.HasSuffix(step, "labels") || strings.HasSuffix(step, "selector") || step == "metadata" || step == "matchexpressions"
	}
	switch {
	case !specPath.MatchString(spec.Path):
		g.report(file, root, "", "configuration", "the path %q is no plain path of names such as spec/issuerRef/name", spec.Path)
	case slices.ContainsFunc(steps, identifies):
		g.report(file, root, "", "configuration",
			"the path %q leads into metadata, labels or selectors, which are the wrapper's; write replacements from metadata.name of the object that is meant", spec.Path)
	}
}

// configuration reads a file of configurations that the guard has accepted; one that cannot be read is empty.
func (s *sources) configuration(name string) (c transformerConfig) {
	_, content, err := ReadIn(s.trees, name)
	if err != nil {
		return c
	}
	documents, _ := strictyaml.Scan(content, strictyaml.Options{})
	if len(documents) == 1 {
		_ = (&guard{reported: map[string]int{}}).strictly(name, documents[0], &c) // what does not fit was refused
	}
	return c
}

// configure notes the fields that the configurations of a kustomization add to those that may name an object.
func (e *estimate) configure(dir string, k *types.Kustomization) {
	for _, entry := range k.Configurations {
		for _, n := range e.sources.configuration(path.Join(dir, entry)).NameReference {
			e.named = append(e.named, n.FieldSpecs...)
		}
	}
}

// configured counts the fields that configurations say to have names, once for each time that they are said to.
func (e *estimate) configured(acc *accumulation) (count int64) {
	for _, spec := range e.named {
		steps := strings.Split(strings.ReplaceAll(spec.Path, "[]", ""), "/")
		for _, i := range acc.items {
			if spec.Kind == "" || spec.Kind == i.kind {
				count = plus(count, reachedFields(i.root, steps))
			}
		}
	}
	return count
}

// reachedFields counts the nodes at the end of a path, which goes through each item of a list.
func reachedFields(n *yaml.Node, steps []string) (count int64) {
	n = resolved(n)
	switch {
	case n == nil:
		return 0
	case n.Kind == yaml.SequenceNode:
		for _, item := range n.Content {
			count = plus(count, reachedFields(item, steps))
		}
		return count
	case len(steps) == 0 && n.Kind == yaml.MappingNode:
		return int64(len(n.Content)) // Kustomize looks into a mapping for a name and a namespace
	case len(steps) == 0:
		return 1
	}
	return reachedFields(Lookup(n, steps[0]), steps[1:])
}
