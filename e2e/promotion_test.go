package e2e_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// scenario is a story of promotion, told on a fleet that all of them share. It owns its repositories, its team and its
// daemon, which runs when tell is called and is stopped after it.
type scenario struct {
	name     string
	platform func(team string) files // its files beside those of the foundation
	tell     func(*ladder)
}

var scenarios = []scenario{
	{"happy path", oneShop, happyPath},
	{"images faster than soaks", oneShop, fasterThanSoaks},
	{"slow to become healthy", oneShop, slowRelease},
	{"bad version stopped in staging", shopAndOthers, badInStaging},
	{"bad version rolled back in the canary", oneShop, badInCanary},
	{"irreversible version stops in the canary", oneShop, irreversible},
	{"approval", askingPeople, approval},
	{"window", oneShop, window},
	{"hold", heldShops, hold},
	{"pin", twoShops, pin},
	{"override", oneShop, override},
	{"twenty consumers of a bad version", consumers, twentyConsumers},
	{"mass deletion", crowd, massDeletion},
	{"prod-only request", loneShop, prodOnly},
	{"paused cluster", oneShop, paused},
	{"lost cluster", oneShop, lost},
	{"removal", twoShops, removal},
	{"draining cluster", oneShop, draining},
	{"cluster left by a version", labelledShop, narrowing},
	{"joining cluster", withoutCanary, joining},
	{"cluster let go", twoShops, letGo},
	{"careful removal", careful, carefully},
	{"environment dropped", oneShop, dropped},
	{"consumer", slowDatabase, consumer},
	{"provider removed last", database, providerLast},
	{"readmission", oneShop, readmission},
}

// Of these the daemon's life is part.
var lives = []scenario{
	{"two daemons", oneShop, withTwin(happyPath)},
	{"two daemons and a bad version", oneShop, withTwin(badInCanary)},
	{"two daemons and a removal", twoShops, withTwin(removal)},
	{"soak survives restarts", oneShop, soakSurvivesRestarts},
	{"data deleted", oneShop, dataDeleted},
}

// TestPromotion tells every scenario on a fleet of API servers.
func TestPromotion(t *testing.T) {
	t.Parallel()
	tellAll(t, slices.Concat(scenarios, lives), func(l *ladder, _ int, s scenario) {
		s.tell(l)
		l.stop()
		l.sound()
		require.Empty(l.t, l.said("state held back"), "what another daemon committed is proven by rendering it again")
	})
}

// fleets is how many fleets the scenarios are told on beside each other. On one fleet they are told one after the other, as each has the
// same environments.
const fleets = 2

// tellAll begins every scenario, and has it told.
func tellAll(t *testing.T, all []scenario, tell func(l *ladder, i int, s scenario)) {
	for n := range fleets {
		t.Run(fmt.Sprintf("fleet %d", n+1), func(t *testing.T) {
			t.Parallel()
			fleet := startSandbox(t, binaries(t), everyCluster, "--api-only")
			o := runWidgets(t, &world{t: t, fleet: fleet}, everyCluster)
			for i := n; i < len(all); i += fleets {
				t.Run(all[i].name, func(t *testing.T) {
					l := newLadder(t, fleet, o, fmt.Sprintf("team-%d", i+1), all[i].platform)
					l.start()
					tell(l, i, all[i])
				})
			}
		})
	}
}

// kills is how often the daemon is killed in a scenario.
const kills = 8

// TestPromotionKilledOnTheWay tells every scenario to a daemon that is killed at random moments and started again: the
// same must come about, by the same decisions, with nothing applied twice.
func TestPromotionKilledOnTheWay(t *testing.T) {
	t.Parallel()
	tellAll(t, scenarios, func(l *ladder, i int, s scenario) {
		l.restless(uint64(i)+1, kills)
		s.tell(l)
		l.meanwhile = nil
		l.stop()
		l.sound()
		require.Empty(l.t, l.said("state held back"), "what the process before committed is proven by rendering it again")
	})
}
