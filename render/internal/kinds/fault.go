package kinds

import (
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A Fault is one thing in an object that an API server refuses.
type Fault struct {
	Path    Path
	Rule    string
	Message string     // the mistake and its remedy; its subject is the field
	Value   *yaml.Node // that is wrong; nil: the whole field
	Schema  bool       // it is by the schema, and a later Kubernetes may have another
}

// A Step leads from a value to one inside it: to a field by its name, or to an entry of a list.
type Step struct {
	Name  string
	Index int               // of an entry
	Keys  map[string]string // the fields that tell an entry from the others; nil: its index does
	entry bool
}

// EntryStep leads to the entry of a list at an index.
func EntryStep(index int) Step { return Step{Index: index, entry: true} }

// Entry reports whether the step leads to an entry of a list.
func (s Step) Entry() bool { return s.entry }

// A Path leads from an object to a value inside it.
type Path []Step

// String is such as spec.ports[0].name.
func (p Path) String() string {
	var b strings.Builder
	for _, step := range p {
		switch {
		case step.entry:
			b.WriteString("[" + strconv.Itoa(step.Index) + "]")
		case b.Len() > 0:
			b.WriteString("." + step.Name)
		default:
			b.WriteString(step.Name)
		}
	}
	return b.String()
}
