package wording

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxMessage is how many bytes a message may have that is made of text from outside.
const MaxMessage = 2048

// Clean makes text from outside one that a terminal, a log and a page may show: control characters, terminal escapes and
// marks that reverse the direction of writing become U+FFFD, but for line breaks and tabs, and text that is longer than
// MaxMessage is cut, with the number of bytes that are omitted.
func Clean(text string) string {
	end, length := len(text), 0 // of the part that fits, and of that part once it is cleaned: a control character has one byte, and U+FFFD three
	for at, r := range text {
		if length <= MaxMessage-64 {
			end = at
		}
		if unshowable(r) {
			r = utf8.RuneError
		}
		if length += utf8.RuneLen(r); length > MaxMessage {
			return fmt.Sprintf("%s … (%d more bytes)", replace(text[:end], unshowable), len(text)-end)
		}
	}
	return replace(text, unshowable)
}

// CleanLine makes a line from outside one that a terminal and a page may show, like Clean, and leaves its length to the caller.
func CleanLine(line string) string {
	return replace(line, func(r rune) bool { return r == '\n' || unshowable(r) })
}

// CleanText makes text from outside, such as a description, one that a terminal and a page may show, like Clean, and omits none of it.
func CleanText(text string) string { return replace(text, unshowable) }

// replace replaces characters by U+FFFD.
func replace(text string, those func(rune) bool) string {
	if strings.IndexFunc(text, those) < 0 && utf8.ValidString(text) {
		return text
	}
	return strings.Map(func(r rune) rune {
		if those(r) {
			return utf8.RuneError
		}
		return r
	}, text)
}

// unshowable reports whether a character could do anything else than be seen.
func unshowable(r rune) bool {
	switch {
	case r == '\n', r == '\t':
		return false
	case unicode.IsControl(r):
		return true
	}
	return r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}
