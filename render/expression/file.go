package expression

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"unicode/utf8"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"

	"transom.dev/render/wording"
)

// maxText bounds a file that an expression reads. A ConfigMap has no room for four of them.
const maxText = 256 << 10

// fileFunction declares file(path): the text of a file that ships with the version.
func fileFunction(files fs.FS) cel.EnvOption {
	return cel.Function("file", cel.Overload("file_string", []*cel.Type{cel.StringType}, cel.StringType,
		cel.UnaryBinding(func(path ref.Val) ref.Val {
			text, err := readText(files, string(path.(types.String)))
			if err != nil {
				return types.WrapErr(err)
			}
			return types.String(text)
		})))
}

func readText(files fs.FS, name string) (string, error) {
	if !fs.ValidPath(name) || name == "." || strings.Contains(name, "\\") {
		return "", fmt.Errorf("file(%q) must be a path inside the version", wording.Shorten(name))
	}
	info, err := fs.Stat(files, name)
	isDir := err == nil && info.IsDir()
	switch {
	case isDir, errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("there is no file %q in the version%s", wording.Shorten(name), wording.Suggest(name, allFiles(files)))
	case err == nil && info.Size() > maxText:
		return "", fmt.Errorf("file(%q) is larger than 256 KiB", wording.Shorten(name))
	}
	text, err := fs.ReadFile(files, name)
	if err == nil && !utf8.Valid(text) {
		err = fmt.Errorf("file(%q) is no UTF-8 text", wording.Shorten(name))
	}
	return string(text), err
}

func allFiles(files fs.FS) (names []string) {
	// The files of a version are in memory: walking over them cannot fail.
	_ = fs.WalkDir(files, ".", func(name string, _ fs.DirEntry, err error) error {
		names = append(names, name)
		return err
	})
	return names
}

// checkFiles reads the files that an expression names by a literal.
func (s *Scope) checkFiles(a *ast.AST) error {
	if s.files == nil {
		return nil
	}
	for _, e := range ast.MatchDescendants(ast.NavigateAST(a), ast.FunctionMatcher("file")) {
		for _, argument := range e.AsCall().Args() {
			if argument.Kind() != ast.LiteralKind {
				continue
			}
			if name, ok := argument.AsLiteral().(types.String); ok {
				if _, err := readText(s.files, string(name)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
