package console

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"transom.dev/reconciler/status"
	"transom.dev/render/decision"
	"transom.dev/render/inquiry"
	"transom.dev/render/platform"
)

// A configuration has the gates of an environment and its way to roll out, as its file sets them.
type configuration struct {
	File    string
	Entry   []named // conditions that a release has to meet
	Windows []window
	Open    bool // by its windows
	Turn    time.Time
	Rollout []named
	Others  []named
}

// A window is a time in which an environment may change, or may not.
type window struct {
	Text string
	Deny bool
	On   bool // now
	Next time.Time
}

// configurationOf tells how an environment is configured; nil: the platform has no such environment any more.
func configurationOf(p *platform.Platform, is *status.Environment, now time.Time) *configuration {
	if p == nil || p.Environments[is.Name] == nil {
		return nil
	}
	e := p.Environments[is.Name]
	c := &configuration{File: e.File, Entry: entryOf(e), Rollout: rolloutOf(e, is), Others: othersOf(e), Open: e.IsOpen(now)}
	for _, w := range e.Windows {
		zone := w.TimeZone
		if zone == "" {
			zone = "UTC"
		}
		c.Windows = append(c.Windows, window{fmt.Sprintf("%s for %s, %s", w.Cron, lasts(w.Duration), zone), w.Deny, w.Contains(now), w.Edge(now)})
	}
	if len(e.Windows) > 0 {
		c.Turn = e.Turn(now)
	}
	return c
}

// next is the first time at which the clock alone changes the configuration's words; zero: it never does.
func (c *configuration) next() (first time.Time) {
	if c == nil {
		return first
	}
	for _, w := range c.Windows {
		if !w.Next.IsZero() && (first.IsZero() || w.Next.Before(first)) {
			first = w.Next
		}
	}
	return first
}

// entryOf tells the conditions that a release has to meet before it enters an environment.
func entryOf(e *platform.Environment) (all []named) {
	add := func(name, text string) { all = append(all, named{name, text}) }
	if from := strings.Join(e.PromotesFrom, " and "); from == "" {
		add("soak", "none: it comes after no environment")
	} else {
		soak := "healthy in " + from
		if e.Gates.Soak > 0 {
			soak += " for " + lasts(e.Gates.Soak)
		}
		add("soak", soak)
		unproven := "waits for an Approval of exactly that release"
		if e.Gates.Unproven == "allow" {
			unproven = "enters"
		}
		add("unproven", "a release that no environment before can prove "+unproven)
	}
	soaks := func(w platform.Wave) bool { return w.Soak > 0 }
	if e.Gates.Soak > 0 && len(e.PromotesFrom) > 0 || slices.ContainsFunc(e.Rollout.Waves, soaks) {
		add("grace", "a soak begins anew after Failed, and after Progressing for more than "+lasts(e.Gates.Grace))
	}
	add("approval", approvalText(e.Gates))
	if e.Gates.Replace == "newest" {
		add("replace", "the newest release takes the place of one that waits")
	} else {
		add("replace", "the oldest release that waits goes first")
	}
	for _, one := range e.Gates.Checks {
		add("check "+one.Name, checkText(one))
	}
	return all
}

func approvalText(g platform.Gates) string {
	if g.Approval != "required" {
		return "none"
	}
	text := "required"
	if g.Routine {
		text += ", but for changes that the offering calls routine"
	}
	if g.Separate {
		text += ", in a later commit than the release"
	}
	return text
}

// checkText says whom a check asks, how often, and for how long the answer has to be yes.
func checkText(c *inquiry.Check) string {
	text := c.Party()
	if c.Every > 0 {
		text += " every " + lasts(c.Every)
	}
	if c.For > 0 {
		text += ", to pass for " + lasts(c.For)
	}
	return text
}

// rolloutOf tells in which order and how many at once a change reaches clusters and requests, and how it ends where it fails.
func rolloutOf(e *platform.Environment, is *status.Environment) (all []named) {
	add := func(name, text string) { all = append(all, named{name, text}) }
	if len(e.Rollout.Waves) == 0 {
		add("waves", "none: all clusters at once")
	}
	for i, w := range e.Rollout.Waves {
		var parts []string
		for _, c := range is.Clusters {
			if c.Wave == w.Name {
				parts = append(parts, c.Name)
			}
		}
		text := strings.Join(parts, ", ")
		if text == "" {
			text = "no cluster"
		}
		if w.MaxConcurrent != "" {
			text += "; at most " + w.MaxConcurrent + " at a time"
		}
		if w.Soak > 0 {
			text += "; healthy for " + lasts(w.Soak) + " before the next wave"
		}
		add(fmt.Sprintf("wave %d, %s", i+1, w.Name), text)
	}
	for _, one := range e.Rollout.Checks {
		add("check "+one.Name, checkText(one)+", on each cluster")
	}
	r := e.Rollout
	add("requests", fmt.Sprintf("of one change to many: %d first, then at most %s at a time; at most %s", r.Instances.First, r.Instances.MaxConcurrent, terminalCount(r.Instances.MaxFailures, "failure")))
	add("progressDeadline", lasts(r.ProgressDeadline)+" to become healthy")
	onFailure := "the release before comes back"
	if r.OnFailure == "stop" {
		onFailure = "it stops, and waits for a person"
	}
	add("onFailure", onFailure)
	return all
}

// othersOf tells the further settings by which an environment decides.
func othersOf(e *platform.Environment) (all []named) {
	add := func(name, text string) { all = append(all, named{name, text}) }
	add("deletionLimit", fmt.Sprintf("more than %s in one pass, and more than %d%% of what runs here, wait for an Approval of exactly them", terminalCount(e.DeletionLimit.Instances, "deletion"), e.DeletionLimit.Percent))
	add("drift", e.Drift)
	if e.External {
		add("apply", "external: another agent applies the state")
	}
	if e.Logs {
		add("logs", "developers of a team read the logs of its pods")
	}
	return all
}

// decisionsOf are the decisions of one kind.
func decisionsOf(kind decision.Kind, all []status.Decision) (found []status.Decision) {
	for _, d := range all {
		if d.Kind == kind {
			found = append(found, d)
		}
	}
	return found
}

// lasts is a duration without zeros at its end, such as 2h or 1h30m.
func lasts(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
