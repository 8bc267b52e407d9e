package platform

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/apiserver/pkg/cel/environment"
)

// Expression is a compiled CEL expression with the libraries that Kubernetes has in its own. It is deterministic,
// costs at most what Kubernetes allows one call, and is safe for concurrent use.
type Expression struct {
	Name   string
	Source string

	program cel.Program
	reads   []bindingRead
	at      Problem // where the expression is written
}

// scope is a set of variables that an expression may name, each with its fields; nil: any field.
type scope map[string][]string

// The names of an Inputs object, as far as their fields are the same everywhere.
func inputsScope() scope {
	return scope{
		"request": {"name", "team"}, "namespace": nil, "parameters": nil, "bindings": nil, "computed": nil,
		"environment": {"name", "values"}, "cluster": {"name", "labels"},
	}
}

// The top-level fields of a Kubernetes object.
func objectScope() scope {
	return scope{"apiVersion": nil, "kind": nil, "metadata": nil, "spec": nil, "status": nil}
}

// What a policy may name: one rendered object, and what it was rendered from.
func policyScope() scope {
	names := inputsScope()
	names["object"] = nil
	return names
}

func scopes() []scope { return []scope{inputsScope(), objectScope(), policyScope()} }

// declared says whether a name is a variable of some expression, and not a type or function of CEL.
func declared(name string) bool {
	return slices.ContainsFunc(scopes(), func(s scope) bool { _, ok := s[name]; return ok })
}

// celVersion fixes which of Kubernetes' CEL libraries there are, so that updating a module changes no rendering.
var celVersion = version.MajorMinor(1, 37)

// celEnvironment makes the one environment of all expressions, which takes milliseconds: it declares every variable
// that some expression may name, and compile checks which of them this one may.
var celEnvironment = sync.OnceValues(func() (*cel.Env, error) {
	base := environment.MustBaseEnvSet(celVersion).NewExpressionsEnv()
	options := []cel.EnvOption{cel.CustomTypeAdapter(sortedAdapter{base.CELTypeAdapter()})}
	for _, names := range scopes() {
		for v := range names {
			options = append(options, cel.Variable(hideNamespace(v), variableType(v)))
		}
	}
	return base.Extend(options...)
})

func variableType(name string) *cel.Type {
	switch name {
	case "namespace", "apiVersion", "kind":
		return cel.StringType
	case "request":
		return cel.MapType(cel.StringType, cel.StringType)
	default:
		return cel.MapType(cel.StringType, cel.DynType)
	}
}

// compile checks an expression against what it may name and what it has to result in; cel.DynType: anything.
func compile(source string, names scope, want *cel.Type) (*Expression, error) {
	env, err := celEnvironment()
	if err != nil {
		return nil, err
	}
	checked, issues := env.Compile(hideNamespace(source))
	if issues.Err() != nil {
		return nil, compileError(issues, names)
	}
	if err := checkNames(checked.NativeRep(), names); err != nil {
		return nil, err
	}
	if got := checked.OutputType(); want != cel.DynType && !got.IsExactType(want) && !got.IsExactType(cel.DynType) {
		return nil, fmt.Errorf("must result in %s, not in %s", want, got)
	}
	program, err := env.Program(checked, cel.CustomDecoratorV2(sortRanges(checked.NativeRep())))
	if err != nil {
		return nil, err
	}
	return &Expression{Source: source, program: program, reads: bindingReads(checked.NativeRep())}, nil
}

// compileError says the first thing that CEL found, with its place inside the expression.
func compileError(issues *cel.Issues, names scope) error {
	first := issues.Errors()[0]
	text := showNamespace(strings.TrimSuffix(first.Message, " (in container '')"))
	if name, ok := strings.CutPrefix(text, "undeclared reference to '"); ok {
		text = unknownName(strings.TrimSuffix(name, "'"), names)
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

func unknownName(name string, names scope) string {
	known := slices.Sorted(maps.Keys(names))
	if hint := suggest(name, known); hint != "" {
		return fmt.Sprintf("there is no %q", name) + hint
	}
	return fmt.Sprintf("there is no %q here; there is %s", name, list(known))
}

// checkNames finds variables that this expression may not name and fields of variables that do not exist, which CEL
// would only notice when it meets them.
func checkNames(a *ast.AST, names scope) error {
	root, local := ast.NavigateAST(a), map[string]bool{}
	for _, c := range ast.MatchDescendants(root, ast.KindMatcher(ast.ComprehensionKind)) {
		fold := c.AsComprehension()
		local[fold.IterVar()], local[fold.IterVar2()], local[fold.AccuVar()] = true, true, true
	}
	for _, e := range ast.MatchDescendants(root, ast.KindMatcher(ast.IdentKind)) {
		name := showNamespace(e.AsIdent())
		if _, known := names[name]; declared(name) && !known && !local[name] {
			return errors.New(unknownName(name, names))
		}
	}
	for _, e := range ast.MatchDescendants(root, ast.KindMatcher(ast.SelectKind)) {
		if operand := e.AsSelect().Operand(); operand.Kind() == ast.IdentKind && !local[operand.AsIdent()] {
			if err := checkField(operand.AsIdent(), e.AsSelect().FieldName(), names); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkField(variable, field string, names scope) error {
	known := names[variable]
	if known == nil || slices.Contains(known, field) {
		return nil
	}
	hint := suggest(field, known)
	if hint == "" {
		hint = "; there is " + list(known)
	}
	return fmt.Errorf("%s has no field %q%s", variable, field, hint)
}

// Eval evaluates the expression and returns JSON's types, with int64 and float64 apart. A variable that is not given
// is empty.
func (e *Expression) Eval(vars map[string]any) (any, error) {
	value, _, err := e.program.Eval(activation(vars))
	if err != nil {
		return nil, err
	}
	return native(value)
}

// activation makes a program's variables of a generic object.
type activation map[string]any

func (a activation) ResolveName(name string) (any, bool) {
	name = showNamespace(name)
	if v, ok := a[name]; ok && v != nil {
		return v, true
	}
	if variableType(name) == cel.StringType {
		return "", true
	}
	return map[string]any{}, true
}

func (a activation) Parent() cel.Activation { return nil }

// IsNoSuchKey says whether an evaluation failed because a value is not there (yet).
func IsNoSuchKey(err error) bool {
	// cel-go keeps the type of this error to itself; a test holds its text.
	return err != nil && (strings.HasPrefix(err.Error(), "no such key") || strings.HasPrefix(err.Error(), "index out of bounds"))
}

// native turns a result into JSON's types.
func native(value ref.Val) (any, error) {
	switch v := value.(type) {
	case types.String:
		return string(v), nil
	case types.Bool:
		return bool(v), nil
	case types.Int:
		return int64(v), nil
	case types.Uint:
		return int64(v), nil
	case types.Double:
		return float64(v), nil
	case types.Null:
		return nil, nil
	case traits.Mapper:
		return nativeMap(v)
	case traits.Lister:
		return nativeList(v)
	default:
		return nil, fmt.Errorf("results in a %s, which has no form in YAML; use string()", value.Type().TypeName())
	}
}

func nativeMap(m traits.Mapper) (any, error) {
	out := map[string]any{}
	for it := m.Iterator(); it.HasNext() == types.True; {
		key := it.Next()
		name, ok := key.(types.String)
		if !ok {
			return nil, fmt.Errorf("results in a map with a key of type %s; keys must be strings", key.Type().TypeName())
		}
		v, err := native(m.Get(key))
		if err != nil {
			return nil, err
		}
		out[string(name)] = v
	}
	return out, nil
}

func nativeList(l traits.Lister) (any, error) {
	out := []any{}
	for it := l.Iterator(); it.HasNext() == types.True; {
		v, err := native(it.Next())
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

// CompileHealth compiles a health expression: CEL over the top-level fields of an object, with a boolean result.
func CompileHealth(source string) (*Expression, error) {
	return compile(source, objectScope(), cel.BoolType)
}
