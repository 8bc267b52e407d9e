package promotion_test

import (
	"time"

	"transom.dev/reconciler/promotion"
	"transom.dev/render/inquiry"
)

// parties are the services that the checks of environments ask, and what the daemon remembers of their answers.
type parties struct {
	denies map[string]bool                          // environments into which they let nothing
	since  map[string]time.Duration                 // they let something in
	first  map[promotion.CheckSubject]time.Duration // they were asked about it
	says   *promotion.Checked                       // instead of the truth; nil: the truth
}

// check has the party of an environment's checks let releases in or not from now on.
func (w *world) check(environment string, passes bool) {
	if w.parties.denies == nil {
		w.parties.denies, w.parties.since = map[string]bool{}, map[string]time.Duration{}
	}
	if w.parties.denies[environment] && passes {
		w.parties.since[environment] = w.clock
	}
	w.parties.denies[environment] = !passes
	w.note("the checks of %s pass: %v", environment, passes)
}

// passesFor is for how long the checks of an environment have truly passed; negative: they do not.
func (w *world) passesFor(environment string) time.Duration {
	if w.parties.denies[environment] {
		return -1
	}
	return w.clock - w.parties.since[environment]
}

// answer is the last answer of a party as the daemon knows it: of what was before it first asked it knows nothing.
func (w *world) answer(environment string) func(promotion.CheckSubject) promotion.Checked {
	return func(s promotion.CheckSubject) promotion.Checked {
		first, asked := w.parties.first[s]
		if !asked {
			if w.parties.first == nil {
				w.parties.first = map[promotion.CheckSubject]time.Duration{}
			}
			w.parties.first[s], first = w.clock, w.clock
		}
		if first == w.clock { // an answer is the same all through a pass
			return promotion.Checked{}
		}
		if w.parties.says != nil {
			return *w.parties.says
		}
		passes := w.passesFor(environment)
		if passes < 0 {
			return promotion.Checked{Verdict: promotion.Fails, Message: "the error budget is used up"}
		}
		return promotion.Checked{Verdict: promotion.Passes, Message: "the error budget is whole", Held: min(passes, w.clock-first)}
	}
}

// asking gives an environment a check.
func (w *world) asking(environment string, holds time.Duration) {
	e := w.platform.Environments[environment]
	e.Gates.Checks = []*inquiry.Check{{Name: "budget", URL: budget, Every: tick, For: holds, File: e.File}}
}
