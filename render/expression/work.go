package expression

import (
	"math/bits"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
	"github.com/google/cel-go/interpreter"
)

// An API server charges for some calls as if they looked at nothing, or at the top level of their arguments alone: those whose types are only
// known once there are values, and those that hold whole values against each other. In a loop such a call takes minutes for the steps of an
// instant. So the functions here are charged for what they look at, however they came to their end.

// touchesPerStep is how many bytes of text, or fields and items, cost one step of CEL. An API server charges so much for text.
const touchesPerStep = 10

// works are the bytes, fields and items that calls of functions look at.
var works = map[string]func(args []ref.Val, result ref.Val) int64{
	operators.Less:          shorterText,
	operators.LessEquals:    shorterText,
	operators.Greater:       shorterText,
	operators.GreaterEquals: shorterText,
	operators.Equals:        compared,
	operators.NotEquals:     compared,
	operators.Add:           func(_ []ref.Val, result ref.Val) int64 { return lengthOf(result) },
	operators.In:            func(args []ref.Val, _ ref.Val) int64 { return listed(args[1]) },

	"indexOf":     searched,
	"lastIndexOf": searched,
	"includes":    searched,
	"charAt":      func(args []ref.Val, _ ref.Val) int64 { return lengthOf(args[0]) },
	"size":        func(args []ref.Val, _ ref.Val) int64 { return lengthOf(args[0]) / 100 }, // which are counted fast
	"bytes":       func(_ []ref.Val, result ref.Val) int64 { return lengthOf(result) },
	"join":        func(args []ref.Val, _ ref.Val) int64 { return listed(args[0]) },
	"flatten":     func(args []ref.Val, _ ref.Val) int64 { return listed(args[0]) },
	"format":      func(args []ref.Val, result ref.Val) int64 { return lengthOf(result) + weightOf(args[len(args)-1]) },

	"sort":                  sorting,
	"@sortByAssociatedKeys": sorting,
	"distinct":              func(args []ref.Val, _ ref.Val) int64 { return pairs(args[0], args[0]) },
	"sets.contains":         comparedInPairs,
	"sets.equivalent":       comparedInPairs,
	"sets.intersects":       comparedInPairs,
}

// stepsOf is the cost of a call by what it looks at; 0: it is not one of works, or looks at little.
func stepsOf(function string, args []ref.Val, result ref.Val) uint64 {
	work := works[function]
	if work == nil || len(args) == 0 {
		return 0
	}
	return uint64(work(args, result) / touchesPerStep)
}

// lengthOf is the length of a text or of bytes; 0: it is neither.
func lengthOf(value ref.Val) int64 {
	switch v := value.(type) {
	case types.String:
		return int64(len(v))
	case types.Bytes:
		return int64(len(v))
	}
	return 0
}

func shorterText(args []ref.Val, _ ref.Val) int64 {
	return min(lengthOf(args[0]), lengthOf(args[len(args)-1]))
}

func compared(args []ref.Val, result ref.Val) int64 {
	if left, right := args[0], args[len(args)-1]; composed(left) && composed(right) {
		return weightOf(right)
	}
	return shorterText(args, result)
}

// listed is the weight of a list; 0: it is a map, in which nobody searches, or something else.
func listed(value ref.Val) int64 {
	if list, ok := value.(traits.Lister); ok {
		return weightOf(list)
	}
	return 0
}

func searched(args []ref.Val, _ ref.Val) int64 { return max(lengthOf(args[0]), listed(args[0])) }

func sorting(args []ref.Val, _ ref.Val) int64 {
	list := args[len(args)-1]
	n, _ := sizeOf(list).(types.Int)
	return listed(list) * int64(bits.Len64(uint64(n)))
}

func comparedInPairs(args []ref.Val, _ ref.Val) int64 {
	if len(args) < 2 {
		return 0
	}
	return pairs(args[0], args[1])
}

func sizeOf(value ref.Val) ref.Val {
	if sized, ok := value.(traits.Sizer); ok {
		return sized.Size()
	}
	return types.IntZero
}

// bytesPerNode is how many bytes of text are compared in the time that a field or item takes.
const bytesPerNode = 256

// weightOf is how long a value takes to be compared: as many fields and items, up to a few more than it may have.
func weightOf(value ref.Val) int64 {
	m := meter{bytes: 1 << 62, nodes: MaxItems}
	m.value(value)
	return MaxItems - m.nodes + (1<<62-m.bytes)/bytesPerNode
}

// trackers charge for the overloads of functions for which CEL has a price of its own: for pairs of items, whatever these are.
func trackers() cel.ProgramOption {
	of := func(function string, own func(args []ref.Val) uint64) interpreter.FunctionTracker {
		return func(args []ref.Val, result ref.Val) *uint64 {
			cost := max(own(args), stepsOf(function, args, result)) + 1
			return &cost
		}
	}
	size := func(value ref.Val) uint64 {
		n, _ := sizeOf(value).(types.Int)
		return uint64(n)
	}
	product := func(factor uint64) func(args []ref.Val) uint64 {
		return func(args []ref.Val) uint64 { return factor * size(args[0]) * size(args[len(args)-1]) }
	}
	return cel.CostTrackerOptions(
		interpreter.OverloadCostTracker("list_sets_contains_list", of("sets.contains", product(1))),
		interpreter.OverloadCostTracker("list_sets_intersects_list", of("sets.intersects", product(1))),
		interpreter.OverloadCostTracker("list_sets_equivalent_list", of("sets.equivalent", product(2))),
		interpreter.OverloadCostTracker("list_distinct", of("distinct", product(2))),
		interpreter.OverloadCostTracker("list_flatten", of("flatten", func(args []ref.Val) uint64 { return size(args[0]) })),
		interpreter.OverloadCostTracker("list_flatten_int", of("flatten", func(args []ref.Val) uint64 {
			return size(args[0]) * uint64(max(1, integerOf(args, 1)))
		})),
	)
}
