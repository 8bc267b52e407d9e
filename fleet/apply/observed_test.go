package apply_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/fleet/apply"
	"transom.dev/render/platform"
)

// TestTheValueOfAnOutputIsReadFromTheStatusOfItsObject also shows that it costs no request: the watch that health has brings it.
func TestTheValueOfAnOutputIsReadFromTheStatusOfItsObject(t *testing.T) {
	r := newRig(t, &apiOnly)
	r.install("Namespaced")
	in := r.of(1, platform.Health{Healthy: "has(status.ready)"})
	in.Observes = []platform.ObservedOutput{
		{Name: "endpoint", Type: "string", Group: r.team + ".example.com", Kind: "Widget", Path: "status.endpoint"},
		{Name: "ports", Type: "integer", Group: r.team + ".example.com", Kind: "Widget", Path: "status.ports[0]"},
		{Name: "other", Type: "string", Group: "other.example.com", Kind: "Widget", Path: "status.endpoint"},
	}
	r.applied(in)
	r.widgetStatus("web", `{"ready":true,"endpoint":"db.example.com","ports":[5432]}`)
	result := r.healthy(in)
	none := apply.Told{Fault: "the revision has 0 objects of the kind Widget.other.example.com and not one"}
	require.Equal(t, map[string]apply.Told{"endpoint": {Value: "db.example.com"}, "ports": {Value: int64(5432)}, "other": none}, result.Told)

	r.calls.take()
	r.widgetStatus("web", `{"endpoint":null,"ports":"none"}`)
	result = r.until(in, func(now apply.Result) bool { return now.Told["endpoint"].Fault != "" })
	require.Equal(t, map[string]apply.Told{
		"endpoint": {Fault: "status.endpoint is missing"}, "ports": {Fault: "status.ports is no list"}, "other": none,
	}, result.Told)
	require.Empty(t, r.calls.take())

	in.Absent = true
	require.Empty(t, r.visit(in).Told)
}
