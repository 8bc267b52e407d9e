package compiler

import (
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/utils"

	"transom.dev/render/internal/kustomize"
)

// replacing are the facts about replacements.
type replacing struct {
	sources    [][]string   // paths in the inputs that are read
	writes     []writePath  // fields that are written
	filters    []filterPath // lists in which elements are found by a field
	delimiters string       // characters
	metadata   bool         // one writes into metadata
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

// replacement records the fields that a replacement reads, writes and compares.
func (f *facts) replacement(file string, r types.Replacement) error {
	source, err := f.source(file, r.Source)
	if err != nil {
		return err
	}
	for _, target := range r.Targets {
		if target == nil || target.Select == nil {
			return unproven("%s: a replacement without select", file)
		}
		if kustomize.SelectsInputs(target.Select) {
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
	p, ok := kustomize.InputsPath(s)
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
	if len(o.Delimiter) > 1 || isLetter(o.Delimiter[0]) || kustomize.IsIndex(o.Delimiter) {
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
	case first == "metadata" && !deeper:
		return unproven("%s: a replacement writes %s", file, p)
	case first == "metadata" && second != "labels" && second != "annotations":
		return unproven("%s: a replacement writes %s", file, p)
	case strings.Contains(field, "config.kubernetes.io/") || strings.Contains(field, "kustomize.config.k8s.io/"):
		return unproven("%s: a replacement writes an annotation of Kustomize's own", file)
	}
	f.metadata = f.metadata || first == "metadata"
	w.field = field
	f.writes = append(f.writes, w)
	return nil
}

// fieldSeparator stands between the keys of a field path; keys may have dots and slashes.
const fieldSeparator = "\x00"

func joinField(field, key string) string {
	switch {
	case kustomize.IsIndex(key):
		return field
	case field == "":
		return key
	}
	return field + fieldSeparator + key
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
