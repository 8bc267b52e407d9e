package skew_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/cmd/transom/internal/skew"
	"transom.dev/cmd/transom/internal/terminal"
	"transom.dev/reconciler/status"
	"transom.dev/render/gate"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

func TestSkewCountsWhatIsAskedForTakenAndHealthy(t *testing.T) {
	on := func(cluster string, stage status.Stage, health state.Health) status.Placement {
		return status.Placement{Cluster: cluster, Revision: "sha256:r", Stage: stage, Health: health}
	}
	instance := func(environment, request, version string, placements ...status.Placement) status.Instance {
		return status.Instance{
			Environment: environment, Request: platform.RequestKey{Team: "demo", Name: request}, Offering: "gear", Version: version,
			Placements: placements,
		}
	}
	late := on("east", status.Committed, "Unknown")
	late.Version = "1.2.0" // its wave is to come
	leaving := on("west", status.Applied, "Healthy")
	leaving.Revision = ""
	waits := instance("prod", "two", "1.2.0", on("east", status.Healthy, "Healthy"))
	waits.Candidate = &status.Candidate{Version: "1.10.0"}
	waits.Waiting = []status.Gate{{Name: gate.Soak}, {Name: gate.Approval}, {Name: gate.Soak}}
	other := instance("prod", "lever", "9.0.0", on("east", status.Healthy, "Healthy"))
	other.Offering = "lever"

	found := skew.Of(status.Status{
		Environments: []status.Environment{{Name: "prod"}, {Name: "dev"}},
		Instances: []status.Instance{
			instance("dev", "one", "1.10.0", on("local", status.Healthy, "Healthy")),
			instance("prod", "one", "1.10.0", late, on("west", status.Applied, "Progressing"), leaving),
			waits, other,
		},
	}, "gear")
	require.Equal(t, []skew.Row{
		{Environment: "prod", Cluster: "east", Version: "1.2.0", Desired: 2, Applied: 1, Healthy: 1},
		{Environment: "prod", Cluster: "west", Version: "1.10.0", Desired: 1, Applied: 1},
		{Environment: "prod", Version: "1.10.0", Waiting: 1, Gates: []gate.Name{gate.Approval, gate.Soak}},
		{Environment: "dev", Cluster: "local", Version: "1.10.0", Desired: 1, Applied: 1, Healthy: 1},
	}, found.Rows)

	var out bytes.Buffer
	found.Text(&out, terminal.Paint{})
	require.Equal(t, `gear
ENVIRONMENT  CLUSTER  VERSION  DESIRED  APPLIED  HEALTHY  WAITING
prod         east     1.2.0    2        1        1        
prod         west     1.10.0   1        1        0        
prod         -        1.10.0                              1 for approval, soak
dev          local    1.10.0   1        1        1        
`, out.String())
}
