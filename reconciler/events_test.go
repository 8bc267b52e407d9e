package reconciler_test

import (
	"bytes"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler"
	"transom.dev/reconciler/status"
	"transom.dev/render/platform"
)

func TestOperatorsHearOfAlarmsAlone(t *testing.T) {
	var log bytes.Buffer
	r := &reconciler.Reconciler{Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		},
	}))}
	r.LogEvent(status.Event{Message: "committed"})
	r.LogEvent(status.Event{Level: status.Warning, Environment: "dev", Request: &platform.RequestKey{Team: "payments", Name: "shop"}, Message: "taken back"})
	r.LogEvent(status.Event{Level: status.Error, Cluster: "one", Message: "not reachable"})
	require.Equal(t, "level=WARN msg=\"taken back\" environment=dev team=payments request=shop\n"+
		"level=ERROR msg=\"not reachable\" cluster=one\n", log.String())
}
