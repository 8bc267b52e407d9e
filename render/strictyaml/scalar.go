package strictyaml

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"transom.dev/render/wording"
)

// The plain scalars of the YAML 1.2 core schema. A word that YAML 1.1 also took for a boolean (y, no, on) is a string.
var (
	plainInteger = regexp.MustCompile(`^[-+]?(0|[1-9][0-9]*)$`)
	plainFloat   = regexp.MustCompile(`^[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?$`)
	plainBased   = regexp.MustCompile(`^0(o[0-7]+|x[0-9a-fA-F]+)$`)

	// Numbers to some parsers and strings to others; nobody may guess which was meant.
	ambiguous = regexp.MustCompile(`^[-+]?(0[0-9_]+|0b[01_]+|[1-9][0-9]*_[0-9_]+|0[oxX][0-9a-fA-F_]*_[0-9a-fA-F_]*|\.(inf|Inf|INF))$|^\.(nan|NaN|NAN)$`)
)

// scalar returns the value of a scalar node: string, int64, float64, bool or nil. For one that has no clear value, the text
// says why.
func scalar(n *yaml.Node) (value any, wrong string) {
	if n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		return n.Value, ""
	}
	switch v := n.Value; v {
	case "", "~", "null", "Null", "NULL":
		return nil, ""
	case "true", "True", "TRUE":
		return true, ""
	case "false", "False", "FALSE":
		return false, ""
	default:
		if !strings.ContainsRune("-+.0123456789", rune(v[0])) {
			return v, ""
		}
		return number(v)
	}
}

// number returns the value of a scalar that begins as a number does.
func number(v string) (any, string) {
	switch {
	case ambiguous.MatchString(v):
		return nil, fmt.Sprintf("%s means different things to different YAML parsers; write a plain decimal number, or quote it: %q", v, v)
	case plainInteger.MatchString(v):
		return integer(v, 10)
	case plainBased.MatchString(v):
		base := map[byte]int{'o': 8, 'x': 16}[v[1]]
		return integer(v[2:], base)
	case plainFloat.MatchString(v):
		f, err := strconv.ParseFloat(v, 64)
		if err != nil || math.IsInf(f, 0) {
			return nil, fmt.Sprintf("the number %s is out of range", v)
		}
		return f, ""
	default:
		return v, ""
	}
}

func integer(digits string, base int) (any, string) {
	i, err := strconv.ParseInt(strings.TrimPrefix(digits, "+"), base, 64)
	if err != nil {
		return nil, fmt.Sprintf("the integer %s is out of range", digits)
	}
	return i, ""
}

// describe names a node's type and, for a scalar, its value: a Problem names the value that was found so.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "an object"
	case yaml.SequenceNode:
		return "a list"
	}
	v, wrong := scalar(n)
	if wrong != "" {
		return wording.Shorten(n.Value)
	}
	return wording.Value(v)
}
