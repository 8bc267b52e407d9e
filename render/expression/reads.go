package expression

import (
	"slices"

	"github.com/google/cel-go/common/ast"
)

// A BindingRead is an output that an expression reads, as bindings.<binding>.<output>.
type BindingRead struct{ Binding, Output string }

// bindingReads finds the outputs that an expression must be able to read of its bindings. An output that it asks for with
// has() may be missing.
func bindingReads(a *ast.AST) (reads []BindingRead) {
	optional := map[BindingRead]bool{}
	for _, e := range ast.MatchDescendants(ast.NavigateAST(a), ast.KindMatcher(ast.SelectKind)) {
		output := e.AsSelect()
		if output.Operand().Kind() != ast.SelectKind {
			continue
		}
		binding := output.Operand().AsSelect()
		if binding.Operand().Kind() != ast.IdentKind || binding.Operand().AsIdent() != "bindings" {
			continue
		}
		read := BindingRead{binding.FieldName(), output.FieldName()}
		if output.IsTestOnly() {
			optional[read] = true
		}
		reads = append(reads, read)
	}
	return slices.DeleteFunc(reads, func(r BindingRead) bool { return optional[r] })
}
