package wording

import (
	"fmt"
	"strconv"
)

// Value names a value's type and, where it is a scalar, the value itself: a message names the value that was found so.
func Value(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case string:
		return "the string " + strconv.Quote(Shorten(v))
	case int64:
		return fmt.Sprintf("the integer %d", v)
	case float64:
		return "the number " + strconv.FormatFloat(v, 'g', -1, 64)
	case bool:
		return fmt.Sprintf("the boolean %t", v)
	case []any:
		return "a list"
	default:
		return "an object"
	}
}

// Shorten keeps messages readable however long a text of a file is.
func Shorten(s string) string {
	const limit = 60
	if runes := []rune(s); len(runes) > limit {
		return string(runes[:limit]) + "…"
	}
	return s
}
