package tree_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/cmd/transom/internal/tree"
	"transom.dev/reconciler/status"
)

func TestGateThatOpensByItselfSaysWhen(t *testing.T) {
	now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.Local)
	var out strings.Builder
	p := tree.Printer{W: &out, Open: true, Now: now}
	p.Status(status.Status{Instances: []status.Instance{{Environment: "prod", Waiting: []status.Gate{
		{Name: "window", Reason: "closed", Since: now.Add(-time.Minute), At: now.Add(90 * time.Minute)},
	}}}}, true)
	require.Contains(t, out.String(), "window: closed, for 1m; opens by itself in 1h, at 2026-11-22 10:30:00\n")
}
