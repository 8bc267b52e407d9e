package expression

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/cel-go/common/types"
	"github.com/stretchr/testify/require"
)

// hostile has values as a request of a megabyte may have, whose types no expression knows.
func hostile() (*Scope, map[string]any) {
	s := NewScope()
	s.Declare("p", AnyMap)
	text := strings.Repeat("a", 200_000)
	var a, b, ones []any
	for n := range 50_000 {
		a, b, ones = append(a, int64(n)), append(b, int64(n)), append(ones, "1")
	}
	b[len(b)-1] = int64(-1)
	return s, map[string]any{"p": map[string]any{"a": a, "b": b, "l": []any{a}, "ones": ones, "t": text, "one": text + "1", "two": text + "2", "part": text[:100_000] + "b"}}
}

// TestACallIsChargedForWhatItLooksAt: each of these was charged as if it looked at next to nothing, so that a loop with as many of them as a
// million steps of CEL allow took minutes, or gigabytes of memory.
func TestACallIsChargedForWhatItLooksAt(t *testing.T) {
	s, vars := hostile()
	for call, least := range map[string]int64{
		`p.t.indexOf(p.part)`: 20_000, `p.t.lastIndexOf(p.part)`: 20_000, `p.b in p.l`: 5_000, `p.l.indexOf(p.b)`: 5_000, `p.l.includes(p.b)`: 5_000,
		`sets.contains(p.l, [p.b])`: 5_000, `sets.intersects([p.a], p.l)`: 5_000, `sets.equivalent([p.a], p.l)`: 5_000, `p.a.sort().size()`: 80_000,
		`[p.a].flatten().size()`: 5_000, `p.one > p.two`: 20_000, `p.one <= p.two`: 20_000, `p.one == p.two`: 20_000, `p.one != p.two`: 20_000,
		`[p.a] == [p.b]`: 5_000, `[p.a, p.b].distinct().size()`: 20_000, `p.t.charAt(0)`: 20_000, `bytes(p.t).size()`: 20_000,
		`(p.t + p.t).size()`: 40_000, `"%s".format([p.a]).size()`: 5_000, `p.t.size()`: 200, `p.ones.join().size()`: 5_000,
	} {
		e, err := Compile(call, s, Any)
		require.NoError(t, err, call)
		_, spent, err := e.Evaluate(vars)
		require.NoError(t, err, call)
		require.GreaterOrEqual(t, spent.Cost, least, call)
		require.Less(t, spent.Cost, 40*least, call)
	}
	for call, says := range map[string]string{
		`quantity("1e99999999").isInteger()`:          "an exponent of four digits; at most three",
		`isQuantity("1234567890123456789E+00020000")`: "an exponent of four digits; at most three",
		`isQuantity(p.t)`:                             "comes to 200000 characters of a quantity; at most 1000",
		`lists.range(2000).map(i, "%.1000f").join("").format(lists.range(2000).map(i, 1.5)).size()`: "comes to more than 1048576 bytes of text",
	} {
		e, err := Compile(call, s, Any)
		require.NoError(t, err, call)
		_, err = e.Eval(vars)
		require.ErrorContains(t, err, says, call)
	}
}

// TestALoopIsChargedForItsRounds before the first of them: CEL takes the square of them, half a minute for a hundred thousand.
func TestALoopIsChargedForItsRounds(t *testing.T) {
	s, vars := hostile()
	for _, loop := range []string{
		`lists.range(100000).exists(i, i < 0)`, `p.a.exists(i, i < 0)`, `p.t.split("").exists(c, c == "b")`, `(p.a + p.a).map(i, i).size()`,
		`lists.range(100000).transformMap(i, v, v).size()`, `lists.range(100000).filter(i, i > 5).size()`, `p.a.map(i, i).map(i, i).size()`,
	} {
		e, err := Compile(loop, s, Any)
		require.NoError(t, err, loop)
		_, _, err = e.evaluate(vars, 1_000_000)
		require.ErrorContains(t, err, "cost limit exceeded", loop)
	}
	costs := func(loop string) int64 {
		e, err := Compile(loop, s, Any)
		require.NoError(t, err, loop)
		_, spent, err := e.Evaluate(vars)
		require.NoError(t, err, loop)
		return spent.Cost
	}
	require.InDelta(t, 9_000_000/roundsPerStep+3_000*7, costs(`lists.range(3000).exists(i, i < 0)`), 100)
	require.InDelta(t, 10, costs(`[1, 2].exists(i, i > 1)`), 40)
}

// TestABudgetThatIsSpentStaysSo: a loop that looks for one true item goes on after an error.
func TestABudgetThatIsSpentStaysSo(t *testing.T) {
	s, vars := hostile()
	e, err := Compile(`lists.range(300).exists(i, [p.a].size() < 0)`, s, Any)
	require.NoError(t, err)
	_, _, err = e.Evaluate(vars)
	require.ErrorContains(t, err, "goes through more than 10000000 fields and items")
	b := &budget{work: maxWork}
	tooMuch := types.NewDynamicList(types.DefaultTypeAdapter, make([]any, MaxItems+1))
	for range 3 {
		require.NotNil(t, b.take(tooMuch))
	}
	require.LessOrEqual(t, b.work, int64(maxWork-3*MaxItems), "what was looked at in vain is charged, too")
	b.work = 10
	require.NotNil(t, b.take(tooMuch))
	require.Negative(t, b.work)
	require.NotNil(t, b.take(types.NewDynamicList(types.DefaultTypeAdapter, []any{})), "nothing more is looked at")
}

// TestSearchesComeToTheSame as CEL's own, which try each position.
func TestSearchesComeToTheSame(t *testing.T) {
	texts := []string{"", "a", "b", "ab", "aab", "aba", "ababa", "äbä", "日本日", "a日a日a"}
	plain := func(text, part []rune, at int) bool {
		return at >= 0 && at+len(part) <= len(text) && string(text[at:at+len(part)]) == string(part)
	}
	for _, text := range texts {
		for _, part := range texts {
			for from := -1; from < 8; from++ {
				runes, sought := []rune(text), []rune(part)
				first, last := int64(-1), int64(-1)
				for at := len(runes); at >= max(from, 0); at-- {
					if plain(runes, sought, at) && at < len(runes) {
						first = int64(at)
					}
				}
				for at := 0; at <= min(from, len(runes)-1); at++ {
					if plain(runes, sought, at) {
						last = int64(at)
					}
				}
				if part == "" {
					first = int64(min(max(from, 0), len(runes)))
					last = int64(min(max(from, 0), len(runes)))
				}
				if part != "" && from >= len(runes) {
					last = -1
				}
				check(t, fmt.Sprintf("%q.indexOf(%q, %d)", text, part, from), first, from < 0)
				check(t, fmt.Sprintf("%q.lastIndexOf(%q, %d)", text, part, from), last, from < 0)
			}
			check(t, fmt.Sprintf("%q.indexOf(%q)", text, part), int64(strings.Index(text, part)), false, text)
			check(t, fmt.Sprintf("%q.lastIndexOf(%q)", text, part), int64(strings.LastIndex(text, part)), false, text)
		}
	}
}

// check evaluates a search. Where a text is given, the result that is wanted is in its bytes.
func check(t *testing.T, source string, want int64, fails bool, of ...string) {
	t.Helper()
	if len(of) > 0 && want > 0 {
		want = int64(len([]rune(of[0][:want])))
	}
	e, err := Compile(source, NewScope(), Int)
	require.NoError(t, err)
	got, err := e.Eval(map[string]any{})
	if fails {
		require.ErrorContains(t, err, "index out of range: -1", source)
		return
	}
	require.NoError(t, err, source)
	require.Equal(t, want, got, source)
}
