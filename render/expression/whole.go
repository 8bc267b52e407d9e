package expression

import (
	"regexp"
	"slices"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"
)

// comparing matches what an expression has that compares values. Most have none of it.
var comparing = regexp.MustCompile(`==|!=|\bin\b|sets\.|distinct|ncludes|ndexOf`)

// ComparesWhole reports whether an expression may hold lists, maps or objects against each other as a whole, for which CEL charges by their
// top level alone. One that cannot be checked may.
func ComparesWhole(source string, names *Scope) bool {
	if !comparing.MatchString(source) {
		return false
	}
	env, err := names.compiler()
	if err != nil {
		return true
	}
	checked, issues := env.Compile(source)
	if issues.Err() != nil {
		return true
	}
	tree := checked.NativeRep()
	scalar := func(e ast.Expr) bool { return isScalar(tree.GetType(e.ID())) }
	return slices.ContainsFunc(ast.MatchDescendants(ast.NavigateAST(tree), ast.KindMatcher(ast.CallKind)), func(e ast.NavigableExpr) bool {
		call := e.AsCall()
		switch call.FunctionName() {
		case operators.Equals, operators.NotEquals:
			return !slices.ContainsFunc(call.Args(), scalar)
		case operators.In:
			return !scalar(call.Args()[0])
		case "sets.contains", "sets.equivalent", "sets.intersects", "distinct", "includes":
			return true
		case "indexOf", "lastIndexOf":
			return !scalar(call.Target())
		}
		return false
	})
}

// isScalar reports whether values of a type have neither fields nor items.
func isScalar(t *cel.Type) bool {
	switch t.Kind() {
	case types.BoolKind, types.BytesKind, types.DoubleKind, types.DurationKind, types.IntKind, types.NullTypeKind, types.StringKind, types.TimestampKind, types.UintKind:
		return true
	}
	return false
}
