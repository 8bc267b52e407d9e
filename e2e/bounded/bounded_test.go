package bounded_test

import (
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/e2e/bounded"
)

var kept []byte

func TestAnExecutionOverItsLimitsPanics(t *testing.T) {
	ran := false
	bounded.Usual.Run(func() { ran = true })
	require.True(t, ran)

	little := bounded.Limits{Time: time.Hour, Memory: 1 << 20}
	require.PanicsWithValue(t, "it is passed on", func() { little.Run(func() { panic("it is passed on") }) })
	require.Panics(t, func() { little.Run(func() { kept = make([]byte, 2<<20) }) })
	require.Panics(t, func() { bounded.Limits{Time: 1, Memory: 1 << 30}.Run(func() {}) })
	kept = nil
}

// TestAnExecutionThatIsStuckEndsItsProcess runs itself in a process of its own, which has to end.
func TestAnExecutionThatIsStuckEndsItsProcess(t *testing.T) {
	const stuck = "AN_EXECUTION_IS_STUCK"
	if os.Getenv(stuck) != "" {
		bounded.Limits{Time: 1, Memory: 1 << 30}.Run(func() { select {} })
	}
	again := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^"+t.Name()+"$")
	again.Env = append(os.Environ(), stuck+"=yes")
	said, err := again.CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(said), "panic: one execution takes ")
}
