package platform_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/render/platform"
)

func TestDifferencesNameWhatARequestSetsOtherwise(t *testing.T) {
	const image = "registry.acme.example/payments/checkout/application"
	before := &platform.RequestSpec{
		Parameters: map[string]any{"image": image + ":1", "size": "small", "ports": []any{int64(80)}, "tls": map[string]any{"issuer": "a"}},
		Bindings:   map[string]string{"cache": "sessions"},
		Environments: map[string]platform.RequestEnvironment{
			"dev": {}, "prod": {Parameters: map[string]any{"size": "large", "tls": map[string]any{"issuer": nil}}},
		},
	}
	after := &platform.RequestSpec{
		Parameters: map[string]any{"image": image + ":2", "size": "medium", "ports": []any{int64(80), int64(81)}, "note": "a\nb", "tls": map[string]any{"issuer": "b"}},
		Bindings:   map[string]string{"cache": "results"},
		Environments: map[string]platform.RequestEnvironment{
			"dev": {}, "prod": {Parameters: map[string]any{"size": "large", "tls": map[string]any{"issuer": nil}}},
		},
	}
	said := func(list []platform.Difference) (lines []string) {
		for _, d := range list {
			lines = append(lines, d.String())
		}
		return lines
	}
	require.Equal(t, []string{
		"bindings.cache: sessions → results",
		"parameters.image: …/application:1 → …/application:2",
		`parameters.note: "a\nb"`,
		"parameters.ports: [80] → [80,81]",
		"parameters.size: small → medium",
		"parameters.tls.issuer: a → b",
	}, said(platform.Differences("dev", before, after)))
	require.NotContains(t, strings.Join(said(platform.Differences("prod", before, after)), "\n"), "size", "prod sets its own")
	require.Contains(t, said(platform.Differences("dev", after, before)), `parameters.note: no longer "a\nb"`)
	require.Equal(t, image+":2", platform.Differences("dev", before, after)[1].After, "data is whole")
	require.Empty(t, platform.Differences("dev", before, before))
	require.Empty(t, platform.Differences("dev", nil, after), "what was not there before does not differ from it")
}

func TestLongValuesAreShortenedInALine(t *testing.T) {
	long := strings.Repeat("é", 400)
	line := platform.Difference{Field: "parameters.text", Before: "short", After: long}.String()
	require.Less(t, len([]rune(line)), 100)
	require.True(t, strings.HasSuffix(line, "é…"), line)
}
