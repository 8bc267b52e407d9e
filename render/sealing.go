package render

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"transom.dev/render/internal/manifests"
	"transom.dev/render/platform"
	"transom.dev/render/sealed"
	"transom.dev/render/state"
)

// A need is the keys of a sealed Secret that its version lists.
type need struct {
	required, optional []string
}

// needOf reads the annotation of a sealed Secret: keys, of which those that a request may leave out end with "?".
func needOf(annotation string) (n need) {
	for key := range strings.SplitSeq(annotation, ",") {
		key, optional := strings.CutSuffix(strings.TrimSpace(key), "?")
		switch {
		case key == "" && !optional:
		case optional:
			n.optional = append(n.optional, key)
		default:
			n.required = append(n.required, key)
		}
	}
	return n
}

// sealed checks the annotation of a Secret whose values requests give.
func (c *output) sealed(o object, objects []object) {
	keys, is := o.annotations[state.AnnotationSealed]
	if o.annotations[sealed.AnnotationFor] != "" {
		c.report(c.file, "sealed", "annotates the %s %s %s, which is Transom's own; remove it", o.id.kind, o.id.name, sealed.AnnotationFor)
	}
	if !is {
		return
	}
	report := func(format string, args ...any) {
		c.report(c.file, "sealed", "annotates the %s %s %s, %s", o.id.kind, o.id.name, state.AnnotationSealed, fmt.Sprintf(format, args...))
	}
	need := needOf(keys)
	all := slices.Concat(need.required, need.optional)
	_, generated := o.annotations[state.AnnotationGenerate]
	others := slices.ContainsFunc(objects, func(other object) bool {
		_, also := other.annotations[state.AnnotationSealed]
		return also && other.id != o.id
	})
	switch {
	case c.around:
		report("which only a Secret of an instance can have; remove it")
	case o.id.group != "" || o.id.kind != "Secret":
		report("which only a Secret can have")
	case generated:
		report("and %s: values are given or generated; make two Secrets of it", state.AnnotationGenerate)
	case others:
		report("and another Secret too: one file has the values of a request, and one MAC covers them all; list all keys in one Secret")
	case len(all) == 0:
		report("without keys; list those that a request gives, such as \"api-key, smtp-password?\", where the second may be left out")
	}
	for n, key := range all {
		if err := sealed.CheckKey(key); err != nil {
			report("where %v", err)
		} else if slices.Index(all, key) < n {
			report("which lists %s twice", key)
		}
	}
}

// fill puts into the manifest of a placement all that is given in secret: the values of the request, and the image pull secrets of the
// environment. It reports whether nothing that blocks came up.
func (c *candidate) fill(placed *placement, labels map[string]string, manifest []byte, objects []object) ([]byte, []object, bool) {
	manifest, problems := c.fillSealed(manifest, objects)
	if !slices.ContainsFunc(problems, blocks) && placed.namespace != "" {
		var more []platform.Problem
		manifest, objects, more = pulling{c.instance, placed.namespace, c.key().Name + "-", labels}.add(manifest, objects)
		problems = append(problems, more...)
	}
	if c.add(problems...); slices.ContainsFunc(problems, blocks) {
		return manifest, objects, false
	}
	placed.warnings = append(placed.warnings, problems...)
	return manifest, objects, true
}

// fillSealed puts the values that the instance's request gives, sealed as they are, into the Secret that asks for them. It reports
// values that are missing as the candidate's Problems, and those that nothing asks for as Warnings.
func (c *candidate) fillSealed(manifest []byte, objects []object) ([]byte, []platform.Problem) {
	values := c.instance.Sealed
	at := slices.IndexFunc(objects, func(o object) bool { _, is := o.annotations[state.AnnotationSealed]; return is })
	if at < 0 {
		if values == nil {
			return manifest, nil
		}
		return manifest, []platform.Problem{c.ofValues(true, "%s asks for no values, so that these go nowhere until a version comes that does; "+
			"if none will, delete the file", c.instance.Version)}
	}
	problems := c.compareKeys(needOf(objects[at].annotations[state.AnnotationSealed]), values)
	if values == nil || slices.ContainsFunc(problems, blocks) {
		return manifest, problems
	}
	documents := manifests.Split(manifest)
	filled, err := fillSecret(documents[at], values)
	if err != nil {
		return manifest, append(problems, platform.Problem{File: kustomizationOf(c.instance.Version), Rule: "build", Message: err.Error()})
	}
	documents[at] = filled
	return manifests.Join(documents), problems
}

// fillSecret puts sealed values into a Secret without any.
func fillSecret(document []byte, values *sealed.File) ([]byte, error) {
	filled, err := annotateObject(document, sealed.AnnotationFor, func(map[string]any) string { return values.For })
	if err != nil {
		return nil, err
	}
	return insertFields(filled, map[string]string{"sops": values.BlockText(), "stringData": values.ValuesText()}), nil
}

// compareKeys compares the keys that a Secret needs with those that the request gives.
func (c *candidate) compareKeys(need need, values *sealed.File) (problems []platform.Problem) {
	var missing, idle []string
	for _, key := range need.required {
		if values == nil || values.Values[key] == "" {
			missing = append(missing, key)
		}
	}
	if values != nil {
		for _, key := range slices.Sorted(maps.Keys(values.Values)) {
			if !slices.Contains(need.required, key) && !slices.Contains(need.optional, key) {
				idle = append(idle, key)
			}
		}
	}
	if len(missing) > 0 {
		problems = append(problems, c.ofValues(false, "%s needs %s, which the request does not give; seal what is missing: transom secret set %s %s -e %s",
			c.instance.Version, strings.Join(missing, ", "), c.key(), strings.Join(missing, " "), c.instance.Environment.Name))
	}
	if len(idle) > 0 {
		problems = append(problems, c.ofValues(true, "%s does not list %s, which the Secret has all the same", c.instance.Version, strings.Join(idle, ", ")))
	}
	return problems
}

// ofValues is a Problem of the file of the instance's sealed values.
func (c *candidate) ofValues(warning bool, format string, args ...any) platform.Problem {
	subject := sealed.Subject{Team: c.key().Team, Request: c.key().Name, Environment: c.instance.Environment.Name}
	return platform.Problem{
		File: subject.File(), Rule: "sealed", Warning: warning, Message: fmt.Sprintf(format, args...),
	}
}

// insertFields puts fields, as texts, among those of an object that Kustomize wrote, which are sorted.
func insertFields(document []byte, fields map[string]string) []byte {
	var out bytes.Buffer
	names := slices.Sorted(maps.Keys(fields))
	for line := range bytes.Lines(append(bytes.TrimRight(document, "\n"), '\n')) {
		name, _, begins := bytes.Cut(line, []byte(":"))
		for begins && len(names) > 0 && line[0] != ' ' && line[0] != '-' && line[0] != '#' && names[0] < string(name) {
			out.WriteString(fields[names[0]])
			names = names[1:]
		}
		out.Write(line)
	}
	for _, name := range names {
		out.WriteString(fields[name])
	}
	if !bytes.HasSuffix(document, []byte("\n")) {
		out.Truncate(out.Len() - 1)
	}
	return out.Bytes()
}
