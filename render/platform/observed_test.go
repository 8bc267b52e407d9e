package platform_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/render/platform"
)

func TestAnObservedValueIsReadAtItsPath(t *testing.T) {
	object := map[string]any{"status": map[string]any{
		"endpoint": "db.example.com", "port": int64(5432), "ready": true, "share": 0.5, "nothing": nil, "empty": "",
		"long": strings.Repeat("x", 4<<10+1), "most": strings.Repeat("x", 4<<10), "lines": "a\nb", "bell": "a\x07b", "tab": "a\tb", "turned": "a\u202eb",
		"broken": "a\xffb", "addresses": []any{map[string]any{"value": "10.0.0.1"}}, "grid": []any{[]any{"a", "b"}},
	}}
	for _, c := range []struct {
		kind, path, pattern string
		value               any
		fault               string
	}{
		{kind: "string", path: "status.endpoint", value: "db.example.com"},
		{kind: "string", path: "status.endpoint", pattern: `^db\.`, value: "db.example.com"},
		{kind: "string", path: "status.addresses[0].value", value: "10.0.0.1"},
		{kind: "string", path: "status.grid[0][1]", value: "b"},
		{kind: "integer", path: "status.port", value: int64(5432)},
		{kind: "boolean", path: "status.ready", value: true},
		{kind: "string", path: "status.most", value: strings.Repeat("x", 4<<10)},

		{kind: "string", path: "status.address", fault: "status.address is missing"},
		{kind: "string", path: "status.endpoint.host", fault: "status.endpoint.host is missing"},
		{kind: "string", path: "status.nothing", fault: "status.nothing is null"},
		{kind: "string", path: "status.empty", fault: "status.empty is empty"},
		{kind: "string", path: "status.addresses.value", fault: "status.addresses is a list; the path needs an index, such as status.addresses[0]"},
		{kind: "string", path: "status.addresses[1].value", fault: "status.addresses[1] is missing"},
		{kind: "string", path: "status.endpoint[0]", fault: "status.endpoint is no list"},
		{kind: "string", path: "status.addresses", fault: "status.addresses is a list, not of type string"},
		{kind: "string", path: "status.port", fault: "status.port is an integer, not of type string"},
		{kind: "integer", path: "status.endpoint", fault: "status.endpoint is a string, not of type integer"},
		{kind: "integer", path: "status.share", fault: "status.share is a number, not of type integer"},
		{kind: "boolean", path: "status.addresses[0]", fault: "status.addresses[0] is an object, not of type boolean"},
		{kind: "string", path: "status.long", fault: "status.long has 4097 bytes; at most 4096"},
		{kind: "string", path: "status.lines", fault: "status.lines has control characters or line breaks"},
		{kind: "string", path: "status.bell", fault: "status.bell has control characters or line breaks"},
		{kind: "string", path: "status.tab", fault: "status.tab has control characters or line breaks"},
		{kind: "string", path: "status.turned", fault: "status.turned has control characters or line breaks"},
		{kind: "string", path: "status.broken", fault: "status.broken has control characters or line breaks"},
		{kind: "string", path: "status.endpoint", pattern: `^[0-9.]+$`, fault: "status.endpoint does not match ^[0-9.]+$"},
	} {
		o := platform.ObservedOutput{Name: "o", Type: c.kind, Pattern: c.pattern, Group: "example.com", Kind: "Claim", Path: c.path}
		value, fault := o.Read(object)
		require.Equal(t, c.fault, fault, c.path)
		require.Equal(t, c.value, value, c.path)
		if fault == "" {
			require.True(t, o.Accepts(value), c.path)
		}
	}
	_, fault := platform.ObservedOutput{Type: "string", Path: "status.endpoint"}.Read(map[string]any{})
	require.Equal(t, "status is missing", fault)
}
