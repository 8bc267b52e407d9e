package kustomize

import (
	"strings"

	"sigs.k8s.io/yaml"
)

// lineWidth is where the encoder that Kustomize prints with begins to fold text at spaces.
const lineWidth = 80

// simple reports whether a string stays the same wherever it is written and read back as YAML or JSON on Kustomize's
// way, and is printed on one line at the column.
func simple(text string, column int) bool {
	spaces := false
	for i := range len(text) {
		c := text[i]
		if c < ' ' || c > '~' {
			return false
		}
		spaces = spaces || c == ' '
	}
	if !spaces {
		return true
	}
	return text[0] != ' ' && text[len(text)-1] != ' ' && column+2*len(text) < lineWidth
}

// appendString prints a simple string as Kustomize's encoder does.
func appendString(out []byte, text string) ([]byte, error) {
	if obvious(text) || quantity(text) {
		return append(out, text...), nil
	}
	list, err := yaml.Marshal([]string{text})
	if err != nil {
		return nil, err
	}
	return append(out, strings.TrimSuffix(strings.TrimPrefix(string(list), "- "), "\n")...), nil
}

// obvious reports whether a string needs no quotes at first sight: it begins with a letter, is no word of YAML, and has
// no character that could mean anything.
func obvious(text string) bool {
	if text == "" || !isLetter(text[0]) || yamlWord(text) {
		return false
	}
	for i := 1; i < len(text); i++ {
		c := text[i]
		switch {
		case isLetter(c), c >= '0' && c <= '9', c == '-', c == '_', c == '.', c == '/':
		case c == ':' && i+1 < len(text) && text[i+1] != ' ':
		default:
			return false
		}
	}
	return true
}

// quantity reports whether a string is a number with a unit, such as 20Gi or 250m, that no number is written with.
func quantity(text string) bool {
	digits := strings.TrimLeft(text, "0123456789")
	if len(digits) == len(text) {
		return false
	}
	switch digits {
	case "m", "k", "M", "G", "T", "Ki", "Mi", "Gi", "Ti", "s", "h":
		return true
	}
	return false
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

// yamlWord reports whether YAML may read a word as something else than a string.
func yamlWord(text string) bool {
	switch strings.ToLower(text) {
	case "y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf":
		return true
	}
	return false
}
