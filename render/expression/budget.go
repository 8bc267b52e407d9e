package expression

import (
	"slices"

	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
	"github.com/google/cel-go/interpreter"
)

// budgetName is the variable that has an evaluation's budget. No expression can name it.
const budgetName = "@budget"

// maxWork is how many fields and items one evaluation may go through to put values together and to compare them. An API
// server charges only for the top level of the values, so that a list of lists of lists would be free.
const maxWork = 10_000_000

// A budget is the work that one evaluation may still do.
type budget struct{ work int64 }

// take charges a value to the budget. It returns an error if the value is too large or the budget is spent, else nil.
func (b *budget) take(value ref.Val) ref.Val {
	switch v := value.(type) {
	case types.String:
		if len(v) > MaxValue {
			return types.NewErr("comes to %d bytes of text; at most %d", len(v), MaxValue)
		}
		return nil
	case types.Bytes:
		if len(v) > MaxValue {
			return types.NewErr("comes to %d bytes; at most %d", len(v), MaxValue)
		}
		return nil
	case traits.Mapper, traits.Lister:
		most := min(MaxItems, b.work) // an expression may go on after an error, as in a loop that looks for one true item
		m := meter{bytes: 1 << 62, nodes: most}
		fits := most >= 0 && m.value(value)
		b.work -= most - max(m.nodes, 0)
		switch {
		case !fits && most < MaxItems:
			b.work = -1
			return types.NewErr("goes through more than %d fields and items", maxWork)
		case !fits:
			return types.NewErr("comes to more than %d fields and items", MaxItems)
		}
	}
	return nil
}

func budgetOf(vars interpreter.Activation) *budget {
	if found, ok := vars.ResolveName(budgetName); ok {
		if b, ok := found.(*budget); ok {
			return b
		}
	}
	return &budget{work: maxWork}
}

// bounded is a decorator that keeps all values on the way to a result within bounds: the values that are put together, and
// those that are compared.
func bounded(i interpreter.InterpretableV2) (interpreter.InterpretableV2, error) {
	switch made := i.(type) {
	case interpreter.InterpretableCall:
		if constant(made.Args()) {
			return i, nil // which is folded
		}
		switch made.Function() {
		case operators.Equals, operators.NotEquals:
			return boundedOperands{made}, nil
		case operators.Add:
			_, written := made.Args()[1].(interpreter.InterpretableConstructor)
			return boundedSum{boundedResult{made}, written || constant(made.Args()[1:])}, nil
		case "strings.quote", "string", "bytes":
			return boundedResult{made}, nil
		}
	case interpreter.InterpretableConstructor:
		if !constant(made.InitVals()) {
			return boundedConstructor{made}, nil
		}
	}
	return i, nil
}

func constant(values []interpreter.InterpretableV2) bool {
	return !slices.ContainsFunc(values, func(v interpreter.InterpretableV2) bool {
		_, is := v.(interpreter.InterpretableConst)
		return !is
	})
}

// within returns a value, or an error if it is too large.
func within(value ref.Val, vars interpreter.Activation) ref.Val {
	switch v := value.(type) {
	case types.String:
		if len(v) <= MaxValue {
			return value
		}
	case types.Bytes:
		if len(v) <= MaxValue {
			return value
		}
	default:
		return value
	}
	return budgetOf(vars).take(value)
}

// boundedResult bounds the result of a call.
type boundedResult struct{ interpreter.InterpretableCall }

// Exec implements interpreter.InterpretableV2.
func (b boundedResult) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	return within(b.InterpretableCall.Exec(frame), frame)
}

// Eval implements interpreter.Interpretable.
func (b boundedResult) Eval(vars interpreter.Activation) ref.Val {
	return within(b.InterpretableCall.Eval(vars), vars)
}

// boundedSum bounds the sum of two values. A list to which a loop adds one that is written out, item by item, is not counted
// each time: how often a loop goes round has its own bound.
type boundedSum struct {
	boundedResult
	written bool
}

// Exec implements interpreter.InterpretableV2.
func (b boundedSum) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	return b.sum(b.boundedResult.Exec(frame))
}

// Eval implements interpreter.Interpretable.
func (b boundedSum) Eval(vars interpreter.Activation) ref.Val {
	return b.sum(b.boundedResult.Eval(vars))
}

func (b boundedSum) sum(value ref.Val) ref.Val {
	list, ok := value.(traits.Lister)
	if !ok || b.written {
		return value
	}
	if size, ok := list.Size().(types.Int); ok && size > MaxItems {
		return types.NewErr("comes to %d items; at most %d", int64(size), MaxItems)
	}
	return value // its items have been looked at when they were made
}

// boundedConstructor bounds a list or map that an expression writes out.
type boundedConstructor struct {
	interpreter.InterpretableConstructor
}

// Exec implements interpreter.InterpretableV2.
func (b boundedConstructor) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	value := b.InterpretableConstructor.Exec(frame)
	if wrong := budgetOf(frame).take(value); wrong != nil {
		return wrong
	}
	return value
}

// Eval implements interpreter.Interpretable.
func (b boundedConstructor) Eval(vars interpreter.Activation) ref.Val {
	value := b.InterpretableConstructor.Eval(vars)
	if wrong := budgetOf(vars).take(value); wrong != nil {
		return wrong
	}
	return value
}

// boundedOperands bounds the fields and items that a comparison goes through.
type boundedOperands struct{ interpreter.InterpretableCall }

// Exec implements interpreter.InterpretableV2.
func (b boundedOperands) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	left, right := b.Args()[0].Exec(frame), b.Args()[1].Exec(frame)
	return b.compare(left, right, frame)
}

// Eval implements interpreter.Interpretable.
func (b boundedOperands) Eval(vars interpreter.Activation) ref.Val {
	left, right := b.Args()[0].Eval(vars), b.Args()[1].Eval(vars)
	return b.compare(left, right, vars)
}

func (b boundedOperands) compare(left, right ref.Val, vars interpreter.Activation) ref.Val {
	for _, value := range []ref.Val{left, right} {
		if types.IsUnknownOrError(value) {
			return value
		}
	}
	if composed(left) && composed(right) {
		if wrong := budgetOf(vars).take(right); wrong != nil {
			return wrong
		}
	}
	if b.Function() == operators.NotEquals {
		return types.Bool(types.Equal(left, right) != types.True)
	}
	return types.Equal(left, right)
}

func composed(value ref.Val) bool {
	switch value.(type) {
	case traits.Mapper, traits.Lister:
		return true
	}
	return false
}
