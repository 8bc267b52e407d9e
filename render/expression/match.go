package expression

import (
	"regexp"
	"strings"

	"github.com/google/cel-go/common/overloads"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/interpreter"
	"k8s.io/apiserver/pkg/cel/library"

	"transom.dev/render/internal/pattern"
)

const (
	// maxPattern is how many steps a pattern may have, and maxMatch how many times one match may compare a character with a step.
	maxPattern = 10_000
	maxMatch   = 100_000_000

	// stepsPerCost is how many comparisons cost one step of CEL. An API server charges as much for a pattern without repetitions.
	stepsPerCost = 40
)

// patterns are those that an expression writes out, by their text. They are put there while its program is made.
type patterns map[string]*counted

// A counted pattern was compiled if it has no more steps than it may have.
type counted struct {
	steps    int64
	compiled *regexp.Regexp
	err      error
}

func (p patterns) of(text string) *counted {
	if known := p[text]; known != nil {
		return known
	}
	c := &counted{steps: pattern.Steps(text)}
	if c.steps <= maxPattern {
		c.compiled, c.err = regexp.Compile(text)
	}
	return c
}

// steps are those of a pattern, which is not compiled for them.
func (p patterns) steps(text string) int64 {
	if known := p[text]; known != nil {
		return known.steps
	}
	return pattern.Steps(text)
}

// bound is a decorator that bounds calls which match a pattern.
func (p patterns) bound(i interpreter.InterpretableV2) (interpreter.InterpretableV2, error) {
	call, is := i.(interpreter.InterpretableCall)
	if !is || len(call.Args()) < 2 {
		return i, nil
	}
	switch call.Function() {
	case "matches", "find", "findAll":
	default:
		return i, nil
	}
	if constant, is := call.Args()[1].(interpreter.InterpretableConst); is {
		if text, is := constant.Value().(types.String); is {
			p[string(text)] = p.of(string(text))
		}
	}
	return boundedMatch{call, p}, nil
}

// boundedMatch bounds the work of matching a text against a pattern before it is done.
type boundedMatch struct {
	interpreter.InterpretableCall
	known patterns
}

// boundedName begins the names of functions that are bounded: by their own names CEL would put a compiled pattern in their place.
const boundedName = "bounded "

// Function implements interpreter.InterpretableCall.
func (b boundedMatch) Function() string { return boundedName + b.InterpretableCall.Function() }

// Exec implements interpreter.InterpretableV2.
func (b boundedMatch) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	var args []ref.Val
	for _, arg := range b.Args() {
		args = append(args, arg.Exec(frame))
	}
	return b.match(args)
}

// Eval implements interpreter.Interpretable.
func (b boundedMatch) Eval(vars interpreter.Activation) ref.Val {
	var args []ref.Val
	for _, arg := range b.Args() {
		args = append(args, arg.Eval(vars))
	}
	return b.match(args)
}

func (b boundedMatch) match(args []ref.Val) ref.Val {
	for _, arg := range args {
		if types.IsUnknownOrError(arg) {
			return arg
		}
	}
	text, isText := args[0].(types.String)
	written, isPattern := args[1].(types.String)
	if !isText || !isPattern {
		return types.NoSuchOverloadErr()
	}
	pattern := b.known.of(string(written))
	switch {
	case pattern.steps > maxPattern:
		return types.NewErr("has a pattern of %d steps; at most %d", pattern.steps, maxPattern)
	case pattern.steps*int64(len(text)) > maxMatch:
		return types.NewErr("holds a text of %d bytes against a pattern of %d steps; at most %d together", len(text), pattern.steps, maxMatch)
	case pattern.err != nil:
		return types.NewErr("Illegal regex: %v", pattern.err)
	}
	compiled := pattern.compiled
	switch b.InterpretableCall.Function() {
	case "find":
		return types.String(compiled.FindString(string(text)))
	case "findAll":
		most := types.Int(-1)
		if len(args) > 2 {
			given, isNumber := args[2].(types.Int)
			if !isNumber {
				return types.NoSuchOverloadErr()
			}
			most = given
		}
		return types.NewStringList(types.DefaultTypeAdapter, compiled.FindAllString(string(text), int(most)))
	}
	return types.Bool(compiled.MatchString(string(text)))
}

// costs are those of an API server, but for works, and for patterns: it charges for the length of their text, in which a thousand repetitions
// are six characters.
type costs struct {
	library.CostEstimator
	known patterns
}

// CallCost implements interpreter.ActualCostEstimator.
func (c *costs) CallCost(name, overload string, args []ref.Val, result ref.Val) *uint64 {
	if of, is := strings.CutPrefix(name, loopName); is {
		return c.loop(of, args, result)
	}
	function, matches := strings.CutPrefix(name, boundedName)
	if matches && !types.IsError(result) {
		text, written := args[0].(types.String), args[1].(types.String)
		if steps := c.known.steps(string(written)); steps > int64(len(written)) {
			cost := uint64(len(text)+1)*uint64(steps)/stepsPerCost + 1
			return &cost
		}
	}
	known, own := c.CostEstimator.CallCost(function, overload, args, result), stepsOf(function, args, result)
	switch {
	case known != nil:
		own = max(own, *known)
	case own == 0:
		return nil
	case overload == overloads.InList:
		own = max(own, uint64(sizeOf(args[1]).(types.Int)))
	}
	return &own
}
