package fieldpath_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/render/internal/fieldpath"
)

func TestPathsLeadToValues(t *testing.T) {
	value := map[string]any{"a": map[string]any{"b.c": "x", "b": map[string]any{"c": "y", "d": "z"}}, "list": []any{map[string]any{"e": int64(1)}}}
	for path, want := range map[string]any{"a.b.c": "x", "a.b.d": "z", "a.b.e": nil, "list[0].e": int64(1), "list[1]": nil, "list[-1]": nil, "list.e": nil, "list[0": nil, "a[0]": nil, "": value} {
		got, ok := fieldpath.Lookup(value, path)
		require.Equal(t, want != nil, ok, path)
		require.Equal(t, want, got, path)
	}
	require.Equal(t, "list[0].e", fieldpath.Join(fieldpath.Index(fieldpath.Join("", "list"), 0), "e"))
}

func TestTheLongestKeyWins(t *testing.T) {
	keys := map[string]int{"prod": 1, "prod.eu": 2, "pro": 3}
	for path, want := range map[string]string{"prod.version": "prod", "prod.eu.version": "prod.eu", "production": "", "prod.europe": "prod", "prod[0]": "prod", "": ""} {
		require.Equal(t, want, fieldpath.FirstKey(keys, path), path)
	}
}
