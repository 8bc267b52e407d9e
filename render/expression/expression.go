package expression

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
	"github.com/google/cel-go/interpreter"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
)

// Expression is a compiled CEL expression with the libraries that Kubernetes has in its own. It is deterministic,
// costs at most as much as Kubernetes allows one call, and is safe for concurrent use.
type Expression struct {
	Name   string
	Source string

	program *program
	names   *Scope
	result  *cel.Type // of a plain value
	reads   []BindingRead
	guards  []string // fields of the inputs that have a value wherever it is true

	At Position // for whoever compiled it to say
}

// A Position is where an expression is written.
type Position struct {
	File, Field  string
	Line, Column int
}

// Result is the type of the expression's value.
func (e *Expression) Result() *Type { return e.result }

// Reads lists the outputs that the expression must be able to read of its bindings.
func (e *Expression) Reads() []BindingRead { return e.reads }

// Guards says whether a field of the variables has a value wherever the expression is true: it asks for it, or could not be
// evaluated without it.
func (e *Expression) Guards(path []string) bool {
	want := strings.Join(path, ".")
	return slices.ContainsFunc(e.guards, func(guarded string) bool { return guarded == want || strings.HasPrefix(guarded, want+".") })
}

// Compile checks an expression against the variables that it may name and the type of its result; Any: any plain value.
func Compile(source string, names *Scope, want *cel.Type) (*Expression, error) {
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
	made, err := newProgram(env, checked)
	if err != nil {
		return nil, err
	}
	return &Expression{
		Source: source, program: made, names: names, result: result, reads: bindingReads(checked.NativeRep()),
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
	value, _, err := e.Evaluate(vars)
	return value, err
}

// Evaluate is Eval that says the cost, too.
func (e *Expression) Evaluate(vars map[string]any) (any, Spending, error) {
	return e.evaluate(vars, celconfig.PerCallLimit)
}

// evaluate is Evaluate that is ended soon after so many steps.
func (e *Expression) evaluate(vars map[string]any, steps int64) (any, Spending, error) {
	run, most, err := e.program.within(steps)
	if err != nil {
		return nil, Spending{}, err
	}
	value, details, err := run.Eval(activation{e.names, vars, &budget{work: maxWork}})
	if ended := (interpreter.EvalCancelledError{}); errors.As(err, &ended) {
		if steps < celconfig.PerCallLimit {
			most = max(most, steps+1)
		}
		return nil, Spending{Cost: most}, err // all that it may
	}
	var spent Spending
	if details != nil && details.ActualCost() != nil {
		spent.Cost = int64(min(*details.ActualCost(), 1<<62))
	}
	if err != nil {
		return nil, spent, err
	}
	m := meter{bytes: MaxValue, nodes: MaxItems}
	if !m.value(value) {
		return nil, spent, fmt.Errorf("results in more than %d bytes", MaxValue)
	}
	spent.Bytes, spent.Nodes = MaxValue-m.bytes, MaxItems-m.nodes
	out, err := native(value)
	return out, spent, err
}

// activation makes a program's variables of a generic object.
type activation struct {
	names  *Scope
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
	if err == nil {
		return false
	}
	// cel-go keeps the type of this error to itself; a test checks its text.
	return strings.HasPrefix(err.Error(), "no such key") || strings.HasPrefix(err.Error(), "index out of bounds")
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
		if v > math.MaxInt64 {
			return nil, fmt.Errorf("results in %d; whole numbers are at most %d", uint64(v), int64(math.MaxInt64))
		}
		return int64(v), nil
	case types.Double:
		if math.IsInf(float64(v), 0) || math.IsNaN(float64(v)) {
			return nil, fmt.Errorf("results in %v, which is no number in JSON", float64(v))
		}
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

// guardsOf lists the fields that have a value wherever an expression is true.
func guardsOf(e ast.Expr) (paths []string) {
	switch e.Kind() {
	case ast.SelectKind:
		if path := pathOf(e); !strings.Contains(path, " ") {
			return []string{path}
		}
		return guardsOf(e.AsSelect().Operand())
	case ast.CallKind:
		call := e.AsCall()
		if name := call.FunctionName(); name == "_||_" || name == "_?_:_" || name == "!_" {
			return nil
		}
		if call.IsMemberFunction() {
			paths = guardsOf(call.Target())
		}
		for _, argument := range call.Args() {
			paths = append(paths, guardsOf(argument)...)
		}
	}
	return paths
}
