package catalog_test

import (
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"transom.dev/cmd/transom/internal/catalog"
	"transom.dev/cmd/transom/internal/terminal"
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

// TestQuotasSayHowARequestCounts, where no amount is written, too.
func TestQuotasSayHowARequestCounts(t *testing.T) {
	p, err := platform.Load(fstest.MapFS{"policies/few.yaml": {Data: []byte(`apiVersion: transom.dev/v1alpha1
kind: Policy
metadata: {name: few}
spec:
  quotas:
  - {most: 3, message: remove one first}
  - {each: environment, amount: 'parameters.size', most: 30Gi, message: ask for less}
  action: deny
`)}})
	require.NoError(t, err)
	var text strings.Builder
	catalog.RulesOf(p).Text(&text, terminal.Paint{})
	require.Contains(t, text.String(), "    at most 3 for each team: remove one first\n    each request counts as one\n")
	require.Contains(t, text.String(), "    at most 30Gi for each environment: ask for less\n    a request counts as parameters.size\n")
}
