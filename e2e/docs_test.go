package e2e_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"
)

// The documents that name code.
var documents = []string{
	".github/CONTRIBUTING.md", "reconciler/ARCHITECTURE.md", "reconciler/promotion/RULES.md",
}

var (
	block      = regexp.MustCompile("(?s)\n```.*?\n```")
	quoted     = regexp.MustCompile("`([^`\n]+)`")
	call       = regexp.MustCompile(`\b([A-Za-z]\w*(?:\.[A-Za-z]\w*)*)\(`)
	identifier = regexp.MustCompile(`^([A-Za-z]\w*)(\.[A-Za-z]\w*)*$`)
	link       = regexp.MustCompile(`\]\(([^)#:]+)\)`)
)

func TestDocumentsNameCodeThatIsThere(t *testing.T) {
	require.Empty(t, dangling(t, os.DirFS(".."), documents...))
}

// TestArchitectureNamesEveryPackage so that a new package gets its line there.
func TestArchitectureNamesEveryPackage(t *testing.T) {
	content, err := os.ReadFile("../reconciler/ARCHITECTURE.md")
	require.NoError(t, err)
	for pkg := range arrows {
		require.Contains(t, string(content), "`"+pkg+"`")
	}
}

// dangling are the names of code in documents that a repository does not have: quoted paths, quoted identifiers that are
// exported or in camel case, calls in the drawings of ARCHITECTURE.md, and links to files.
func dangling(t *testing.T, repository fs.FS, documents ...string) (found []string) {
	t.Helper()
	declared := declarations(t, repository)
	for _, document := range documents {
		content, err := fs.ReadFile(repository, document)
		require.NoError(t, err)
		var names []string
		if path.Base(document) == "ARCHITECTURE.md" {
			for _, drawing := range block.FindAllString(string(content), -1) {
				for _, match := range call.FindAllStringSubmatch(drawing, -1) {
					names = append(names, match[1])
				}
			}
		}
		text := block.ReplaceAllString(string(content), "")
		for _, match := range link.FindAllStringSubmatch(text, -1) {
			if !exists(repository, path.Join(path.Dir(document), match[1])) {
				found = append(found, document+": "+match[1])
			}
		}
		for _, match := range quoted.FindAllStringSubmatch(text, -1) {
			switch name := strings.TrimSuffix(match[1], "()"); {
			case isPath(repository, name):
				if !exists(repository, name) && !exists(repository, path.Join(path.Dir(document), name)) {
					found = append(found, document+": "+name)
				}
			case identifier.MatchString(name) && strings.ContainsFunc(name, unicode.IsUpper) && !strings.HasPrefix(name, "fs."):
				names = append(names, name)
			}
		}
		for _, name := range names {
			for _, part := range strings.Split(name, ".") {
				if !declared[strings.ToLower(part[:1])+part[1:]] {
					found = append(found, document+": "+name)
					break
				}
			}
		}
	}
	return found
}

// isPath reports whether quoted text is meant as a path in the repository: its first folder is one, or it is a Go file.
func isPath(repository fs.FS, name string) bool {
	first, _, below := strings.Cut(name, "/")
	if strings.ContainsAny(name, " <>:{") || !fs.ValidPath(name) {
		return false
	}
	built := first == "bin" // by make, and not in the repository
	return below && !built && exists(repository, first) || path.Ext(name) == ".go"
}

// exists reports whether a path is there, which may have * in it, or NAME for any name.
func exists(repository fs.FS, name string) bool {
	matches, err := fs.Glob(repository, path.Clean(strings.ReplaceAll(name, "NAME", "*")))
	return err == nil && len(matches) > 0
}

// declarations are the names of the repository's packages, types, functions, methods, fields, constants and variables, and
// of the files' own packages, with a small first letter: YAML has the fields that way.
func declarations(t *testing.T, repository fs.FS) map[string]bool {
	t.Helper()
	declared := map[string]bool{}
	add := func(names ...*ast.Ident) {
		for _, name := range names {
			declared[strings.ToLower(name.Name[:1])+name.Name[1:]] = true
		}
	}
	eachFile(t, repository, token.NewFileSet(), parser.SkipObjectResolution, func(_ string, file *ast.File) {
		add(file.Name)
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				add(n.Name)
			case *ast.TypeSpec:
				add(n.Name)
			case *ast.ValueSpec:
				add(n.Names...)
			case *ast.Field:
				add(n.Names...)
			}
			return true
		})
	})
	return declared
}

func TestDanglingNamesAreFound(t *testing.T) {
	repository := tree(map[string]string{
		"fleet/fleet.go": "package fleet\ntype Fleet struct{ MaxFailures int }\nfunc (f *Fleet) Deploy() {}\n",
		"ARCHITECTURE.md": "`fleet.Fleet` and `Fleet.Deploy()` of `fleet/fleet.go`, `maxFailures`, `make test`, [it](fleet/fleet.go)\n" +
			"`Fleet.Undo`, `fleet/gone.go`, `Gone`, [gone](gone.md)\n" +
			"```\nFleet.Deploy(x) → Fleet.Redo(y)\n```\n",
	})
	require.Equal(t, []string{
		"ARCHITECTURE.md: gone.md", "ARCHITECTURE.md: fleet/gone.go", "ARCHITECTURE.md: Fleet.Redo", "ARCHITECTURE.md: Fleet.Undo", "ARCHITECTURE.md: Gone",
	}, dangling(t, repository, "ARCHITECTURE.md"))
}
