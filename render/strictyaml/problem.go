package strictyaml

import "slices"

// A Problem is a mistake in a YAML file. Line and Column count from 1; 0 is for a mistake of the whole file.
type Problem struct {
	Line, Column int
	Field        string // such as spec.parameters.storage; empty for a mistake of syntax
	Rule         string // a stable name for machines, such as unknown-field
	Message      string // the mistake and its remedy
}

// maxProblems bounds how many Problems of one file are returned.
const maxProblems = 50

type problems []Problem

// add adds a Problem. A field has one at most: the value of a field that could not be read is not judged again.
func (ps *problems) add(p Problem) {
	if len(*ps) < maxProblems && !ps.has(p.Field, p.Line) {
		*ps = append(*ps, p)
	}
}

func (ps *problems) has(field string, line int) bool {
	return field != "" && slices.ContainsFunc(*ps, func(p Problem) bool { return p.Field == field && p.Line == line })
}
