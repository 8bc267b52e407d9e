package promotion_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	defines = regexp.MustCompile(`(?m)^\*\*(R\d+)\.`)
	mention = regexp.MustCompile(`\bR\d+\b`)
)

// TestEveryRuleIsNamedByATest keeps RULES.md and the tests of this package together: the comment of some function of the tests
// names every rule, and none names a rule that is not there. Rules may refer only to rules that are there.
func TestEveryRuleIsNamedByATest(t *testing.T) {
	text, err := os.ReadFile("RULES.md")
	require.NoError(t, err)
	rules := map[string]bool{}
	for _, rule := range defines.FindAllStringSubmatch(string(text), -1) {
		require.NotContains(t, rules, rule[1], "RULES.md has a number twice")
		rules[rule[1]] = true
	}
	require.NotEmpty(t, rules)
	for _, number := range mention.FindAllString(string(text), -1) {
		require.Contains(t, rules, number, "RULES.md refers to a rule that is not there")
	}
	named := map[string]bool{}
	for number, function := range namedByTests(t) {
		require.Contains(t, rules, number, "%s names a rule that is not there", function)
		named[number] = true
	}
	for rule := range rules {
		require.Contains(t, named, rule, "no test names this rule")
	}
}

// namedByTests are the rules that comments of functions in tests name, with one function for each.
func namedByTests(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("*_test.go")
	require.NoError(t, err)
	named := map[string]string{}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments|parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, declaration := range file.Decls {
			if function, ok := declaration.(*ast.FuncDecl); ok {
				for _, number := range mention.FindAllString(function.Doc.Text(), -1) {
					named[number] = name + ": " + function.Name.Name
				}
			}
		}
	}
	return named
}
