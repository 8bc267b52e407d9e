package promotion_test

import (
	"transom.dev/reconciler/promotion"
	"transom.dev/render/inquiry"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// smokeDir is the directory of a check that versions have.
const smokeDir = "checks/smoke"

// ran are the Jobs of a check about one release.
type ran struct {
	promotion.Checked
	run string // that is asked for now; empty: nothing of it is where a Job could run
}

// smoking gives an environment a check by Jobs.
func (w *world) smoking(environment string) {
	e := w.platform.Environments[environment]
	e.Gates.Checks = append(e.Gates.Checks, &inquiry.Check{Name: "smoke", Job: smokeDir, Every: tick, Timeout: tick, File: e.File})
}

// ran is the end of the last Jobs about a release, which are run from now on.
func (w *world) ran(k trialKey, run string) promotion.Checked {
	if w.parties.jobs == nil {
		w.parties.jobs = map[trialKey]*ran{}
	}
	r := w.parties.jobs[k]
	if r == nil || run != "" && run != r.run && r.run != "" {
		r = &ran{}
		w.parties.jobs[k] = r
	}
	r.run = run
	return r.Checked
}

// runJobs runs all Jobs once more. One that can run nowhere says what it said last.
func (w *world) runJobs() {
	for _, r := range w.parties.jobs {
		if r.run == "" {
			continue
		}
		run, err := inquiry.ParseRun(r.run)
		if err != nil {
			panic(err)
		}
		r.Checked = promotion.Checked{Verdict: promotion.Passes, Message: "passed"}
		for _, at := range run.Placements {
			record := w.stages[at.Environment].releases[key(run.Request)]
			on := w.stages[at.Environment].live[run.Request+"@"+at.Cluster]
			switch {
			case record == nil || record.Absent || record.Clusters[at.Cluster].Observed() != at.Revision, w.lost[at.Cluster], on == nil || on.revision != at.Revision:
				r.Checked = promotion.Checked{Message: at.Environment + " does not run this revision any more"}
			case w.faultOf(at.Environment, on) == errs && r.Verdict != "":
				r.Checked = promotion.Checked{Verdict: promotion.Fails, Message: "on " + at.Cluster + ": answers 500"}
			}
		}
	}
}

// answers reports whether everything that an environment records of a release is on its counting clusters, and answers well there.
func (o *oracle) answers(environment string, r *state.Release) bool {
	well := 0
	for cluster, p := range r.Clusters {
		if !o.counts(environment, cluster) || p.Joining || p.Release != "" {
			continue
		}
		on := o.stages[environment].live[r.Key.Name+"@"+cluster]
		if on == nil || on.revision != p.Observed() || o.faultOf(environment, on) == errs {
			return false
		}
		well++
	}
	return well > 0
}

// smoked checks a release that came by itself against the truth about the environment before: it answered well there once. It checks R109.
func (o *oracle) smoked(e *platform.Environment, up string, is *state.Release) {
	for _, c := range e.Gates.Checks {
		skipped := o.skips(e.Name, "check", is) || o.skips(e.Name, "check/"+c.Name, is)
		if c.Job != "" && !skipped && !o.answered[at(up, is.Key.Name, is.Digest)] {
			o.breaks("%s takes %s, of which no Job passed in %s", e.Name, is.Digest, up)
		}
	}
}
