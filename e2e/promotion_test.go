package e2e_test

import (
	"fmt"
	"testing"
)

// scenario is a story of promotion, told on a fleet that all of them share. It owns its repositories, its team and its
// daemon, which runs when tell is called and is stopped after it.
type scenario struct {
	name     string
	platform func(team string) files // what it has beside the foundation
	tell     func(*ladder)
	kills    int // how often the daemon is killed, at random moments, when the story is told a second time; 0: it is not
}

var scenarios = []scenario{
	{"happy path", oneShop, happyPath, 8},
	{"bad version stopped in staging", shopAndOthers, badInStaging, 8},
	{"bad version rolled back in the canary", oneShop, badInCanary, 8},
	{"approval", askingPeople, approval, 0},
	{"window", oneShop, window, 0},
	{"hold", heldShops, hold, 0},
	{"pin", twoShops, pin, 8},
	{"override", oneShop, override, 0},
	{"twenty consumers of a bad version", consumers, twentyConsumers, 8},
	{"mass deletion", crowd, massDeletion, 8},
	{"prod-only request", loneShop, prodOnly, 0},
	{"paused cluster", oneShop, paused, 0},
	{"lost cluster", oneShop, lost, 0},
	{"removal", twoShops, removal, 8},
	{"two daemons", oneShop, twoDaemons, 0},
	{"soak survives restarts", oneShop, soakSurvivesRestarts, 0},
	{"data deleted", oneShop, dataDeleted, 0},
}

// TestPromotion tells every scenario on one fleet of API servers.
func TestPromotion(t *testing.T) {
	fleet := startSandbox(t, binaries(t), everyCluster, "--api-only")
	o := runWidgets(t, &world{t: t, fleet: fleet}, everyCluster)
	for i, s := range scenarios {
		t.Run(s.name, func(t *testing.T) {
			s.run(newLadder(t, fleet, o, fmt.Sprintf("team-%c", 'a'+i), s.platform), 0)
		})
		if s.kills > 0 {
			t.Run(s.name+", killed on the way", func(t *testing.T) {
				s.run(newLadder(t, fleet, o, fmt.Sprintf("team-%c-killed", 'a'+i), s.platform), s.kills)
			})
		}
	}
}

// run tells the story to a daemon that is killed so many times.
func (s scenario) run(l *ladder, kills int) {
	l.start()
	if kills > 0 {
		l.restless(1, kills)
	}
	s.tell(l)
	l.meanwhile = nil
	l.stop()
}
