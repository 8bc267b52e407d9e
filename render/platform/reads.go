package platform

import (
	"slices"

	"github.com/google/cel-go/common/ast"
)

// bindingRead is an output that an expression reads, as bindings.<binding>.<output>.
type bindingRead struct{ binding, output string }

// bindingReads finds the outputs that an expression must be able to read of its bindings. An output that it asks for with
// has() may be missing.
func bindingReads(a *ast.AST) (reads []bindingRead) {
	optional := map[bindingRead]bool{}
	for _, e := range ast.MatchDescendants(ast.NavigateAST(a), ast.KindMatcher(ast.SelectKind)) {
		output := e.AsSelect()
		if output.Operand().Kind() != ast.SelectKind {
			continue
		}
		binding := output.Operand().AsSelect()
		if binding.Operand().Kind() != ast.IdentKind || binding.Operand().AsIdent() != "bindings" {
			continue
		}
		read := bindingRead{binding.FieldName(), output.FieldName()}
		if output.IsTestOnly() {
			optional[read] = true
		}
		reads = append(reads, read)
	}
	return slices.DeleteFunc(reads, func(r bindingRead) bool { return optional[r] })
}

// readsOf gathers the outputs that all of a version's expressions read of its bindings.
func (v *Version) readsOf() map[string][]string {
	out := map[string][]string{}
	add := func(e *Expression) {
		if e == nil {
			return
		}
		for _, r := range e.reads {
			if !slices.Contains(out[r.binding], r.output) {
				out[r.binding] = append(out[r.binding], r.output)
			}
		}
	}
	for i := range v.Computed {
		add(&v.Computed[i])
	}
	for _, c := range v.Components {
		add(c.When)
	}
	for i := range v.Outputs {
		add(&v.Outputs[i])
	}
	for _, names := range out {
		slices.Sort(names)
	}
	return out
}
