package plan

import (
	"fmt"
	"net/url"
	"strings"
	"unicode"

	"transom.dev/render/platform"
)

// nothing is a space without width: it parts characters that a forge takes for a link or a mention, and nobody sees it.
const nothing = "&#8203;"

// lineBreaks makes one line of a text.
var lineBreaks = strings.NewReplacer("\n", " ", "\r", " ")

// quote makes text that people wrote mean nothing in the Markdown and HTML of a comment, and to the forge that shows it: no
// markup, no link, no mention of a person or a team, no reference to an issue, no command.
func quote(text string) string {
	var out strings.Builder
	runes := []rune(lineBreaks.Replace(text))
	for i, r := range runes {
		switch {
		case strings.ContainsRune("\\`*_[]<>|", r):
			fmt.Fprintf(&out, "&#%d;", r)
		case strings.ContainsRune("&~", r):
			fmt.Fprintf(&out, "&#%d;%s", r, nothing)
		case strings.ContainsRune("@#!$%", r) && isWord(runes, i+1):
			out.WriteString(string(r) + nothing)
		case r == ':' && strings.HasPrefix(string(runes[i:min(len(runes), i+3)]), "://"):
			out.WriteString(":" + nothing)
		case r == '.' && i >= 3 && strings.EqualFold(string(runes[i-3:i]), "www"):
			out.WriteString(nothing + ".")
		case r == '/' && i == 0:
			out.WriteString(nothing + "/") // GitLab takes a line that begins so for a command
		default:
			out.WriteRune(r)
		}
	}
	return out.String()
}

// isWord says whether a word, in quotes or not, begins at a position of a text.
func isWord(runes []rune, at int) bool {
	return at < len(runes) && (unicode.IsLetter(runes[at]) || unicode.IsDigit(runes[at]) || runes[at] == '"')
}

// code is text that is shown as it is.
func code(text string) string {
	text = strings.TrimSpace(lineBreaks.Replace(text))
	fence := "`"
	for strings.Contains(text, fence) {
		fence += "`"
	}
	if len(fence) > 1 {
		text = " " + text + " "
	}
	return fence + text + fence
}

// linked is a Problem as a line that leads to its file and line, where the files of the plan can be seen.
func linked(p platform.Problem, files string) string {
	text := p.String()
	if p.File == "" || !strings.HasPrefix(text, p.File) {
		return "- " + quote(text)
	}
	position, address := p.File, files
	for part := range strings.SplitSeq(p.File, "/") {
		address += "/" + url.PathEscape(part)
	}
	if p.Line > 0 {
		position, address = fmt.Sprintf("%s:%d", p.File, p.Line), fmt.Sprintf("%s#L%d", address, p.Line)
	}
	rest, _ := strings.CutPrefix(text, position)
	return fmt.Sprintf("- [%s](%s)%s", quote(position), strings.NewReplacer("(", "%28", ")", "%29").Replace(address), quote(rest))
}
