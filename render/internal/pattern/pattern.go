// Package pattern counts the work that a regular expression is. In goes its text, out comes a number; nothing is matched here. A
// few characters of text can stand for a thousand times as many steps, each of which is made for each character that is
// looked at.
package pattern

import "regexp/syntax"

// Steps is how many steps a regular expression has, with its repetitions written out; 0 where it is plain text or none at
// all. The parser bounds repetitions of repetitions, so that the number stays small enough to be multiplied.
func Steps(text string) int64 {
	parsed, err := syntax.Parse(text, syntax.Perl)
	if err != nil || parsed.Op == syntax.OpLiteral || parsed.Op == syntax.OpEmptyMatch {
		return 0
	}
	return steps(parsed)
}

func steps(e *syntax.Regexp) int64 {
	n := int64(1 + len(e.Rune))
	for _, sub := range e.Sub {
		n += steps(sub)
	}
	if e.Op == syntax.OpRepeat {
		n *= int64(max(e.Max, e.Min+1))
	}
	return n
}
