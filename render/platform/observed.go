package platform

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"transom.dev/render/builtin"
	"transom.dev/render/expression"
	"transom.dev/render/internal/pattern"
	"transom.dev/render/wording"
)

// ObservedOutput is an output whose value is read from the status of the one object of a kind that an instance has on a cluster. No
// cluster is asked for it by rendering: a value is recorded in the instance's Release file, and is read there.
type ObservedOutput struct {
	Name    string `json:"name"`
	Type    string `json:"type"`
	Pattern string `json:"pattern,omitempty"`
	Group   string `json:"group"`
	Kind    string `json:"kind"`
	Path    string `json:"path"` // such as status.endpoints[0].host

	// Urgent says that those who are bound to it get a new value although windows are shut, and without an Approval.
	Urgent bool `json:"urgent,omitempty"`
}

// outputSpec is an output as it is written: a computed one with a value, an observed one with the rest.
type outputSpec struct {
	Name    string `decode:"required"`
	Value   string
	Type    string `oneof:"string|integer|boolean"`
	Pattern string
	Example any
	Urgent  bool
	From    *struct {
		Group string
		Kind  string `decode:"required"`
		Path  string `decode:"required"`
	}
}

// The bounds of observed outputs: how long a value may be, and the pattern that it has to match.
const (
	maxObserved        = 4 << 10
	maxObservedPattern = 1000
)

var observedPath = regexp.MustCompile(`^status(\.[A-Za-z0-9_-]+(\[[0-9]{1,3}\])*)+$`)

// decodeObserved reads an output that is observed, at a field; nil where it has a Problem.
func decodeObserved(d *document, field string, s outputSpec) *ObservedOutput {
	before := len(d.problems)
	if s.Value != "" {
		d.problem(field+".value", "value", "must not stand together with from: an output is computed or observed")
	}
	if s.Type == "" {
		d.problem(field+".type", "required", "must say which type the observed value has: string, integer or boolean")
	}
	if s.Pattern != "" {
		checkObservedPattern(d, field+".pattern", s)
	}
	if from := s.From; from.Kind != "" && from.Path != "" {
		checkObservedKind(d, field+".from.kind", from.Group, from.Kind)
		if !observedPath.MatchString(from.Path) {
			d.problem(field+".from.path", "value", "%q is no path of fields below status, such as status.endpoint or status.addresses[0].value",
				wording.Shorten(from.Path))
		}
	}
	if len(d.problems) > before {
		return nil
	}
	o := &ObservedOutput{s.Name, s.Type, s.Pattern, s.From.Group, s.From.Kind, s.From.Path, s.Urgent}
	if s.Example == nil {
		d.problem(field+".example", "required", "must give a value that the output could have: plans and golden cases are rendered with it")
		return nil
	}
	if _, fault := o.Accept(s.Example); fault != "" {
		d.problem(field+".example", "value", "is no value that would be recorded: it%s", strings.TrimPrefix(fault, o.Path))
		return nil
	}
	return o
}

func checkObservedPattern(d *document, field string, s outputSpec) {
	_, err := regexp.Compile(s.Pattern)
	switch {
	case s.Type != "string" && s.Type != "":
		d.problem(field, "value", "is for values of type string, not %s", s.Type)
	case err != nil:
		d.problem(field, "value", "%q is no regular expression: %v", wording.Shorten(s.Pattern), err)
	case pattern.Steps(s.Pattern) > maxObservedPattern:
		d.problem(field, "value", "has %d steps with its repetitions written out; at most %d", pattern.Steps(s.Pattern), maxObservedPattern)
	}
}

// checkObservedKind refuses the kinds of Kubernetes itself. The data of a Secret or a ConfigMap belong into no Release file, and of
// the others no status is kept.
func checkObservedKind(d *document, field, group, kind string) {
	_, known := builtin.Scope(group, kind)
	switch {
	case group == "" && (kind == "Secret" || kind == "ConfigMap"):
		d.problem(field, "value", "a %s is never read for an output; name the kind of a custom resource that has the value in its status", kind)
	case known:
		d.problem(field, "value", "%s is a kind of Kubernetes, whose status is not read for outputs; name the kind of a custom resource", kind)
	case group == "":
		d.problem(field, "value", "%q needs the group of its kind: every custom resource has one", wording.Shorten(kind))
	}
}

// misplaced reports an output that is neither computed nor observed, and fields of an observed one in a computed one.
func (s outputSpec) misplaced(d *document, field string) bool {
	switch {
	case s.From != nil:
		return false
	case s.Value == "":
		d.problem(field+".value", "required", "must have either value, a CEL expression, or from, an object that the value is read of")
	case s.Type != "":
		d.problem(field+".type", "value", "is for an output with from; a computed one has the type of its value")
	case s.Pattern != "":
		d.problem(field+".pattern", "value", "is for an output with from; a computed value is as its expression says")
	case s.Example != nil:
		d.problem(field+".example", "value", "is for an output with from; a computed value is as its expression says")
	case s.Urgent:
		d.problem(field+".urgent", "value", "is for an output with from; a computed value changes with a release alone, which passes the gates")
	default:
		return false
	}
	return true
}

// typed is the type that expressions know the value by.
func (o ObservedOutput) typed() *expression.Type {
	switch o.Type {
	case "integer":
		return expression.Int
	case "boolean":
		return expression.Bool
	}
	return expression.String
}

// Of names the kind that the value is read of.
func (o ObservedOutput) Of() string { return o.Kind + "." + o.Group }

// String says where the value comes from, and that it is urgent.
func (o ObservedOutput) String() string {
	if o.Urgent {
		return o.Path + " of the " + o.Of() + ", urgent"
	}
	return o.Path + " of the " + o.Of()
}

// Read returns the value that an object has, or why it has none that may be recorded.
func (o ObservedOutput) Read(object map[string]any) (value any, fault string) {
	at, rest, value := "", o.Path, any(object)
	for rest != "" {
		name, more, _ := strings.Cut(rest, ".")
		key, index, indexed := strings.Cut(name, "[")
		if _, isList := value.([]any); isList {
			return nil, fmt.Sprintf("%s is a list; the path needs an index, such as %s[0]", at, at)
		}
		fields, _ := value.(map[string]any)
		next, there := fields[key]
		if at = strings.TrimPrefix(at+"."+key, "."); !there {
			return nil, at + " is missing"
		}
		for value = next; indexed; _, index, indexed = strings.Cut(index, "[") {
			n, _ := strconv.Atoi(index[:strings.IndexByte(index, ']')])
			list, isList := value.([]any)
			switch {
			case !isList:
				return nil, at + " is no list"
			case n >= len(list):
				return nil, fmt.Sprintf("%s[%d] is missing", at, n)
			}
			at, value = fmt.Sprintf("%s[%d]", at, n), list[n]
		}
		rest = more
	}
	return o.Accept(value)
}

// Accept returns a value as records have it, or why none may have it.
func (o ObservedOutput) Accept(value any) (accepted any, fault string) {
	if value == nil {
		return nil, o.Path + " is null"
	}
	if n, isInt := value.(int); isInt {
		value = int64(n)
	}
	switch v := value.(type) {
	case string:
		if o.Type == "string" {
			return o.acceptText(v)
		}
	case int64:
		if o.Type == "integer" {
			return v, ""
		}
	case bool:
		if o.Type == "boolean" {
			return v, ""
		}
	}
	return nil, fmt.Sprintf("%s is %s, not of type %s", o.Path, typeOf(value), o.Type)
}

// Accepts reports whether a value that was recorded may be one of the output.
func (o ObservedOutput) Accepts(value any) bool {
	_, fault := o.Accept(value)
	return fault == ""
}

func (o ObservedOutput) acceptText(text string) (any, string) {
	switch {
	case text == "":
		return nil, o.Path + " is empty"
	case len(text) > maxObserved:
		return nil, fmt.Sprintf("%s has %d bytes; at most %d", o.Path, len(text), maxObserved)
	case wording.CleanLine(text) != text || strings.Contains(text, "\t"):
		return nil, o.Path + " has control characters or line breaks"
	case o.Pattern != "" && !matches(o.Pattern, text):
		return nil, fmt.Sprintf("%s does not match %s", o.Path, wording.Shorten(o.Pattern))
	}
	return text, ""
}

// matches reports whether a text matches a pattern. Records are as strict as the files that people write, so that it compiles.
func matches(pattern, text string) bool {
	compiled, err := regexp.Compile(pattern)
	return err == nil && compiled.MatchString(text)
}

// typeOf names the type of a value, without the value.
func typeOf(value any) string {
	switch value.(type) {
	case string:
		return "a string"
	case bool:
		return "a boolean"
	case int64:
		return "an integer"
	case float64:
		return "a number"
	case []any:
		return "a list"
	}
	return "an object"
}
