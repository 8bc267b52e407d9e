package e2e_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestCodeEndsIdleConnections: each HTTP transport of the daemon says when a connection without a request ends, as one without that keeps
// them for ever. Clusters have client-go's, and the rest the default transport, where it is 90 s.
func TestCodeEndsIdleConnections(t *testing.T) {
	files, transports := token.NewFileSet(), 0
	eachFile(t, os.DirFS(".."), files, parser.SkipObjectResolution, func(name string, file *ast.File) {
		if strings.HasSuffix(name, "_test.go") {
			return
		}
		ast.Inspect(file, func(n ast.Node) bool {
			literal, ok := n.(*ast.CompositeLit)
			if !ok {
				return true
			}
			named, ok := literal.Type.(*ast.SelectorExpr)
			if !ok || named.Sel.Name != "Transport" {
				return true
			}
			if from, ok := named.X.(*ast.Ident); !ok || from.Name != "http" {
				return true
			}
			transports++
			require.True(t, slices.ContainsFunc(literal.Elts, func(field ast.Expr) bool {
				pair, ok := field.(*ast.KeyValueExpr)
				if !ok {
					return false
				}
				name, ok := pair.Key.(*ast.Ident)
				return ok && name.Name == "IdleConnTimeout"
			}), "%s: an http.Transport without IdleConnTimeout", files.Position(literal.Pos()))
			return true
		})
	})
	require.Greater(t, transports, 3)
}
