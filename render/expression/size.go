package expression

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/decls"
	"github.com/google/cel-go/common/functions"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
)

// Bounds of the values that an expression may make. They apply to every value on the way to its result as well.
const (
	MaxValue     = 1 << 20    // bytes of a text, and of a result as JSON
	MaxItems     = 1_000_000  // of a list, and fields and items of a value in all
	MaxTogether  = 4 << 20    // bytes of all results that are added up
	maxPairs     = 25_000_000 // items that a function compares with each other
	maxPrecision = 1000       // decimal places of a number
)

// sized are the functions whose result can be much larger than their arguments, or which take much longer than others: each
// checks its arguments before the function runs, and returns an error if they are too much.
var sized = map[string]func(args []ref.Val) error{
	"replace":         sizedReplace,
	"join":            sizedJoin,
	"format":          sizedFormat,
	"lists.range":     func(args []ref.Val) error { return tooMany("items", int64(integerOf(args, 0)), MaxItems) },
	"flatten":         func(args []ref.Val) error { return tooMany("items", nodesOf(args[0]), MaxItems) },
	"distinct":        func(args []ref.Val) error { return tooMany("pairs of items", pairs(args[0], args[0]), maxPairs) },
	"quantity":        sizedQuantity,
	"isQuantity":      sizedQuantity,
	"sets.contains":   sizedSets,
	"sets.equivalent": sizedSets,
	"sets.intersects": sizedSets,
}

func tooMany(what string, n, most int64) error {
	if n <= most {
		return nil
	}
	return fmt.Errorf("comes to %d %s; at most %d", n, what, most)
}

func sizedReplace(args []ref.Val) error {
	text, from, to := textOf(args, 0), textOf(args, 1), textOf(args, 2)
	found := int64(strings.Count(text, from))
	if len(args) > 3 && integerOf(args, 3) >= 0 {
		found = min(found, int64(integerOf(args, 3)))
	}
	if len(to) <= len(from) {
		return nil
	}
	return tooMany("bytes of text", int64(len(text))+found*int64(len(to)-len(from)), MaxValue)
}

func sizedJoin(args []ref.Val) error {
	list, ok := args[0].(traits.Lister)
	if !ok {
		return nil
	}
	length := int64(len(textOf(args, 1)))
	var n int64
	for it := list.Iterator(); it.HasNext() == types.True && n <= MaxValue; {
		text, _ := it.Next().(types.String)
		n += int64(len(text)) + length
	}
	return tooMany("bytes of text", n-length, MaxValue)
}

// sizedFormat counts each argument once: a directive takes one. A number may be longer than its precision by little.
func sizedFormat(args []ref.Val) error {
	format := textOf(args, 0)
	m := meter{bytes: MaxValue, nodes: MaxItems}
	for _, directive := range strings.Split(format, "%")[1:] {
		digits := 0
		for _, c := range strings.TrimPrefix(directive, ".") {
			if c < '0' || c > '9' || digits > maxPrecision {
				break
			}
			digits = 10*digits + int(c-'0')
		}
		if err := tooMany("decimal places", int64(digits), maxPrecision); err != nil {
			return err
		}
		m.take(int64(digits), 0)
	}
	fits := m.take(int64(len(format)), 0)
	if fits && len(args) > 1 {
		fits = m.value(args[1])
	}
	if !fits {
		return fmt.Errorf("comes to more than %d bytes of text", MaxValue)
	}
	return nil
}

// hugeExponent matches quantities as which an amount has very many digits once it is compared: 1e20000000 takes seconds.
var hugeExponent = regexp.MustCompile(`[eE][-+]?[0-9]{4,}$`)

func sizedQuantity(args []ref.Val) error {
	text := textOf(args, 0)
	if err := tooMany("characters of a quantity", int64(len(text)), 1000); err != nil {
		return err
	}
	if hugeExponent.MatchString(text) {
		return errors.New("comes to a quantity with an exponent of four digits; at most three")
	}
	return nil
}

func sizedSets(args []ref.Val) error {
	return tooMany("pairs of items", pairs(args[0], args[1]), maxPairs)
}

// pairs counts the comparisons that comparing the items of a list with those of another takes.
func pairs(a, b ref.Val) int64 {
	list, ok := a.(traits.Sizer)
	if !ok {
		return 0
	}
	size, _ := list.Size().(types.Int)
	return min(int64(size), MaxItems) * weightOf(b)
}

func textOf(args []ref.Val, n int) string {
	if n >= len(args) {
		return ""
	}
	text, _ := args[n].(types.String)
	return string(text)
}

func integerOf(args []ref.Val, n int) types.Int {
	i, _ := args[n].(types.Int)
	return i
}

// nodesOf counts the fields and items of a value, up to a few more than it may have.
func nodesOf(value ref.Val) int64 {
	m := meter{bytes: 1 << 62, nodes: MaxItems}
	m.value(value)
	return MaxItems - m.nodes
}

// A meter counts the bytes and the fields and items of values. A value that is part of another more than once counts each
// time.
type meter struct{ bytes, nodes int64 } // that remain

func (m *meter) take(bytes, nodes int64) bool {
	m.bytes -= bytes
	m.nodes -= nodes
	return m.bytes >= 0 && m.nodes >= 0
}

// value takes a value, and says whether it was there to be had.
func (m *meter) value(value ref.Val) bool {
	switch v := value.(type) {
	case types.String:
		return m.take(int64(len(v))+2, 1)
	case types.Bytes:
		return m.take(int64(len(v))+2, 1)
	case traits.Mapper:
		enough := m.take(2, 1)
		for it := v.Iterator(); enough && it.HasNext() == types.True; {
			key := it.Next()
			enough = m.value(key) && m.value(v.Get(key)) && m.take(2, 0)
		}
		return enough
	case traits.Lister:
		enough := m.take(2, 1)
		for it := v.Iterator(); enough && it.HasNext() == types.True; {
			enough = m.value(it.Next()) && m.take(1, 0)
		}
		return enough
	default:
		return m.take(8, 1)
	}
}

// sizedFunctions declares the functions of an environment that have to be sized anew, so that they are.
func sizedFunctions(env *cel.Env) ([]cel.EnvOption, error) {
	var options []cel.EnvOption
	for _, name := range append(sortedKeys(sized), "indexOf", "lastIndexOf") {
		function := env.Functions()[name]
		if function == nil {
			return nil, fmt.Errorf("CEL has no function %s", name)
		}
		bindings, err := function.Bindings()
		if err != nil {
			return nil, err
		}
		byID := map[string]*functions.Overload{}
		for _, b := range bindings {
			byID[b.Operator] = b
		}
		var overloads []cel.FunctionOpt
		for _, o := range function.OverloadDecls() {
			overloads = append(overloads, sizedOverload(o, byID[o.ID()], sized[name], searches[name]))
		}
		options = append(options, cel.Function(name, overloads...))
	}
	return options, nil
}

func sizedOverload(o *decls.OverloadDecl, made *functions.Overload, size func([]ref.Val) error, find func(string, string, int, bool) ref.Val) cel.FunctionOpt {
	declare := cel.Overload
	if o.IsMemberFunction() {
		declare = cel.MemberOverload
	}
	return declare(o.ID(), o.ArgTypes(), o.ResultType(), cel.FunctionBinding(func(args ...ref.Val) ref.Val {
		if size != nil {
			if err := size(args); err != nil {
				return types.WrapErr(err)
			}
		}
		if find != nil {
			if found := search(find, args); found != nil {
				return found
			}
		}
		switch {
		case made.Unary != nil && len(args) == 1:
			return made.Unary(args[0])
		case made.Binary != nil && len(args) == 2:
			return made.Binary(args[0], args[1])
		}
		return made.Function(args...)
	}))
}
