package e2e_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const contributing = ".github/CONTRIBUTING.md"

// TestCodeUsesAWordForOneThing: the table of CONTRIBUTING says which packages name things with a word that English gives several
// meanings.
func TestCodeUsesAWordForOneThing(t *testing.T) {
	require.Empty(t, misnamed(t, os.DirFS("..")))
}

func TestCodeWithAWordForTwoThingsIsFound(t *testing.T) {
	require.Equal(t, []string{
		`fleet/fleet.go: HoldUp: "hold" is for reconciler, render`,
		`fleet/fleet.go: held: "held" is for reconciler, render`,
		`fleet/fleet.go: theHold: "hold" is for reconciler, render`,
		"render: .github/CONTRIBUTING.md says that names there have hold, held, and none has",
	}, misnamed(t, tree(map[string]string{
		contributing:              "| words | meaning | in | not for |\n|---|---|---|---|\n| hold, held | a Hold | `reconciler`, `render` | to have |\n",
		"fleet/fleet.go":          "package fleet\ntype theHold interface{ HoldUp() }\ntype Threshold struct{ held bool }\nfunc withhold(held bool) { hold := held; _ = hold }\n",
		"fleet/fleet_test.go":     "package fleet\nfunc hold() {}\n",
		"reconciler/reconcile.go": "package reconciler\nfunc mayHold() {}\n",
	})))
}

// An owned word may be part of names in some packages only.
type ownedWord struct {
	words, packages []string
}

var (
	rowOfWords = regexp.MustCompile("(?m)^\\| ([a-z, ]+) \\|[^|]+\\| ((?:`[a-z/0-9]+`(?:, )?)+) \\|[^|]+\\|$")
	wordOfName = regexp.MustCompile(`[A-Z]?[a-z0-9]+|[A-Z]+`)
)

// misnamed finds the types, functions and fields with a word in their name whose package is not one of its owners, and owners that
// name nothing by it, sorted.
func misnamed(t *testing.T, repository fs.FS) (found []string) {
	t.Helper()
	document, err := fs.ReadFile(repository, contributing)
	require.NoError(t, err)
	var owned []ownedWord
	for _, row := range rowOfWords.FindAllStringSubmatch(string(document), -1) {
		owned = append(owned, ownedWord{strings.Split(row[1], ", "), strings.Split(strings.ReplaceAll(row[2], "`", ""), ", ")})
	}
	require.NotEmpty(t, owned, "the table of words")
	used := map[string]bool{}
	eachFile(t, repository, token.NewFileSet(), parser.SkipObjectResolution, func(name string, file *ast.File) {
		if strings.HasSuffix(name, "_test.go") {
			return
		}
		for _, declared := range namesOf(file) {
			for _, w := range wordOfName.FindAllString(declared, -1) {
				for _, o := range owned {
					if !slices.Contains(o.words, strings.ToLower(w)) {
						continue
					}
					used[path.Dir(name)+o.words[0]] = true
					if !slices.Contains(o.packages, path.Dir(name)) {
						found = append(found, fmt.Sprintf("%s: %s: %q is for %s", name, declared, strings.ToLower(w), strings.Join(o.packages, ", ")))
					}
				}
			}
		}
	})
	for _, o := range owned {
		for _, pkg := range o.packages {
			if !used[pkg+o.words[0]] {
				found = append(found, fmt.Sprintf("%s: %s says that names there have %s, and none has", pkg, contributing, strings.Join(o.words, ", ")))
			}
		}
	}
	slices.Sort(found)
	return found
}

// namesOf lists the types, functions, methods and fields that a file declares.
func namesOf(file *ast.File) (names []string) {
	fields := func(list *ast.FieldList) {
		for _, field := range list.List {
			for _, name := range field.Names {
				names = append(names, name.Name)
			}
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			names = append(names, n.Name.Name)
		case *ast.TypeSpec:
			names = append(names, n.Name.Name)
		case *ast.StructType:
			fields(n.Fields)
		case *ast.InterfaceType:
			fields(n.Methods)
		}
		return true
	})
	return names
}
