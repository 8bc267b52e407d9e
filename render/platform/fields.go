package platform

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"transom.dev/render/expression"
	"transom.dev/render/wording"
)

// The checks of a document's fields that several kinds need.

const maxLabel = 63

// checkName checks the name that a file's path gives.
func (d *document) checkName(name string, limit int) {
	if wrong := wrongName(name, limit); wrong != "" {
		d.problem("metadata.name", "name", "%q %s", wording.Shorten(name), wrong)
	}
}

// compileExpression compiles the CEL at a field; nil where it does not compile.
func (d *document) compileExpression(field, name, source string, names *expression.Scope, want *expression.Type) *expression.Expression {
	e, err := expression.Compile(source, names, want)
	if err != nil {
		d.problem(field, "expression", "%s", err)
		return nil
	}
	e.Name = name
	at := d.at(field, "expression", "")
	e.At = expression.Position{File: at.File, Field: at.Field, Line: at.Line, Column: at.Column}
	return e
}

// compileSelector compiles a Kubernetes label selector.
func (d *document) compileSelector(field string, s *metav1.LabelSelector) labels.Selector {
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

// readDuration reads a Go duration that is not negative.
func (d *document) readDuration(field, value string, absent time.Duration) time.Duration {
	if value == "" {
		return absent
	}
	t, err := time.ParseDuration(value)
	if err != nil || t < 0 {
		d.problem(field, "value", "must be a duration such as 30m or 1h30m, not %q%s", wording.Shorten(value), inHours(value))
	}
	return t
}

// inHours ends a message about a duration in days or weeks with the one in hours.
func inHours(value string) string {
	for unit, hours := range map[string]uint64{"d": 24, "w": 7 * 24} {
		if number, ok := strings.CutSuffix(value, unit); ok {
			if n, err := strconv.ParseUint(number, 10, 16); err == nil {
				return fmt.Sprintf("; its units are h, m and s: write %dh", n*hours)
			}
		}
	}
	return ""
}

// problemAt returns a Problem that stands where an expression is written.
func problemAt(e *expression.Expression, rule, message string) Problem {
	return Problem{File: e.At.File, Field: e.At.Field, Line: e.At.Line, Column: e.At.Column, Rule: rule, Message: message}
}

// plainKubernetes is a minor version, without the patch that no chart should depend on.
var plainKubernetes = regexp.MustCompile(`^1\.[1-9][0-9]?$`)

var percent = regexp.MustCompile(`^([1-9][0-9]?|100)%$`)

// readTime reads an RFC 3339 time.
func (d *document) readTime(field, value string) time.Time {
	if value == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, value)
	if err != nil {
		d.problem(field, "value", "must be an RFC 3339 time such as 2027-06-01T12:00:00Z, not %q", wording.Shorten(value))
	}
	return t
}

// readShare reads a number of things, or how many of a hundred.
func (d *document) readShare(field string, value any, absent string) string {
	switch v := value.(type) {
	case nil:
		return absent
	case int64:
		if v > 0 {
			return strconv.FormatInt(v, 10)
		}
	case string:
		if percent.MatchString(v) {
			return v
		}
	}
	d.problem(field, "value", "must be a number above 0 or a percentage such as 25%%, not %s", wording.Value(value))
	return absent
}

// readCount reads a number that is not negative.
func (d *document) readCount(field string, value *int, absent int) int {
	if value == nil {
		return absent
	}
	if *value < 0 {
		d.problem(field, "value", "must not be negative")
	}
	return *value
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
