package platform_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
	"golang.org/x/tools/txtar"

	"transom.dev/render/platform"
)

// TestALongTextIsAMistakeOfItsRequest, at its field, and no work of the version.
func TestALongTextIsAMistakeOfItsRequest(t *testing.T) {
	files := repository(t, &txtar.Archive{})
	put := func(name, before, after string) {
		text := string(files[name].Data)
		require.Contains(t, text, before)
		files[name] = &fstest.MapFile{Data: []byte(strings.ReplaceAll(text, before, after))}
	}
	put("offerings/postgres/1.5.0/version.yaml", "x-kubernetes-validations:", "x-kubernetes-validations:\n    - {rule: 'self.tier.indexOf(self.tier) == 0'}")
	put("offerings/postgres/1.5.0/version.yaml", "tier: {type: string, enum: [small, large], default: small}", "tier: {type: string, default: small, maxLength: 20000}")
	put("requests/payments/orders-db.yaml", "dev: {}", "dev: {parameters: {tier: "+strings.Repeat("a", 9000)+"}}")
	p, err := platform.Load(files)
	require.NoError(t, err)
	require.Len(t, p.Problems, 1)
	require.Equal(t, "requests/payments/orders-db.yaml", p.Problems[0].File)
	require.Equal(t, "spec.environments.dev.parameters.tier", p.Problems[0].Field)
	require.Contains(t, p.Problems[0].Message, "has 9000 bytes of text, and a rule of the schema looks for texts")
	require.NotContains(t, p.Problems[0].Message, "as each request may take")
}
