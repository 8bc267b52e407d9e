package kustomize

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/resid"
	"sigs.k8s.io/kustomize/kyaml/utils"
)

// facts are what the kustomizations of a wrapper do that matters to the values of its inputs: which of them they read,
// where they write them, and where they look at a value instead of handing it on. Kustomize copies everything else.
type facts struct {
	trees   []Tree
	visited map[string]bool

	sources    [][]string      // paths in the inputs that replacements read
	writes     []writePath     // fields that replacements write
	filters    []filterPath    // lists in which a replacement finds elements by a field
	sequences  map[string]bool // lists that a strategic merge patch merges, by field path
	constants  map[string]bool // every scalar in the files
	namespaces map[string]bool // those below a key "namespace"
	names      map[string]bool // of objects
	images     []*regexp.Regexp
	delimiters string // characters

	affixed     bool // a kustomization gives names a prefix or suffix
	generated   bool // a kustomization generates ConfigMaps
	jsonPatches bool // a patch writes its object anew, by way of JSON
	selectors   bool // something selects by labels or annotations
	metadata    bool // a replacement writes into metadata
}

// A writePath is where a replacement writes: keys only, no indices.
type writePath struct {
	field  string
	source string // a field of the inputs
	copied bool   // it comes from another object
}

// A filterPath is a list whose elements a replacement tells apart by a field.
type filterPath struct {
	list, field string
	value       *regexp.Regexp
}

// errConstruct says which construct stands in the way of compiling.
type errConstruct string

func (e errConstruct) Error() string { return string(e) }

func unproven(format string, args ...any) error { return errConstruct(fmt.Sprintf(format, args...)) }

var inputsID = resid.NewResId(resid.Gvk{Group: "transom.dev", Version: "v1alpha1", Kind: inputsKind}, inputsName)

// gather reads all that a build of the components reads. The error is the construct that rules compiling out.
func gather(w Wrapper) (*facts, error) {
	f := &facts{
		trees: w.Trees, visited: map[string]bool{},
		sequences: map[string]bool{}, constants: map[string]bool{}, namespaces: map[string]bool{"default": true},
		names: map[string]bool{inputsName: true},
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
	file := path.Join(dir, kustomizationFile)
	_, content, err := readIn(f.trees, file)
	if err != nil {
		return err
	}
	if err := f.scalars(file, content); err != nil {
		return err
	}
	var k types.Kustomization
	if err := k.Unmarshal(content); err != nil {
		return fmt.Errorf("read %s: %w", file, err)
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
		list, err := expand(f.trees, dir, r)
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

// follow reads what a kustomization lists.
func (f *facts) follow(dir string, k types.Kustomization) error {
	for _, component := range k.Components {
		if err := f.kustomization(path.Join(dir, component)); err != nil {
			return err
		}
	}
	for _, resource := range k.Resources {
		file := path.Join(dir, resource)
		_, content, err := readIn(f.trees, file)
		if err != nil {
			if _, _, err := readIn(f.trees, path.Join(file, kustomizationFile)); err != nil {
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

// patch records what a patch compares.
func (f *facts) patch(dir string, p types.Patch) error {
	content := []byte(p.Patch)
	if p.Path != "" {
		var err error
		if _, content, err = readIn(f.trees, path.Join(dir, p.Path)); err != nil {
			return err
		}
	}
	if p.Target != nil {
		f.selectors = f.selectors || p.Target.LabelSelector != "" || p.Target.AnnotationSelector != ""
		if selectsInputs(p.Target) {
			return unproven("a patch of %s selects the Inputs object", dir)
		}
	}
	if err := f.scalars(dir, content); err != nil {
		return err
	}
	documents, err := parseAll(bytes.TrimSpace(content))
	if err != nil {
		return err
	}
	for _, document := range documents {
		if len(document.Content) == 1 && document.Content[0].Kind == yaml.SequenceNode {
			if err := f.jsonPatch(dir, document.Content[0]); err != nil {
				return err
			}
			continue
		}
		if kind := lookup(document.Content[0], "kind"); kind != nil && kind.Value == inputsKind {
			return unproven("a patch of %s is of the Inputs object", dir)
		}
		if err := f.mergePatch(dir, document, ""); err != nil {
			return err
		}
	}
	return nil
}

func (f *facts) jsonPatch(dir string, operations *yaml.Node) error {
	f.jsonPatches = true
	for _, operation := range operations.Content {
		op := lookup(operation, "op")
		if op == nil || !slices.Contains([]string{"add", "replace", "remove"}, op.Value) {
			return unproven("a JSON patch of %s tests, moves or copies", dir)
		}
	}
	return nil
}

func (f *facts) mergePatch(dir string, n *yaml.Node, field string) error {
	switch n.Kind {
	case yaml.AliasNode:
		return f.mergePatch(dir, n.Alias, field)
	case yaml.SequenceNode:
		f.sequences[field] = true
	case yaml.MappingNode:
		for i := 0; i < len(n.Content); i += 2 {
			key := n.Content[i].Value
			if strings.HasPrefix(key, "$") && key != "$patch" {
				return unproven("a patch of %s has the directive %s", dir, key)
			}
			if err := f.mergePatch(dir, n.Content[i+1], joinField(field, key)); err != nil {
				return err
			}
		}
		return nil
	}
	for _, item := range n.Content {
		if err := f.mergePatch(dir, item, field); err != nil {
			return err
		}
	}
	return nil
}

func selectsInputs(s *types.Selector) bool {
	compiled, err := types.NewSelectorRegex(s)
	return err != nil || compiled.MatchGvk(inputsID.Gvk) && compiled.MatchName(inputsID.Name)
}

// replacement records what a replacement reads, writes and compares.
func (f *facts) replacement(file string, r types.Replacement) error {
	source, err := f.source(file, r.Source)
	if err != nil {
		return err
	}
	for _, target := range r.Targets {
		if target == nil || target.Select == nil {
			return unproven("%s: a replacement without select", file)
		}
		if selectsInputs(target.Select) {
			return unproven("%s: a replacement selects the Inputs object", file)
		}
		if err := f.options(file, target.Options); err != nil {
			return err
		}
		for _, s := range append(slices.Clone(target.Reject), target.Select) {
			f.selectors = f.selectors || s.LabelSelector != "" || s.AnnotationSelector != ""
		}
		if len(target.FieldPaths) == 0 {
			return unproven("%s: a replacement writes a name", file)
		}
		for _, p := range target.FieldPaths {
			if err := f.write(file, p, source); err != nil {
				return err
			}
		}
	}
	return nil
}

// source records where a replacement reads.
func (f *facts) source(file string, s *types.SourceSelector) (w writePath, err error) {
	if s == nil {
		return w, nil
	}
	if err := f.options(file, s.Options); err != nil {
		return w, err
	}
	p, ok := inputsPath(s)
	if !ok {
		w.copied = true
		_, err := f.fieldOf(s.FieldPath)
		return w, err
	}
	f.sources = append(f.sources, p)
	for _, step := range p {
		w.source = joinField(w.source, step)
	}
	return w, plainSource(file, p)
}

func plainSource(file string, p []string) error {
	for _, step := range p {
		if strings.HasPrefix(step, "[") || step == "*" || step == "-" || step == "" {
			return unproven("%s: a replacement finds its source in a list", file)
		}
	}
	return nil
}

func (f *facts) options(file string, o *types.FieldOptions) error {
	if o == nil || o.Delimiter == "" {
		return nil
	}
	if len(o.Delimiter) > 1 || isLetter(o.Delimiter[0]) || isIndex(o.Delimiter) {
		return unproven("%s: the delimiter %q", file, o.Delimiter)
	}
	f.delimiters += o.Delimiter
	return nil
}

func (f *facts) write(file, p string, w writePath) error {
	field, err := f.fieldOf(p)
	if err != nil {
		return err
	}
	first, rest, _ := strings.Cut(field, fieldSeparator)
	second, _, deeper := strings.Cut(rest, fieldSeparator)
	switch {
	case first == "" || first == "kind" || first == "apiVersion":
		return unproven("%s: a replacement writes %s", file, p)
	case first == "metadata" && (second != "labels" && second != "annotations" || !deeper):
		return unproven("%s: a replacement writes %s", file, p)
	case strings.Contains(field, "config.kubernetes.io/") || strings.Contains(field, "kustomize.config.k8s.io/"):
		return unproven("%s: a replacement writes an annotation of Kustomize's own", file)
	}
	f.metadata = f.metadata || first == "metadata"
	w.field = field
	f.writes = append(f.writes, w)
	return nil
}

// fieldSeparator stands between the keys of a field path; keys may hold dots and slashes.
const fieldSeparator = "\x00"

func joinField(field, key string) string {
	switch {
	case isIndex(key):
		return field
	case field == "":
		return key
	}
	return field + fieldSeparator + key
}

func isIndex(step string) bool {
	return step == "*" || step == "-" || step != "" && strings.Trim(step, "0123456789") == ""
}

// fieldOf takes the indices out of a path and records the elements that it finds by a field.
func (f *facts) fieldOf(p string) (string, error) {
	field := ""
	for _, step := range utils.SmarterPathSplitter(p, ".") {
		if !strings.HasPrefix(step, "[") || !strings.HasSuffix(step, "]") {
			field = joinField(field, step)
			continue
		}
		key, value, ok := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(step, "["), "]"), "=")
		r, err := regexp.Compile(value)
		if !ok || err != nil {
			return "", unproven("a replacement with the path %s", p)
		}
		f.filters = append(f.filters, filterPath{list: field, field: key, value: r})
		f.constants[value] = true
	}
	return field, nil
}
