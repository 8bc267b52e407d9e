package terminal

import (
	"fmt"
	"strings"
)

// Count is a number with its noun, in the plural where it is due.
func Count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// Short is how people read a hash.
func Short(hash string) string {
	hash = strings.TrimPrefix(hash, "sha256:")
	return hash[:min(len(hash), 7)]
}

// OrList is a choice of words.
func OrList(words []string) string {
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}

// Release is a version with the digest that it runs as.
func Release(version, digest string) string {
	text := version
	if digest != "" {
		text = strings.TrimSpace(text + " (" + Short(digest) + ")")
	}
	return text
}
