package catalog_test

import (
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/cmd/transom/internal/catalog"
	"transom.dev/render/platform"
)

// TestBuiltInRulesAreTheOnesThatAct: each is the rule of a Problem that rendering or loading can have, but for labels,
// which are set and so cannot be wrong.
func TestBuiltInRulesAreTheOnesThatAct(t *testing.T) {
	var sources strings.Builder
	render := os.DirFS("../../../../render")
	err := fs.WalkDir(render, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return err
		}
		content, err := fs.ReadFile(render, name)
		sources.Write(content)
		return err
	})
	require.NoError(t, err)
	for _, rule := range catalog.RulesOf(&platform.Platform{}).BuiltIn {
		require.NotEmpty(t, rule.Says)
		if rule.Rule != "labels" {
			require.Contains(t, sources.String(), `"`+rule.Rule+`"`)
		}
	}
}
