package reconciler_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/status"
	"transom.dev/render/event"
)

const unreadable = "it has a Problem, and may be a Hold or a Pin; mend or delete it"

// awaitingDev returns a running system whose prod waits for dev's health.
func awaitingDev(t *testing.T) *system {
	s := newSystem(t)
	s.soaking("1h")
	s.commit("before")
	s.run()
	s.Trigger.Fire("test")
	s.waits("prod", "is not healthy everywhere in dev yet: dev has not said yet how it is")
	return s
}

// heldBy commits what was written, and waits until prod is held by a decision.
func (s *system) heldBy(file, reason string) {
	s.t.Helper()
	s.commit("held by " + file)
	s.Trigger.Fire("test")
	s.waits("prod", "held by "+file+": "+reason)
}

// TestAHoldHoldsBesideALink: a file among the decisions that cannot be read takes no Hold's force away, and may be one.
func TestAHoldHoldsBesideALink(t *testing.T) {
	s := awaitingDev(t)
	s.write("decisions/prod/freeze.yaml", document("Hold", "freeze")+"spec: {reason: quiet}\n")
	s.heldBy("decisions/prod/freeze.yaml", "quiet")
	require.NoError(t, os.Symlink("freeze.yaml", filepath.Join(s.clone(), "decisions/prod/other.yaml")))
	s.heldBy("decisions/prod", unreadable)
	require.NoError(t, os.Remove(filepath.Join(s.clone(), "decisions/prod/freeze.yaml")))
	s.heldBy("decisions/prod", unreadable)
}

// TestAHoldHoldsABrokenEnvironment: its passes go on with the platform of before, and what is held since then does not, for as long as the Hold
// is there. That such a pass succeeds ends no Problem of the environment.
func TestAHoldHoldsABrokenEnvironment(t *testing.T) {
	s := awaitingDev(t)
	file := filepath.Join(s.clone(), "environments/prod.yaml")
	whole, err := os.ReadFile(file)
	require.NoError(t, err)
	s.write("environments/prod.yaml", "spec: half of a file\n")
	s.write("decisions/prod/freeze.yaml", document("Hold", "freeze")+"spec: {reason: quiet}\n")
	s.heldBy("decisions/prod/freeze.yaml", "quiet")
	s.write("decisions/prod/brake.yaml", document("Hold", "brake")+"spec: {reasons: loud}\n")
	s.heldBy("decisions/prod/brake.yaml", unreadable)
	require.NoError(t, os.RemoveAll(filepath.Join(s.clone(), "decisions")))
	s.commit("held no more")
	s.Trigger.Fire("test")
	s.waits("prod", "is not healthy everywhere in dev yet: dev has not said yet how it is")
	recovered := func(e status.Event) bool { return e.Environment == "prod" && e.Kind == event.Recovered }
	for _, e := range s.Board.Status().Environments {
		require.Equal(t, e.Name == "prod", strings.HasPrefix(e.Error, "environments/prod.yaml has a Problem"), "%s: %s", e.Name, e.Error)
	}
	require.False(t, slices.ContainsFunc(s.Board.History(), recovered), "%v", s.Board.History())

	s.write("environments/prod.yaml", string(whole))
	s.commit("mended")
	s.Trigger.Fire("test")
	require.Eventually(t, func() bool { return slices.ContainsFunc(s.Board.History(), recovered) }, time.Minute, 20*time.Millisecond)
}
