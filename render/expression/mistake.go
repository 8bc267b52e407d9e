package expression

import (
	"errors"
	"fmt"
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/types"

	"transom.dev/render/wording"
)

// compileError says the first thing that CEL found, with its position inside the expression. The tree may be nil.
func (s *Scope) compileError(issues *cel.Issues, tree *cel.Ast) error {
	first := issues.Errors()[0]
	text := showNamespace(strings.TrimSuffix(first.Message, " (in container '')"))
	if name, ok := strings.CutPrefix(text, "undeclared reference to '"); ok {
		return errors.New(s.unknownName(strings.TrimSuffix(name, "'")))
	}
	if field, ok := strings.CutPrefix(text, "undefined field '"); ok && tree != nil {
		return s.unknownField(tree.NativeRep(), first.ExprID, strings.TrimSuffix(field, "'"))
	}
	text, _, _ = strings.Cut(text, " expecting ")
	if strings.HasPrefix(text, "expected type ") {
		text += "; a list or map has values of one type: write dyn() around each"
	}
	if first.Location.Line() > 1 || first.Location.Column() > 0 {
		return fmt.Errorf("%s (line %d, column %d of the expression)", text, first.Location.Line(), first.Location.Column()+1)
	}
	return errors.New(text)
}

func (s *Scope) unknownName(name string) string {
	if hint := wording.Suggest(name, s.Names()); hint != "" {
		return fmt.Sprintf("there is no %q", name) + hint
	}
	return fmt.Sprintf("there is no %q here; there is %s", name, wording.List(s.Names()))
}

// unknownField names the value that has no such field, and the field that was probably meant.
func (s *Scope) unknownField(a *ast.AST, id int64, field string) error {
	w := &typeWalker{Scope: s, ranges: map[string]ast.Expr{}}
	root := ast.NavigateAST(a)
	for _, c := range ast.MatchDescendants(root, ast.KindMatcher(ast.ComprehensionKind)) {
		w.ranges[c.AsComprehension().IterVar()] = c.AsComprehension().IterRange()
	}
	for _, e := range ast.MatchDescendants(root, ast.KindMatcher(ast.SelectKind)) {
		if e.ID() != id {
			continue
		}
		operand := e.AsSelect().Operand()
		var known []string
		if t := w.typeOf(operand); t != nil {
			known = sortedKeys(s.objects[t.TypeName()])
		}
		hint := wording.Suggest(field, known)
		if hint == "" {
			hint = "; there is " + wording.List(known)
		}
		return fmt.Errorf("%s has no field %q%s", pathOf(operand), field, hint)
	}
	return fmt.Errorf("there is no field %q", field)
}

// A typeWalker finds the types of parts of an expression that has no types as a whole.
type typeWalker struct {
	*Scope
	ranges map[string]ast.Expr // the lists and maps that comprehensions range over, by their variables
}

func (w *typeWalker) typeOf(e ast.Expr) *cel.Type {
	switch e.Kind() {
	case ast.IdentKind:
		over, local := w.ranges[e.AsIdent()]
		if !local {
			return w.variables[showNamespace(e.AsIdent())]
		}
		if t := w.typeOf(over); t != nil && len(t.Parameters()) > 0 {
			return t.Parameters()[0]
		}
	case ast.SelectKind:
		return w.fieldOf(w.typeOf(e.AsSelect().Operand()), e.AsSelect().FieldName())
	case ast.CallKind:
		if call := e.AsCall(); call.FunctionName() == "_[_]" {
			if t := w.typeOf(call.Args()[0]); t != nil && len(t.Parameters()) > 0 {
				return t.Parameters()[len(t.Parameters())-1]
			}
		}
	}
	return nil
}

func (w *typeWalker) fieldOf(t *cel.Type, field string) *cel.Type {
	switch {
	case t == nil:
		return nil
	case t.Kind() == types.MapKind:
		return t.Parameters()[1]
	}
	return w.objects[t.TypeName()][field]
}

// pathOf writes an operand as its author did, as far as it is a path.
func pathOf(e ast.Expr) string {
	switch e.Kind() {
	case ast.IdentKind:
		return showNamespace(e.AsIdent())
	case ast.SelectKind:
		return pathOf(e.AsSelect().Operand()) + "." + e.AsSelect().FieldName()
	case ast.CallKind:
		if call := e.AsCall(); call.FunctionName() == "_[_]" {
			return pathOf(call.Args()[0]) + "[…]"
		}
	}
	return "what it selects from"
}
