package reconciler_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAHoldHoldsBesideALink: a file among the decisions that cannot be read takes no Hold's force away, and may be one.
func TestAHoldHoldsBesideALink(t *testing.T) {
	s := newSystem(t)
	s.soaking("1h")
	s.commit("before")
	s.run()
	s.Trigger.Fire("test")
	s.waits("prod", "is not healthy everywhere in dev yet: dev has not said yet how it is")
	s.write("decisions/prod/freeze.yaml", document("Hold", "freeze")+"spec: {reason: quiet}\n")
	s.commit("hold prod")
	s.Trigger.Fire("test")
	s.waits("prod", "held by decisions/prod/freeze.yaml: quiet")
	require.NoError(t, os.Symlink("freeze.yaml", filepath.Join(s.clone(), "decisions/prod/other.yaml")))
	s.commit("a link")
	s.Trigger.Fire("test")
	s.waits("prod", "held by decisions/prod: it has a Problem, and may be a Hold or a Pin; mend or delete it")
	require.NoError(t, os.Remove(filepath.Join(s.clone(), "decisions/prod/freeze.yaml")))
	s.commit("the link holds by itself")
	s.Trigger.Fire("test")
	s.waits("prod", "held by decisions/prod: it has a Problem, and may be a Hold or a Pin; mend or delete it")
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
	s.write("decisions/prod/brake.yaml", document("Hold", "brake")+"spec: {reasons: loud}\n")
	s.commit("one that cannot be read")
	s.Trigger.Fire("test")
	s.waits("prod", "held by decisions/prod/brake.yaml: it has a Problem, and may be a Hold or a Pin; mend or delete it")
}
