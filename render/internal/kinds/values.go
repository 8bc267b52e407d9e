package kinds

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/structured-merge-diff/v6/schema"
)

// scalars are the schema's types of scalars, for people.
var scalars = map[schema.Scalar]string{
	schema.Numeric: "an integer",
	schema.String:  "a string",
	schema.Boolean: "true or false",
	schema.Untyped: "a scalar",
}

// scalar checks a value against its type. The schema tells no integers from other numbers, and none of Kubernetes' own fields is
// another number.
func (w *walker) scalar(n *yaml.Node, want schema.Scalar) {
	tag := n.ShortTag()
	switch want {
	case schema.String:
		if !isText(n) {
			w.report(n, "type", "is %s and must be a string; quote it", describe(n))
		}
	case schema.Boolean:
		if tag != "!!bool" {
			isWord := n.Value == "true" || n.Value == "false"
			w.report(n, "type", "is %s and must be true or false%s", describe(n), unquote(n, tag == "!!str" && isWord))
		}
	case schema.Numeric:
		if !isWhole(n) {
			_, err := strconv.Atoi(n.Value)
			w.report(n, "type", "is %s and must be an integer%s", describe(n), unquote(n, tag == "!!str" && err == nil))
		}
	}
}

func unquote(n *yaml.Node, quoted bool) string {
	if !quoted {
		return ""
	}
	return "; write " + n.Value + " without quotes"
}

// isText reports whether a scalar is text to whoever reads the applied manifest. YAML's timestamps are text there.
func isText(n *yaml.Node) bool {
	tag := n.ShortTag()
	return tag == "!!str" || tag == "!!timestamp" || tag == "!!binary" || tag == "!!merge"
}

// isWhole reports whether a scalar is a number without a fraction.
func isWhole(n *yaml.Node) bool {
	switch n.ShortTag() {
	case "!!int":
		return true
	case "!!float":
		f, err := strconv.ParseFloat(n.Value, 64)
		return err == nil && f == float64(int64(f))
	}
	return false
}

// written are the types whose text means something to the API server itself, and the functions that judge it.
var written = map[string]func(*yaml.Node) string{
	"io.k8s.apimachinery.pkg.api.resource.Quantity":   quantity,
	"io.k8s.apimachinery.pkg.util.intstr.IntOrString": intOrString,
	"io.k8s.apimachinery.pkg.apis.meta.v1.Time":       instant(time.RFC3339),
	"io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime":  instant(metav1.RFC3339Micro),
	"io.k8s.apimachinery.pkg.apis.meta.v1.Duration":   duration,
}

// hugeExponent matches quantities that have very many digits once they are compared: reading 1234567890123456789e20000000 takes seconds.
var hugeExponent = regexp.MustCompile(`[eE][-+]?0*[0-9]{4}`)

func quantity(n *yaml.Node) string {
	if n.Kind != yaml.ScalarNode || n.ShortTag() == "!!bool" {
		return "is " + describe(n) + " and must be a quantity such as 500m or 1Gi"
	}
	if hugeExponent.MatchString(n.Value) {
		return fmt.Sprintf("%q has an exponent of four digits; write a quantity such as 500m or 1Gi", n.Value)
	}
	if _, err := resource.ParseQuantity(n.Value); err != nil {
		return fmt.Sprintf("%q is no quantity; write one such as 500m or 1Gi", n.Value)
	}
	return ""
}

func intOrString(n *yaml.Node) string {
	fits := isText(n) || isWhole(n)
	if fits && n.Kind == yaml.ScalarNode {
		return ""
	}
	return "is " + describe(n) + " and must be an integer or a string"
}

func instant(layout string) func(*yaml.Node) string {
	return func(n *yaml.Node) string {
		if n.Kind == yaml.ScalarNode && isText(n) {
			if _, err := time.Parse(layout, n.Value); err == nil {
				return ""
			}
		}
		return fmt.Sprintf("is %s and must be a time such as 2026-01-31T12:00:00Z", describe(n))
	}
}

func duration(n *yaml.Node) string {
	if n.Kind == yaml.ScalarNode && isText(n) {
		if _, err := time.ParseDuration(n.Value); err == nil {
			return ""
		}
	}
	return fmt.Sprintf("is %s and must be a duration such as 90s", describe(n))
}

// describe says of which type a value is, and which one if it is short.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a map"
	case yaml.SequenceNode:
		return "a list"
	}
	kind := map[string]string{"!!int": "an integer", "!!float": "a number", "!!bool": "a boolean"}[n.ShortTag()]
	if kind == "" {
		kind = "a string"
	}
	if len(n.Value) <= 40 && !strings.ContainsAny(n.Value, "\n\t") {
		kind += " (" + n.Value + ")"
	}
	return kind
}
