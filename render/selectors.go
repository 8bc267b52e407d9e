package render

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"transom.dev/render/internal/kustomize"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// manifest builds a placement. A field that the API server lets nobody change, the selector of a workload or the template of
// a Job, stays as the base's bytes have it, even where the rule says otherwise by now, until a revision has the object no more. Where
// that differs from the rule, the placement's record says so.
func (b *builder) manifest(c *candidate, placed *placement, w kustomize.Wrapper) ([]byte, error) {
	program := b.examiner.analyse(w).program
	if record, made := b.recorded(c, placed); made {
		asRenderer(&w, record.Renderer)
		placed.selectors, w.Kept = record.Selectors, keptStyles(record.Selectors, w.Prefix)
		return program.Build(w)
	}
	manifest, err := program.Build(w)
	if err != nil || len(w.Identity) == 0 || c.base == nil {
		return manifest, err
	}
	now := stylesOf(manifest, placed.namespace)
	if len(now) == 0 {
		return manifest, nil
	}
	was, err := b.stylesBefore(c, placed)
	if err != nil {
		return nil, err
	}
	maps.DeleteFunc(was, func(name string, style kustomize.Style) bool { return now[name] == "" || now[name] == style })
	if len(was) == 0 {
		return manifest, nil
	}
	placed.selectors = recordStyles(was)
	w.Kept = keptStyles(placed.selectors, w.Prefix)
	return program.Build(w)
}

// recorded returns how a placement is to be made again, if it is.
func (b *builder) recorded(c *candidate, placed *placement) (record state.Placement, made bool) {
	if b.made != nil {
		return *b.made, true
	}
	if r := b.direction.Made[c.key()]; r != nil {
		record, made = r.Clusters[placed.cluster.Name]
	}
	return record, made
}

// An unread is a failure to read the base. It is nobody's mistake, and nothing is concluded from it.
type unread struct{ error }

func (u unread) Unwrap() error { return u.error }

// stylesBefore reads the workloads that the base has on the placement's cluster. Without their bytes, the record names those
// that were not as the rule says.
func (b *builder) stylesBefore(c *candidate, placed *placement) (map[string]kustomize.Style, error) {
	before, there := c.base.Clusters[placed.cluster.Name]
	if !there {
		return nil, nil
	}
	manifest, err := b.base.Read(state.ManifestFile(placed.cluster.Name, c.key()))
	if err != nil {
		return nil, unread{err}
	}
	if manifest == nil {
		return keptStyles(before.Selectors, ""), nil
	}
	return stylesOf(manifest, placed.namespace), nil
}

// stylesOf says of the workloads of one namespace in a manifest, by KIND NAME, where the identity is in them. It goes by the
// lines as they are printed: a manifest is read whenever its instance is rendered anew, and parsing takes longer than all of
// rendering.
func stylesOf(manifest []byte, namespace string) map[string]kustomize.Style {
	styles := map[string]kustomize.Style{}
	for document := range bytes.SplitSeq(manifest, []byte("\n---\n")) {
		document = bytes.TrimPrefix(document, []byte("---\n"))
		if !bytes.HasPrefix(document, []byte("apiVersion: apps/")) && !bytes.HasPrefix(document, []byte("apiVersion: batch/")) {
			continue
		}
		if o := outlineOf(document); o.namespace == namespace {
			if style := o.style(); style != "" {
				styles[o.kind+" "+o.name] = style
			}
		}
	}
	return styles
}

// An outline is read from the lines of a workload.
type outline struct {
	kind, name, namespace          string
	inSelector, onTemplate, inSpec bool
}

func outlineOf(document []byte) (o outline) {
	var path [4]string // of the line, by its indentation
	for line := range bytes.Lines(document) {
		text := strings.TrimRight(string(line), "\n")
		key := strings.TrimLeft(text, " ")
		depth := (len(text) - len(key)) / 2
		key, value, _ := strings.Cut(strings.TrimPrefix(key, "- "), ":")
		value = strings.Trim(value, ` "'`)
		if depth < len(path) {
			path[depth] = key
		}
		switch {
		case depth == 0 && key == "kind":
			o.kind = value
		case depth == 1 && path[0] == "metadata" && key == "name":
			o.name = value
		case depth == 1 && path[0] == "metadata" && key == "namespace":
			o.namespace = value
		case path[0] != "spec" || key != state.LabelRequest:
		case depth == 3 && path[1] == "selector" && path[2] == "matchLabels":
			o.inSelector = true
		case depth == 4 && path[1] == "template" && path[2] == "metadata" && path[3] == "labels":
			o.onTemplate = true
		case depth > 3 && path[1] == "template" && path[2] == "spec":
			o.inSpec = true
		}
	}
	return o
}

// style is empty for a workload whose fields may be changed.
func (o *outline) style() kustomize.Style {
	switch o.kind {
	case "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet":
		if o.inSelector {
			return kustomize.WithIdentity
		}
		return kustomize.AsWritten
	case "Job":
		switch {
		case o.inSpec:
			return kustomize.WithIdentity
		case o.onTemplate:
			return kustomize.OnTemplate
		}
		return kustomize.AsWritten
	}
	return ""
}

// recordStyles writes styles as a Release file has them.
func recordStyles(styles map[string]kustomize.Style) string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(styles)) {
		list = append(list, name+": "+string(styles[name]))
	}
	return strings.Join(list, ", ")
}

// keptStyles reads them back, with names that have no prefix yet.
func keptStyles(record, prefix string) map[string]kustomize.Style {
	if record == "" {
		return nil
	}
	styles := map[string]kustomize.Style{}
	for entry := range strings.SplitSeq(record, ", ") {
		object, style, _ := strings.Cut(entry, ": ")
		kind, name, _ := strings.Cut(object, " ")
		styles[kind+" "+strings.TrimPrefix(name, prefix)] = kustomize.Style(style)
	}
	return styles
}

// idleSelectors warns about selectors that select no object that the version renders, where no other object that it renders
// could make one.
func idleSelectors(file, prefix string, sources []kustomize.Object, rendered []*yaml.Node) (warnings []platform.Problem) {
	for _, idle := range kustomize.IdleSelectors(rendered) {
		object := rendered[idle.Object].Content[0]
		kind, name := valueOf(object, "kind"), strings.TrimPrefix(valueOf(mappingOf(object, "metadata"), "name"), prefix)
		warning := platform.Problem{
			File: file, Field: idle.Field, Rule: "idle-selector", Warning: true,
			Message: fmt.Sprintf("the %s %s selects no %s of what the version renders; correct it, "+
				"or annotate the object %s: %s if something else makes what it selects", kind, name, idle.Of, state.AnnotationSelectors, state.SelectorsAsWritten),
		}
		for _, o := range sources {
			if o.Kind == kind && o.Name == name && o.APIVersion == valueOf(object, "apiVersion") && o.File != "" {
				warning.File, warning.Line = o.File, o.Line
			}
		}
		warnings = append(warnings, warning)
	}
	return warnings
}

// selectors refuses values of the annotation that mean nothing: who wrote one wants selectors untouched.
func (c *output) selectors(o object) {
	if value, there := o.annotations[state.AnnotationSelectors]; there && value != state.SelectorsAsWritten {
		c.reportNew(c.file, "annotation", "annotates the %s %s %s: %q, which is not known; write %s, or remove it: then selectors of "+
			"the render's own pods get the instance's labels", o.id.kind, o.id.name, state.AnnotationSelectors, value, state.SelectorsAsWritten)
	}
}
