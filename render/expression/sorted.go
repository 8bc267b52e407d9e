package expression

import (
	"cmp"
	"slices"

	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
	"github.com/google/cel-go/interpreter"
)

// sortedAdapter shows CEL every map with its keys sorted. cel-go ranges over Go maps, so that a map() over one would
// come out in another order each time.
type sortedAdapter struct{ types.Adapter }

// NativeToValue wraps maps, and lists because they may have maps.
func (a sortedAdapter) NativeToValue(value any) ref.Val {
	switch v := value.(type) {
	case map[string]any:
		return sortedMap{types.NewStringInterfaceMap(a, v)}
	case map[string]string:
		return sortedMap{types.NewStringStringMap(a, v)}
	case []any:
		return types.NewDynamicList(a, v)
	default:
		return a.Adapter.NativeToValue(value)
	}
}

// sortedMap is a map that is ranged over in the order of its keys.
type sortedMap struct{ traits.Mapper }

// Iterator implements traits.Iterable.
func (m sortedMap) Iterator() traits.Iterator {
	var keys []ref.Val
	for it := m.Mapper.Iterator(); it.HasNext() == types.True; {
		keys = append(keys, it.Next())
	}
	slices.SortFunc(keys, compareKeys)
	return types.NewRefValList(types.DefaultTypeAdapter, keys).Iterator()
}

// Fold implements traits.Foldable, which comprehensions of two variables use.
func (m sortedMap) Fold(f traits.Folder) {
	for it := m.Iterator(); it.HasNext() == types.True; {
		key := it.Next()
		if !f.FoldEntry(key, m.Get(key)) {
			return
		}
	}
}

// compareKeys orders the keys of a map: by type, then by value.
func compareKeys(a, b ref.Val) int {
	if byType := cmp.Compare(a.Type().TypeName(), b.Type().TypeName()); byType != 0 {
		return byType
	}
	if c, ok := a.(traits.Comparer); ok {
		if order, ok := c.Compare(b).(types.Int); ok {
			return int(order)
		}
	}
	return 0
}

// sortRanges sorts the maps that comprehensions range over where no adapter saw them: literals, and the results of other
// comprehensions.
func sortRanges(a *ast.AST) interpreter.InterpretableDecoratorV2 {
	ranges := map[int64]bool{}
	for _, e := range ast.MatchDescendants(ast.NavigateAST(a), ast.KindMatcher(ast.ComprehensionKind)) {
		ranges[e.AsComprehension().IterRange().ID()] = true
	}
	return func(i interpreter.InterpretableV2) (interpreter.InterpretableV2, error) {
		if !ranges[i.ID()] {
			return i, nil
		}
		return newLoopRange(i), nil
	}
}

func sorted(value ref.Val) ref.Val {
	if m, ok := value.(traits.Mapper); ok {
		if _, already := m.(sortedMap); !already {
			return sortedMap{m}
		}
	}
	return value
}
