package platform_test

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/render/platform"
)

// TestADigestIsOfWhatIsMeant however it is kept: as generic maps, or behind a type that says the same in JSON.
func TestADigestIsOfWhatIsMeant(t *testing.T) {
	for _, v := range []any{
		nil, "", "a\u2028<&>\u0085", "\xff", 1, int64(math.MaxInt64), math.Copysign(0, -1), 1e21, 1e-7, 100000000000000000000.0, true,
		[]string{"b", "a\xff"},
		[]any{nil, map[string]any{}},
		map[string]any{"b": 1.5, "a": []any{int64(1), "x"}, "\u00e9": map[string]any{"z": nil, "\xff": "y"}},
	} {
		require.Equal(t, platform.Digest(behind{v}), platform.Digest(v), "%v", v)
	}
}

type behind struct{ value any }

func (b behind) MarshalJSON() ([]byte, error) { return json.Marshal(b.value) }

func TestDigestIsOfContent(t *testing.T) {
	type b struct {
		Z int    `json:"z"`
		A string `json:"a"`
	}
	require.Equal(t, platform.Digest(map[string]any{"a": "<x>", "z": int64(1)}), platform.Digest(b{Z: 1, A: "<x>"}))
	require.NotEqual(t, platform.Digest(map[string]any{"a": int64(9007199254740993)}), platform.Digest(map[string]any{"a": int64(9007199254740992)}))
	require.Equal(t, "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a", platform.Digest(map[string]any{}))
}
