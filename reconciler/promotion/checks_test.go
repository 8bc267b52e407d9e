package promotion_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/promotion"
	"transom.dev/render/expression"
	"transom.dev/render/gate"
	"transom.dev/render/platform"
)

// budget is the address of a check.
var budget = func() *expression.Template {
	t, err := expression.CompileTemplate("https://slo.example.com/budget", expression.NewScope())
	if err != nil {
		panic(err)
	}
	return t
}()

// TestReleaseWaitsForACheck that another party answers, for as long as it is to pass. An Override of the check lets the release past
// it, and one of another check does not. It keeps R103 and R104.
func TestReleaseWaitsForACheck(t *testing.T) {
	w := judged(t, "a")
	w.asking("prod", 2*time.Minute)
	w.check("prod", false)
	before := w.has("prod", "a")
	w.bump("a")
	w.settle(15 * time.Minute)
	require.Equal(t, before, w.has("prod", "a"))
	require.Equal(t, []string{"check"}, w.gates("prod", "a"))
	require.Equal(t, "check budget does not pass: the error budget is used up", w.gate("prod", "a", "check").Reason)
	require.Equal(t, "the next answer of https://slo.example.com, or an Override that skips check/budget", w.gate("prod", "a", "check").Opens)

	w.check("prod", true)
	w.settle(time.Minute)
	require.Equal(t, "check budget passes, 1m0s of 2m0s: the error budget is whole", w.gate("prod", "a", "check").Reason)
	w.settle(6 * time.Minute)
	require.True(t, w.arrived(), w.late())
	passed := w.stages["prod"].releases[key("a")].Promotion.Gates
	require.Equal(t, gate.Check, passed[len(passed)-1].Gate)
	require.Contains(t, passed[len(passed)-1].Figure, "budget: the error budget is whole, for 2m")

	w.check("prod", false)
	k := key("a")
	other := w.decide("prod", platform.Decision{Kind: "Override", Request: &k, Skip: []gate.Name{gate.CheckNamed("latency")}})
	w.bump("a")
	w.settle(20 * time.Minute)
	require.Equal(t, []string{"check"}, w.gates("prod", "a"))
	w.undecide(other)
	w.decide("prod", platform.Decision{Kind: "Override", Request: &k, Skip: []gate.Name{gate.CheckNamed("budget")}, Reason: "the budget is ours"})
	w.settle(20 * time.Minute)
	require.True(t, w.arrived(), w.late())
}

// TestACheckIsAskedAboutWhatIsHealthyBefore and not while the release is on its way through the environments before. It keeps R103.
func TestACheckIsAskedAboutWhatIsHealthyBefore(t *testing.T) {
	w := judged(t, "a")
	w.asking("prod", 0)
	w.faults["p2/<nil>@staging"] = hangs
	w.bump("a")
	w.settle(3 * time.Minute)
	require.Equal(t, []string{"health"}, w.gates("prod", "a"))
	require.Empty(t, w.parties.first)
}

// TestAnAnswerThatIsNoneKeepsTheGateShut and the gate says the reason. It keeps R103.
func TestAnAnswerThatIsNoneKeepsTheGateShut(t *testing.T) {
	w := judged(t, "a")
	w.asking("prod", 0)
	w.parties.says = &promotion.Checked{Message: "answered 503 Service Unavailable"}
	w.bump("a")
	w.settle(15 * time.Minute)
	require.Equal(t, "check budget has no answer: answered 503 Service Unavailable", w.gate("prod", "a", "check").Reason)
	require.Equal(t, "the next answer of https://slo.example.com, or an Override that skips check/budget", w.gate("prod", "a", "check").Opens)
	w.parties.says = &promotion.Checked{Message: "slo.example.com is none of the hosts", Opens: "an operator who allows slo.example.com with --check-hosts"}
	w.settle(15 * time.Minute)
	require.Equal(t, "an operator who allows slo.example.com with --check-hosts, or an Override that skips check/budget", w.gate("prod", "a", "check").Opens)
	w.parties.says = nil
	w.settle(5 * time.Minute)
	require.True(t, w.arrived(), w.late())
}

// TestARestartDelaysNoCheck for longer than the daemon is away: the answers of before are remembered. It keeps R108.
func TestARestartDelaysNoCheck(t *testing.T) {
	w := judged(t, "a")
	w.asking("prod", 10*time.Minute)
	w.bump("a")
	w.until(t, func() bool { return len(w.parties.first) > 0 })
	for range 5 {
		w.settle(time.Minute)
		w.restart()
	}
	require.Equal(t, []string{"check"}, w.gates("prod", "a"))
	w.settle(8 * time.Minute)
	require.True(t, w.arrived(), w.late())
}
