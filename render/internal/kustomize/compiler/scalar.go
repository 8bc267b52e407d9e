package compiler

import (
	"strings"
	"sync"
	"sync/atomic"

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

// append prints a simple string as Kustomize's encoder does.
func (q *quotes) append(out []byte, text string) ([]byte, error) {
	switch {
	case obvious(text) || quantity(text):
		return append(out, text...), nil
	case strings.Trim(text, "0123456789") == "" && text != "":
		return append(append(append(out, '"'), text...), '"'), nil // it would be a number
	}
	written, err := q.of(text)
	return append(out, written...), err
}

// quotes remembers how the encoder writes text that it may have to quote: asking it takes longer than all the rest of an
// instance, and the same few schedules, sizes and arguments come again and again. It may be used concurrently.
type quotes struct {
	known sync.Map
	size  atomic.Int32
}

// maxQuotes bounds the texts that a program remembers.
const maxQuotes = 1024

func (q *quotes) of(text string) (string, error) {
	if written, ok := q.known.Load(text); ok {
		return written.(string), nil
	}
	list, err := yaml.Marshal([]string{text})
	if err != nil {
		return "", err
	}
	written := strings.TrimSuffix(strings.TrimPrefix(string(list), "- "), "\n")
	if q.size.Load() < maxQuotes {
		q.size.Add(1)
		q.known.Store(text, written)
	}
	return written, nil
}

// obvious reports whether a simple string needs no quotes at first sight: it begins with a letter, is no word of YAML,
// and neither a key nor a comment begins in it.
func obvious(text string) bool {
	if text == "" || !isLetter(text[0]) || yamlWord(text) {
		return false
	}
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case ':':
			if i+1 == len(text) || text[i+1] == ' ' {
				return false
			}
		case '#':
			if text[i-1] == ' ' {
				return false
			}
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

func isLetter(c byte) bool {
	c |= 'a' - 'A' // in small letters
	return 'a' <= c && c <= 'z'
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// yamlWord reports whether YAML may read a word as something else than a string.
func yamlWord(text string) bool {
	switch strings.ToLower(text) {
	case "y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf":
		return true
	}
	return false
}
