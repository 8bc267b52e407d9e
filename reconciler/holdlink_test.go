package reconciler_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAHoldHoldsBesideALink: a file among the decisions that cannot be read takes no Hold's force away.
func TestAHoldHoldsBesideALink(t *testing.T) {
	s := newSystem(t)
	s.soaking("1h")
	s.commit("before")
	s.run()
	s.Trigger.Fire("test")
	s.waits("prod", "is not healthy everywhere in dev yet: dev has not said yet how it is")
	s.write("decisions/prod/freeze.yaml", document("Hold", "freeze")+"spec: {reason: quiet}\n")
	require.NoError(t, os.Symlink("freeze.yaml", filepath.Join(s.clone(), "decisions/prod/other.yaml")))
	s.commit("hold prod")
	s.Trigger.Fire("test")
	s.waits("prod", "held by decisions/prod/freeze.yaml: quiet")
}

// TestAHoldHoldsABrokenEnvironment: its passes go on with the platform of before, and what is held since then does not.
func TestAHoldHoldsABrokenEnvironment(t *testing.T) {
	s := newSystem(t)
	s.soaking("1h")
	s.commit("before")
	s.run()
	s.Trigger.Fire("test")
	s.waits("prod", "is not healthy everywhere in dev yet: dev has not said yet how it is")
	s.write("environments/prod.yaml", "spec: half of a file\n")
	s.write("decisions/prod/freeze.yaml", document("Hold", "freeze")+"spec: {reason: quiet}\n")
	s.commit("hold prod")
	s.Trigger.Fire("test")
	s.waits("prod", "held by decisions/prod/freeze.yaml: quiet")
}
