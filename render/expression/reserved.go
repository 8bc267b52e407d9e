package expression

import (
	"regexp"
	"strings"
)

// CEL reserves the word namespace, which instances live in and a rendering's Inputs have as a field. So that expressions may
// say it all the same, the variable has another name of the same length inside, which keeps columns right. (CEL reserves it
// for the variable only; metadata.namespace needs nothing.)
const insideNamespace = "namespac_"

// celTokens finds the tokens that are no identifiers: strings, raw ones first, comments, quoted fields, selections.
var celTokens = regexp.MustCompile(`(?s)` + strings.Join([]string{
	`\b(?:[rR][bB]?|[bB][rR])(?:""".*?"""|'''.*?'''|"[^"\n]*"|'[^'\n]*')`,
	`"""(?:\\.|[^\\])*?"""|'''(?:\\.|[^\\])*?'''|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'`,
	"`[^`\n]*`", `//[^\n]*`, `\.\s*[A-Za-z_][A-Za-z0-9_]*`, `[A-Za-z_][A-Za-z0-9_]*`,
}, "|"))

func hideNamespace(source string) string {
	if !strings.Contains(source, "namespace") {
		return source
	}
	return celTokens.ReplaceAllStringFunc(source, func(token string) string {
		if token == "namespace" {
			return insideNamespace
		}
		return token
	})
}

func showNamespace(text string) string { return strings.ReplaceAll(text, insideNamespace, "namespace") }
