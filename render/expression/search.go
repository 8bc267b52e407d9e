package expression

import (
	"strings"
	"unicode/utf8"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
)

// searches are the functions that find a text in another. CEL's own try each position anew, which for a text of a megabyte takes minutes;
// these come to the same.
var searches = map[string]func(text, part string, from int, given bool) ref.Val{
	"indexOf":     indexOf,
	"lastIndexOf": lastIndexOf,
}

// search finds a text in another; nil: the arguments are others.
func search(find func(text, part string, from int, given bool) ref.Val, args []ref.Val) ref.Val {
	if len(args) < 2 {
		return nil
	}
	text, isText := args[0].(types.String)
	part, isPart := args[1].(types.String)
	if !isText || !isPart || !utf8.ValidString(string(text)) || !utf8.ValidString(string(part)) {
		return nil
	}
	if len(args) == 2 {
		return find(string(text), string(part), 0, false)
	}
	from, isNumber := args[2].(types.Int)
	if !isNumber {
		return nil
	}
	if from < 0 {
		return types.NewErr("index out of range: %d", from)
	}
	return find(string(text), string(part), int(from), true)
}

// indexOf is the position of the first part, at from or after it, in characters; -1: there is none.
func indexOf(text, part string, from int, _ bool) ref.Val {
	length := utf8.RuneCountInString(text)
	switch {
	case part == "":
		return types.Int(min(from, length))
	case from >= length:
		return types.IntNegOne
	}
	begin := offset(text, from)
	at := strings.Index(text[begin:], part)
	if at < 0 {
		return types.IntNegOne
	}
	return types.Int(from + utf8.RuneCountInString(text[begin:begin+at]))
}

// lastIndexOf is the position of the last part, at from or before it, in characters; -1: there is none.
func lastIndexOf(text, part string, from int, given bool) ref.Val {
	length := utf8.RuneCountInString(text)
	switch {
	case part == "" && given:
		return types.Int(min(from, length))
	case part == "":
		return types.Int(length)
	case given && from >= length:
		return types.IntNegOne
	}
	end := len(text)
	if given {
		end = min(end, offset(text, from)+len(part))
	}
	at := strings.LastIndex(text[:end], part)
	if at < 0 {
		return types.IntNegOne
	}
	return types.Int(utf8.RuneCountInString(text[:at]))
}

// offset is where a character of a text begins.
func offset(text string, character int) int {
	for at := range text {
		if character == 0 {
			return at
		}
		character--
	}
	return len(text)
}
