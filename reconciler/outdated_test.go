package reconciler_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/fleet"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// TestADeadlineRunsWhileSomebodyLooks and stops when something happened to an instance that no pass has looked at.
func TestADeadlineRunsWhileSomebodyLooks(t *testing.T) {
	s := newSystem(t)
	var ahead atomic.Int64
	s.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	files := consumers(1)
	s.begins(files)
	s.rests("dev")

	var last atomic.Pointer[fleet.Result]
	s.fleet.says(func(r fleet.Result) {
		r.Began, r.At = time.Now(), time.Now()
		if r.Request == "r0000" {
			r.Health, r.Message = state.Progressing, "it comes up"
			last.Store(&r)
		}
		s.Placed(r)
	})
	const request = "requests/payments/r0000.yaml"
	files[request] = []byte(strings.ReplaceAll(string(files[request]), "hello", "welcome"))
	s.merges("another text", files)
	cause := func() state.Cause {
		for range 2 { // once the second is begun, the first has told all it did
			files["README.md"] = append(files["README.md"], '\n')
			s.merges("words", files)
		}
		return s.Board.Status().Instances[0].Rollout.Cause
	}
	require.Equal(t, state.CauseRelease, cause())
	s.fleet.says(nil)
	require.Equal(t, state.CauseRelease, cause(), "and from now on nobody says anything")
	said := *last.Load()

	s.Outdated("dev", "dev", platform.RequestKey{Team: "payments", Name: "r0000"}, time.Now())
	ahead.Add(int64(time.Hour))
	require.Equal(t, state.CauseRelease, cause(), "nobody knows whether it is healthy by now")
	s.Placed(said)
	ahead.Add(int64(time.Hour))
	require.Equal(t, state.CauseRelease, cause(), "that look was before it happened")
	said.Began = time.Now()
	s.Placed(said)
	require.Equal(t, state.CauseRelease, cause())

	ahead.Add(int64(time.Hour))
	require.Equal(t, state.CauseRollback, cause())
	require.Contains(t, s.Board.Status().Instances[0].Rejected[0].Message, "unchanged since "+said.At.UTC().Format(time.RFC3339))
}
