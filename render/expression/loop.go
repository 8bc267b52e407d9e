package expression

import (
	"strconv"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/interpreter"
)

// CEL counts the cost of a loop in a list of values that grows with each round, and goes through all of it for each variable that a round reads:
// a loop of a hundred thousand rounds takes half a minute, for less than a million steps. So what a loop goes over is charged for as a call is,
// before the first round: for its own making, for which CEL charges nothing there, and for the square of its size.

// roundsPerStep is how many of the squared rounds of a loop cost one step, which is about a microsecond.
const roundsPerStep = 1000

// loopName begins the names of the calls that stand for what loops go over. No function has such a name.
const loopName = "loop over "

// loopRange is what a loop goes over: a list, or a map with its keys sorted.
type loopRange struct {
	interpreter.InterpretableV2
	of   string // a function with its arguments, or how many steps it takes to read a variable
	args []interpreter.InterpretableV2
}

func newLoopRange(i interpreter.InterpretableV2) loopRange {
	l := loopRange{InterpretableV2: i}
	switch made := i.(type) {
	case interpreter.InterpretableCall:
		l.of, l.args = made.Function(), made.Args()
	case interpreter.InterpretableAttribute:
		reads := 1
		if named, ok := made.Attr().(interpreter.NamespacedAttribute); ok {
			reads += len(named.Qualifiers())
		}
		l.of = strconv.Itoa(reads)
	}
	return l
}

// Function implements interpreter.InterpretableCall.
func (l loopRange) Function() string { return loopName + l.of }

// OverloadID implements interpreter.InterpretableCall. It names none, as CEL has prices for some.
func (l loopRange) OverloadID() string { return "" }

// Args implements interpreter.InterpretableCall.
func (l loopRange) Args() []interpreter.InterpretableV2 { return l.args }

// Exec implements interpreter.InterpretableV2.
func (l loopRange) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	return sorted(l.InterpretableV2.Exec(frame))
}

// Eval implements interpreter.Interpretable.
func (l loopRange) Eval(vars interpreter.Activation) ref.Val {
	return sorted(l.InterpretableV2.Eval(vars))
}

// loop is the cost of going over a value, which is read in so many steps, or made by a function.
func (c *costs) loop(of string, args []ref.Val, result ref.Val) *uint64 {
	n, _ := sizeOf(result).(types.Int)
	size, cost := uint64(max(n, 0)), uint64(1)
	if reads, err := strconv.Atoi(of); err == nil {
		cost = uint64(reads)
	} else if of != "" {
		cost = max(cost, size)
		if known := c.CallCost(of, "", args, result); known != nil {
			cost = max(cost, *known)
		}
	}
	cost += size * size / roundsPerStep
	return &cost
}
