package wording

import (
	"fmt"
	"strings"
)

// Suggest ends a message with the known name that was probably meant, or with nothing.
func Suggest(name string, known []string) string {
	if best := Closest(name, known); best != "" {
		return fmt.Sprintf("; did you mean %q?", best)
	}
	return ""
}

// Closest returns the known name at the smallest edit distance from name, if that is small enough to be a slip.
func Closest(name string, known []string) string {
	best, nearest := "", min(3, (len(name)+1)/3)
	lower := strings.ToLower(name)
	for _, k := range known {
		d := distance(lower, strings.ToLower(k), nearest)
		if first := best == "" || d < nearest || k < best; d <= nearest && first && k != name {
			best, nearest = k, d
		}
	}
	return best
}

// Abbreviated returns the only known name that is short for name, as prod is for production, of three characters and more.
func Abbreviated(name string, known []string) (short string) {
	for _, k := range known {
		if len(k) < 3 || k == name || !strings.HasPrefix(strings.ToLower(name), strings.ToLower(k)) {
			continue
		}
		if short != "" {
			return ""
		}
		short = k
	}
	return short
}

// distance counts the insertions, deletions, replacements and swaps of neighbours that turn a into b, or returns
// more than limit.
func distance(a, b string, limit int) int {
	if len(a) > 256 || len(b) > 256 || len(a)-len(b) > limit || len(b)-len(a) > limit {
		return limit + 1
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			same := 1
			if a[i-1] == b[j-1] {
				same = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+same)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}

// mostListed is how many names a message lists.
const mostListed = 100

// List writes names as prose: a, b or "none". Of very many it names the first, and says how many there are.
func List(names []string) string {
	switch {
	case len(names) == 0:
		return "none"
	case len(names) > mostListed:
		return fmt.Sprintf("%s and %d more", strings.Join(names[:mostListed], ", "), len(names)-mostListed)
	}
	return strings.Join(names, ", ")
}

// Strings are the texts of names that have a type of their own.
func Strings[S ~string](names []S) []string {
	texts := make([]string, len(names))
	for i, name := range names {
		texts[i] = string(name)
	}
	return texts
}

// NoField says that a value has no such field, with the one that was probably meant.
func NoField(name, field string, known []string) string {
	hint := Suggest(field, known)
	if hint == "" {
		hint = "; there is " + List(known)
	}
	return fmt.Sprintf("%s has no field %q%s", name, Shorten(field), hint)
}
