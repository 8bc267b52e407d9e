package helm

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"transom.dev/render/state"
)

// Hooks say how the hooks of a chart become objects that are applied in steps.
type Hooks struct {
	First bool     `json:"first"`           // it is the first release of its instance: hooks of an installation are there, those of an upgrade are not
	Again bool     `json:"again,omitempty"` // a first release before it was never healthy: its Jobs are replaced
	Omit  []string `json:"omit,omitempty"`
}

// The annotations of Helm. Steps before and after all other objects are so far from theirs that a weight fits
// between.
const (
	annotationHook = "helm.sh/hook"
	weightOfHook   = "helm.sh/hook-weight"
	deletionOfHook = "helm.sh/hook-delete-policy"

	hookStep   = 1000
	mostWeight = hookStep - 1
)

// objects returns the documents of a printed text without those that are omitted, each hook with its step.
func (h Hooks) objects(file, text string) (string, error) {
	kept := documents(text)
	if !strings.Contains(text, annotationHook) {
		return strings.Join(kept, "\n---\n"), nil
	}
	for n := 0; n < len(kept); n++ {
		changed, err := h.object(kept[n])
		if err != nil {
			return "", fmt.Errorf("%s: %w", file, err)
		}
		if kept[n] = changed; changed == "" {
			kept = slices.Delete(kept, n, n+1)
			n--
		}
	}
	return strings.Join(kept, "\n---\n"), nil
}

// object returns one document as it is to be applied; empty: not at all.
func (h Hooks) object(text string) (string, error) {
	var document yaml.Node
	if err := yaml.Unmarshal([]byte(text), &document); err != nil || len(document.Content) == 0 {
		return text, nil // whoever reads it next says why
	}
	object := document.Content[0]
	metadata := entry(object, "metadata")
	annotations := entry(metadata, "annotations")
	value := entry(annotations, annotationHook)
	if value == nil {
		return text, nil
	}
	what := fmt.Sprintf("%s %s", textOf(object, "kind"), textOf(metadata, "name"))
	events := strings.ToLower(value.Value) // as Helm reads them
	moment, err := h.moment(what, events)
	if err != nil || moment == 0 {
		return "", err
	}
	weight, err := strconv.Atoi(strings.TrimSpace(cmp.Or(textOf(annotations, weightOfHook), "0")))
	if err != nil {
		return "", fmt.Errorf("%s has the weight %q, which is no number", what, textOf(annotations, weightOfHook))
	}
	again := h.Again || strings.Contains(events, "-upgrade")
	for _, name := range []string{annotationHook, weightOfHook, deletionOfHook} {
		remove(annotations, name)
	}
	if entry(annotations, state.AnnotationStep) == nil {
		set(annotations, state.AnnotationStep, strconv.Itoa(int(moment)*hookStep+min(max(weight, -mostWeight), mostWeight)))
	}
	if textOf(object, "kind") == "Job" {
		remove(entry(object, "spec"), "ttlSecondsAfterFinished") // its object says that it ran
		if again && entry(annotations, state.AnnotationReplace) == nil {
			set(annotations, state.AnnotationReplace, "true")
		}
	}
	changed, err := yaml.Marshal(&document)
	return string(changed), err
}

// A moment is when a hook runs: before all other objects, or after them. Zero: it is omitted.
type moment int

const (
	before moment = -1
	after  moment = 1
)

// moment reads the events of a hook.
func (h Hooks) moment(what, events string) (m moment, err error) {
	install, upgrade := moment(0), moment(0)
	for event := range strings.SplitSeq(events, ",") {
		event = strings.TrimSpace(event)
		at := after
		if strings.HasPrefix(event, "pre-") {
			at = before
		}
		of := &install
		switch event {
		case "test", "test-success", "test-failure":
			continue
		case "pre-install", "post-install":
		case "pre-upgrade", "post-upgrade":
			of = &upgrade
		case "pre-delete", "post-delete", "pre-rollback", "post-rollback":
			if !slices.Contains(h.Omit, event) {
				return 0, fmt.Errorf("%s is a hook of %s, and nothing runs then; leave it out with spec.chart.hooks: {omit: [%s]} in version.yaml, "+
					"and do what it does by hand", what, event, event)
			}
			continue
		default:
			return 0, fmt.Errorf("%s is a hook of %q, which is no event of Helm", what, event)
		}
		if *of != 0 && *of != at {
			return 0, fmt.Errorf("%s is a hook before and after the same event, and one object is applied once; make two of it", what)
		}
		*of = at
	}
	if h.First {
		return install, nil
	}
	return upgrade, nil
}

func entry(n *yaml.Node, name string) *yaml.Node {
	for i := 0; n != nil && n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return n.Content[i+1]
		}
	}
	return nil
}

func textOf(n *yaml.Node, name string) string {
	if n = entry(n, name); n == nil {
		return ""
	}
	return n.Value
}

func set(n *yaml.Node, name, value string) {
	n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: name},
		&yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Style: yaml.DoubleQuotedStyle, Value: value})
}

func remove(n *yaml.Node, name string) {
	for i := 0; n != nil && i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			n.Content = slices.Delete(n.Content, i, i+2)
			return
		}
	}
}
