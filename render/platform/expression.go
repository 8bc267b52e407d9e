package platform

import (
	"fmt"
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
)

// Expression is a compiled CEL expression with the libraries that Kubernetes has in its own. It is deterministic,
// costs at most as much as Kubernetes allows one call, and is safe for concurrent use.
type Expression struct {
	Name   string
	Source string

	program cel.Program
	names   *scope
	result  *cel.Type // of a plain value
	reads   []bindingRead
	guards  []string // fields of the inputs that have a value wherever it is true
	at      Problem  // where the expression is written
}

// compile checks an expression against the variables that it may name and the type of its result; cel.DynType: any plain
// value.
func compile(source string, names *scope, want *cel.Type) (*Expression, error) {
	env, err := names.compiler()
	if err != nil {
		return nil, err
	}
	parsed, issues := env.Parse(hideNamespace(source))
	if issues.Err() != nil {
		return nil, names.compileError(issues, nil)
	}
	checked, issues := env.Check(parsed)
	if issues.Err() != nil {
		return nil, names.compileError(issues, parsed)
	}
	result, err := resultType(checked.OutputType(), want)
	if err != nil {
		return nil, err
	}
	if err := names.checkFiles(checked.NativeRep()); err != nil {
		return nil, err
	}
	program, err := env.Program(checked, cel.CustomDecoratorV2(bounded), cel.CustomDecoratorV2(sortRanges(checked.NativeRep())))
	if err != nil {
		return nil, err
	}
	return &Expression{
		Source: source, program: program, names: names, result: result, reads: bindingReads(checked.NativeRep()),
		guards: guardsOf(checked.NativeRep().Expr()),
	}, nil
}

func resultType(got, want *cel.Type) (*cel.Type, error) {
	if want == cel.DynType {
		return plainType(got)
	}
	if !got.IsExactType(want) && !got.IsExactType(cel.DynType) {
		return nil, fmt.Errorf("must result in %s, not in %s", want, got)
	}
	return want, nil
}

// Eval evaluates the expression and returns JSON's types, with int64 and float64 apart. A variable that is not given
// is empty.
func (e *Expression) Eval(vars map[string]any) (any, error) {
	value, _, err := e.eval(vars)
	return value, err
}

// A spending is the cost of an evaluation: CEL's cost, and the bytes of the result as JSON.
type spending struct{ cost, bytes int64 }

func (e *Expression) eval(vars map[string]any) (any, spending, error) {
	value, details, err := e.program.Eval(activation{e.names, vars, &budget{work: maxWork}})
	if err != nil {
		return nil, spending{}, err
	}
	m := meter{bytes: maxValue, nodes: maxItems}
	if !m.value(value) {
		return nil, spending{}, fmt.Errorf("results in more than %d bytes", maxValue)
	}
	spent := spending{bytes: maxValue - m.bytes}
	if details != nil && details.ActualCost() != nil {
		spent.cost = int64(min(*details.ActualCost(), 1<<62))
	}
	out, err := native(value)
	return out, spent, err
}

// activation makes a program's variables of a generic object.
type activation struct {
	names  *scope
	vars   map[string]any
	budget *budget
}

func (a activation) ResolveName(name string) (any, bool) {
	if name == budgetName {
		return a.budget, true
	}
	name = showNamespace(name)
	if v, ok := a.vars[name]; ok && v != nil {
		return v, true
	}
	return a.names.empty(name), true
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
