package demo_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/cmd/transom/internal/demo"
	"transom.dev/reconciler/status"
	"transom.dev/render/event"
	"transom.dev/render/platform"
)

// TestTheDemoTellsOfRollbacks although more happens right afterwards: of many steps the last one is told, of failures each.
func TestTheDemoTellsOfRollbacks(t *testing.T) {
	shop, began := platform.RequestKey{Team: "store", Name: "shop"}, time.Date(2026, 1, 2, 15, 0, 0, 0, time.UTC)
	at := func(ms int, kind event.Kind, message string) status.Event {
		return status.Event{At: began.Add(time.Duration(ms) * time.Millisecond), Kind: kind, Environment: "prod", Request: &shop, Message: message}
	}
	events := []status.Event{
		at(1, "", "enters"), at(2, "", "applies"), at(3, event.Failed, "rejected"), at(4, event.RolledBack, "rolled back"),
		at(5, "", "applies again"), at(6, "", "healthy"),
	}
	require.Empty(t, demo.Printed(events, began.Add(time.Second)))
	require.Equal(t, []string{"rejected", "rolled back", "healthy"}, demo.Printed(events, began.Add(2*time.Second)))
}
