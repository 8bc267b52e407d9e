package platform

import (
	"fmt"
	"strings"
	"time"

	"github.com/google/cel-go/cel"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"transom.dev/render/wording"
)

// The checks of a document's fields that several kinds need.

const maxLabel = 63

func index(field string, i int) string { return fmt.Sprintf("%s[%d]", field, i) }

// name checks the name that a file's place gives.
func (d *document) name(name string, limit int) {
	if wrong := wrongName(name, limit); wrong != "" {
		d.problem("metadata.name", "name", "%q %s", wording.Shorten(name), wrong)
	}
}

// expression compiles the CEL at a field; nil where it does not compile.
func (d *document) expression(field, name, source string, names *scope, want *cel.Type) *Expression {
	e, err := compile(source, names, want)
	if err != nil {
		d.problem(field, "expression", "%s", err)
		return nil
	}
	e.Name = name
	e.at = d.make(nil, field, "expression", "")
	return e
}

// selector compiles a Kubernetes label selector.
func (d *document) selector(field string, s *metav1.LabelSelector) labels.Selector {
	if s == nil {
		return nil
	}
	selector, err := metav1.LabelSelectorAsSelector(s)
	if err != nil {
		text, _, _ := strings.Cut(err.Error(), " (e.g.")
		d.problem(field, "selector", "is no label selector: %s", text)
		return labels.Nothing()
	}
	return selector
}

// duration reads a Go duration that is not negative.
func (d *document) duration(field, value string, absent time.Duration) time.Duration {
	if value == "" {
		return absent
	}
	t, err := time.ParseDuration(value)
	if err != nil || t < 0 {
		d.problem(field, "value", "must be a duration such as 30m or 1h30m, not %q", wording.Shorten(value))
	}
	return t
}
