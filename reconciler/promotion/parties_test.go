package promotion_test

import (
	"maps"
	"time"

	"transom.dev/reconciler/promotion"
	"transom.dev/render/inquiry"
)

// parties are the services that the checks of environments ask, and what the daemon remembers of their answers.
type parties struct {
	denies map[string]bool                          // environments into which they let nothing
	since  map[string]time.Duration                 // they let something in
	first  map[promotion.CheckSubject]time.Duration // they were asked about it
	jobs   map[trialKey]*ran                        // the last Jobs, by release
	says   *promotion.Checked                       // instead of the truth; nil: the truth
	mute   map[string]bool                          // environments about whose rollouts they say nothing
	trials map[trialKey]*tried                      // the answers about rollouts that the daemon remembers
	kept   map[trialKey]*tried                      // those that clusters remember from before the daemon began
	began  time.Duration                            // the daemon
	round  int                                      // of the pass that asks
}

// restart has the daemon go on with what clusters remember, once it has asked once more (R108).
func (p *parties) restart(at time.Duration) {
	if p.kept == nil {
		p.kept = map[trialKey]*tried{}
	}
	maps.Copy(p.kept, p.trials)
	p.trials, p.jobs, p.began = nil, nil, at
}

// A trialKey is a subject of the checks of rollouts in an environment.
type trialKey struct {
	environment string
	promotion.CheckKey
}

// tried are the answers about it.
type tried struct {
	promotion.Checked
	round    int  // of the pass that asked last
	recalled bool // nobody was asked since the daemon began
}

// known is the answer that the daemon decides by.
func (t *tried) known() promotion.Checked {
	is := t.Checked
	if t.recalled {
		is.Verdict, is.Message, is.Silent = "", "", 0
	}
	return is
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
		if s.Check.Job != "" {
			return w.ran(trialKey{environment, s.Key()}, s.Run)
		}
		if s.Cluster != "" {
			return w.tried(trialKey{environment, s.Key()})
		}
		first, asked := w.parties.first[s]
		if !asked {
			if w.parties.first == nil {
				w.parties.first = map[promotion.CheckSubject]time.Duration{}
			}
			w.parties.first[s], first = w.clock, w.clock
		}
		if first == w.clock || w.parties.began == w.clock { // an answer is the same all through a pass
			return promotion.Checked{}
		}
		if w.parties.says != nil {
			return *w.parties.says
		}
		passes := w.passesFor(environment)
		if passes < 0 {
			return promotion.Checked{Verdict: promotion.Fails, Message: "the error budget is used up"}
		}
		return promotion.Checked{Verdict: promotion.Passes, Message: "the error budget is whole", Passed: min(passes, w.clock-first)}
	}
}

// asking gives an environment a check.
func (w *world) asking(environment string, holds time.Duration) {
	e := w.platform.Environments[environment]
	e.Gates.Checks = []*inquiry.Check{{Name: "budget", URL: budget, Every: tick, For: holds, File: e.File}}
}

// trying gives an environment a check of rollouts.
func (w *world) trying(environment string, holds time.Duration) {
	e := w.platform.Environments[environment]
	e.Rollout.Checks = []*inquiry.Check{{
		Name: "answers", URL: budget, Every: tick, For: holds, Patience: e.Rollout.ProgressDeadline, File: e.File,
	}}
}

// silence has the party of an environment's checks of rollouts answer or not from now on.
func (w *world) silence(environment string, is bool) {
	if w.parties.mute == nil {
		w.parties.mute = map[string]bool{}
	}
	w.parties.mute[environment] = is
	w.note("whoever is asked about rollouts in %s is silent: %v", environment, is)
}

// tried is the last answer about a rollout on a cluster, for which somebody waits from now on.
func (w *world) tried(k trialKey) promotion.Checked {
	if w.parties.trials == nil {
		w.parties.trials = map[trialKey]*tried{}
	}
	t := w.parties.trials[k]
	if t == nil {
		if t = w.parties.kept[k]; t == nil {
			t = &tried{}
		} else {
			t.recalled = true
			delete(w.parties.kept, k)
		}
		w.parties.trials[k] = t
	}
	t.round = w.parties.round
	return t.known()
}

// forgetTrials forgets those of an environment for which the last pass did not ask.
func (w *world) forgetTrials(environment string) {
	for k, t := range w.parties.trials {
		if k.environment == environment && t.round != w.parties.round {
			delete(w.parties.trials, k)
		}
	}
	for k := range w.parties.kept {
		if on := w.stages[k.environment].live[k.Request.Name+"@"+k.Cluster]; on == nil || on.revision != k.Revision {
			delete(w.parties.kept, k)
		}
	}
	w.parties.round++
}

// answerTrials asks the questions about rollouts once more.
func (w *world) answerTrials() {
	for k, t := range w.parties.trials {
		was, first := t.Verdict, t.recalled
		t.recalled = false
		switch t.Verdict = w.verdict(k.environment, w.stages[k.environment].live[k.Request.Name+"@"+k.Cluster]); {
		case t.Verdict == "":
			t.Message = "answered 503 Service Unavailable"
			t.Silent += tick
			continue
		case t.Verdict == promotion.Passes:
			t.Message = "answers 200"
			if t.Failed = 0; was == promotion.Passes && !first {
				t.Passed += tick
			}
		default:
			t.Message = "answers 500"
			if t.Passed = 0; was == promotion.Fails && !first {
				t.Failed += tick
			}
		}
	}
}

// verdict is the true one about a placement; empty: nobody says it.
func (w *world) verdict(environment string, on *placed) promotion.Verdict {
	switch {
	case w.parties.mute[environment]:
		return ""
	case on != nil && on.revision != "" && w.faultOf(environment, on) == errs:
		return promotion.Fails
	}
	return promotion.Passes
}

// tryIt counts for how long a placement that was ready has truly passed, not passed, or been passed over in silence.
func (w *world) tryIt(environment string, on *placed) {
	if on.ready = on.ready || on.well > 0; !on.ready {
		return
	}
	switch w.verdict(environment, on) {
	case promotion.Passes:
		on.sound, on.unsound = on.sound+tick, 0
	case promotion.Fails:
		on.sound, on.unsound = 0, on.unsound+tick
	default:
		on.unsaid += tick
	}
}
