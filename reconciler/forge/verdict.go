package forge

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"transom.dev/reconciler/status"
	"transom.dev/render/gate"
)

// A verdict is how far a commit has come in an environment.
type verdict struct {
	commit string
	merged time.Time
	Status
	final bool // nothing that happens later is about this commit
}

// The kinds of texts that are no list of gates.
const (
	nothingHere = "changes nothing here"
	notLooked   = "not looked at yet"
	superseded  = "nothing of it is on its way here any more: later commits took its place"
)

// verdicts says how far the platform's head has come in every environment, and each earlier commit in those in which something
// of it runs or waits. Blamed are the Problems of the platform and its environments, by the commit that changed their file
// last.
func verdicts(s status.Status, blamed func(environment string) map[string][]string) (all []verdict) {
	for _, e := range s.Environments {
		shares, problems := sharesOf(s, e.Name), blamed(e.Name)
		if e.Commit != s.Platform.Commit {
			delete(shares, s.Platform.Commit)
			all = append(all, behind(s, e))
		} else if shares[e.Commit] == nil {
			shares[e.Commit] = &share{merged: s.Platform.LoadedAt}
		}
		for commit := range problems {
			if shares[commit] == nil {
				shares[commit] = &share{merged: s.Platform.LoadedAt}
			}
		}
		for commit, part := range shares {
			v := verdict{commit: commit, merged: part.merged, Status: Status{Environment: e.Name}}
			v.State, v.Text, v.final = part.say(e, problems[commit])
			v.Text = clip(v.Text)
			all = append(all, v)
		}
	}
	return all
}

// behind is the verdict of the head in an environment that has not taken it in.
func behind(s status.Status, e status.Environment) verdict {
	text := notLooked
	if why := cmp.Or(e.Frozen, e.Error); why != "" {
		text += ": " + why
	}
	return verdict{commit: s.Platform.Commit, merged: s.Platform.LoadedAt, Status: Status{Environment: e.Name, State: Pending, Text: clip(text)}}
}

// A share is the part of an environment's instances that one commit yielded.
type share struct {
	merged    time.Time
	instances []status.Instance
	waiting   []status.Gate // of all of them
	first     string        // the request that waits for the first gate
}

// sharesOf divides the instances of an environment by the commits that yielded the releases that run, and those that come.
func sharesOf(s status.Status, environment string) map[string]*share {
	shares := map[string]*share{}
	add := func(commit string, merged time.Time, in status.Instance) {
		if commit == "" {
			return
		}
		if shares[commit] == nil {
			shares[commit] = &share{merged: merged}
		}
		shares[commit].add(in)
	}
	for _, in := range s.Instances {
		if in.Environment != environment {
			continue
		}
		// Problems are told of the commit that changed their file.
		waiting := in.Waiting
		if next := in.Candidate; next != nil {
			add(next.Commit, next.MergedAt, status.Instance{Request: in.Request, Candidate: next, Waiting: waiting})
			waiting = nil
		}
		add(in.Commit, in.MergedAt, status.Instance{Request: in.Request, Placements: in.Placements, Rollout: in.Rollout, Waiting: waiting})
	}
	return shares
}

func (p *share) add(in status.Instance) {
	if len(p.waiting) == 0 && len(in.Waiting) > 0 {
		p.first = in.Request.String()
	}
	p.instances = append(p.instances, in)
	p.waiting = append(p.waiting, in.Waiting...)
}

// say tells the state of a share in words: a failure before a gate, and a gate before health.
func (p *share) say(e status.Environment, problems []string) (state State, text string, final bool) {
	progress := status.ProgressOf(status.Status{Instances: p.instances}, status.Environment{Name: e.Name}, true)
	failed := slices.Concat(problems, texts(progress.Failed))
	switch {
	case len(failed) > 0:
		return Failure, "failed: " + more(failed), false
	case len(p.waiting) > 0:
		g := p.waiting[0]
		text := fmt.Sprintf("waits for %s: %s: %s", strings.Join(namesOf(p.waiting), ", "), p.first, g.Reason)
		if g.Opens != "" {
			text += "; opens: " + g.Opens
		}
		return Pending, text, false
	case len(progress.Waiting) > 0:
		return Pending, "on its way: " + more(texts(progress.Waiting)), false
	case slices.ContainsFunc(p.instances, comes):
		return Pending, "on its way: it enters at the next pass", false
	case len(p.instances) == 0:
		return Success, nothingHere, false
	case len(progress.Suspended) > 0:
		return Success, "live as asked, and suspended: " + more(texts(progress.Suspended)), true
	}
	return Success, fmt.Sprintf("healthy: %d of %d placements", progress.Healthy, progress.Total), true
}

// comes says whether an instance has something to take that waits for no gate.
func comes(in status.Instance) bool { return in.Candidate != nil && len(in.Waiting) == 0 }

// namesOf lists the names of gates, each once, sorted.
func namesOf(gates []status.Gate) []string {
	var names []string
	for _, g := range gates {
		if g.Name != gate.Rejected { // that one is a failure
			names = append(names, string(g.Name))
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func texts(reasons []status.Reason) (list []string) {
	for _, r := range reasons {
		list = append(list, r.String())
	}
	return list
}

// more is the first of several texts, with the number of the others.
func more(list []string) string {
	if len(list) == 1 {
		return list[0]
	}
	return fmt.Sprintf("1 of %d: %s", len(list), list[0])
}
