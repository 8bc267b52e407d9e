package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"transom.dev/reconciler"
	"transom.dev/render/decision"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// A Decision is a file of decisions/ that a merge adds, changes or removes, with its effects.
type Decision struct {
	File        string        `json:"file"`
	Kind        decision.Kind `json:"kind"`
	Environment string        `json:"environment"`
	Change      string        `json:"change"` // added, changed or removed

	Enters []platform.RequestKey `json:"enters,omitempty"` // that change at once, because of it
	Later  []platform.RequestKey `json:"later,omitempty"`  // that change because of it once their releases upstream are healthy
	Holds  []platform.RequestKey `json:"holds,omitempty"`  // that stay as they are, because of it
	Frees  []platform.RequestKey `json:"frees,omitempty"`  // that it held until now
	Debts  []platform.RequestKey `json:"debts,omitempty"`  // that show it as debt until it is removed

	// Unreadable says that the file has a Problem and may be a Hold or a Pin: its environment waits until somebody mends or deletes it (R116).
	Unreadable bool `json:"unreadable,omitempty"`

	to     string // the release that a Pin takes requests to
	mended bool   // the environment waited for its file, and does not any more
}

// hasEffect says whether a request moves, or stays as it is, because of the decision, or all of an environment does.
func (d Decision) hasEffect() bool {
	return d.Unreadable || len(d.Enters)+len(d.Later)+len(d.Holds)+len(d.Frees) > 0
}

// decisions lists those that the merge adds, changes or removes, sorted by file.
func (o *forecast) decisions() []Decision {
	all := []Decision{}
	if o.before == nil {
		return all
	}
	was, is := byFile(o.before.Decisions), byFile(o.platform.Decisions)
	for file, now := range is {
		before, known := was[file]
		delete(was, file)
		d, waited := now.decision, known && unreadable(before.decision)
		unchanged := known && before.digests == now.digests && d.Broken == before.decision.Broken
		if unchanged || o.of[d.Environment] == nil || d.Broken && (waited || !unreadable(d)) {
			continue
		}
		change := "added"
		if known {
			change = "changed"
		}
		told := o.decide(d, change)
		told.Unreadable, told.mended = unreadable(d), waited
		all = append(all, told)
	}
	for _, before := range was {
		d := before.decision
		if (!d.Broken || unreadable(d)) && o.of[d.Environment] != nil && o.earlier[d.Environment] != nil {
			told := o.decide(d, "removed")
			told.mended = unreadable(d)
			all = append(all, told)
		}
	}
	slices.SortFunc(all, func(a, b Decision) int { return cmp.Compare(a.File, b.File) })
	return all
}

// unreadable says whether an environment waits until somebody mends or deletes the file of a decision.
func unreadable(d *platform.Decision) bool {
	over := !d.Until.IsZero() && !time.Now().Before(d.Until)
	return d.Broken && d.MayHold() && !over
}

// decided is the content of a file of decisions: one, or one for each item of an Approval of many, whose effects are told together.
type decided struct {
	decision *platform.Decision
	digests  string
}

func byFile(decisions []*platform.Decision) map[string]decided {
	files := map[string]decided{}
	for _, d := range decisions {
		files[d.File] = decided{d, files[d.File].digests + d.Digest}
	}
	return files
}

// decide finds out the effects of a decision.
func (o *forecast) decide(d *platform.Decision, change string) Decision {
	told := Decision{File: d.File, Kind: d.Kind, Environment: d.Environment, Change: change}
	now, earlier := o.of[d.Environment], o.earlier[d.Environment]
	if change != "removed" {
		for _, k := range sorted(now.Last.Releases) {
			switch {
			case admits(now.Soon[k], now.Before.Releases[k], d):
				told.Enters = append(told.Enters, k)
			case admits(now.Rest[k], now.Before.Releases[k], d):
				told.Later = append(told.Later, k)
			}
		}
		for _, k := range sorted(now.Standings) {
			if holds(now, earlier, k, d) {
				told.Holds = append(told.Holds, k)
			}
			if now.Standings[k].Owes(d.File) {
				told.Debts = append(told.Debts, k)
			}
		}
		told.to = pinnedTo(now, told, d)
	}
	if earlier != nil && change != "added" {
		for _, k := range sorted(earlier.Standings) {
			if holds(earlier, now, k, d) && !slices.Contains(told.Holds, k) {
				told.Frees = append(told.Frees, k)
			}
		}
	}
	return told
}

// admits says whether a record came about because of a decision, and was another one before.
func admits(is, was *state.Release, d *platform.Decision) bool {
	if is == nil || is == was || sameBytes(is, was) {
		return false
	}
	return slices.ContainsFunc(is.Promotion.Gates, func(g state.PassedGate) bool { return g.Decision == d.File })
}

// holds says that a request does not go on because of a decision: a gate names it, or it is pinned to the release that it
// has and would come to another one otherwise.
func holds(f, otherwise *reconciler.Foreseen, k platform.RequestKey, d *platform.Decision) bool {
	s := f.Standings[k]
	for _, g := range s.Gates {
		if strings.Contains(g.Reason, d.File) || strings.Contains(g.Opens, d.File) {
			return true
		}
	}
	return d.Kind == decision.Pin && s.Owes(d.File) && otherwise != nil &&
		sameBytes(f.Before.Releases[k], f.Last.Releases[k]) && !sameBytes(otherwise.Last.Releases[k], f.Last.Releases[k])
}

// pinnedTo names the release that a Pin takes requests to.
func pinnedTo(f *reconciler.Foreseen, told Decision, d *platform.Decision) string {
	if d.Kind != decision.Pin || len(told.Enters) == 0 {
		return ""
	}
	r := f.Soon[told.Enters[0]]
	if d.Request == nil {
		return fmt.Sprintf("%s %s", r.Offering, r.Version)
	}
	return fmt.Sprintf("release %s of %s %s", short(r.Digest), r.Offering, r.Version)
}

// short is a digest as people are shown it.
func short(digest string) string { return digest[:min(len(digest), len("sha256:")+12)] }

// line tells the effects of a decision.
func (d Decision) line() string {
	var does []string
	if d.Unreadable {
		does = append(does, fmt.Sprintf("has a Problem, and may be a Hold or a Pin: from this merge on all of %s waits until it is mended or deleted", d.Environment))
	}
	if d.mended {
		does = append(does, d.Environment+" does not wait for it any more")
	}
	add := func(keys []platform.RequestKey, format string) {
		if len(keys) > 0 {
			does = append(does, fmt.Sprintf(format, few(union(nil, keys))))
		}
	}
	if d.to != "" {
		add(d.Enters, "takes %s to "+d.to+" at once")
	} else {
		add(d.Enters, "lets in %s at once, while what was proven is healthy")
	}
	add(d.Later, "lets in %s once healthy upstream")
	add(d.Holds, "holds %s as it is")
	add(d.Frees, "lets %s go on again")
	if len(does) == 0 {
		does = append(does, "changes nothing now")
	}
	add(d.Debts, "shows as debt of %s until it is removed")
	kind := strings.ToLower(cmp.Or(string(d.Kind), "unknown"))
	if d.Change != "added" {
		kind += ", " + d.Change
	}
	return fmt.Sprintf("%s (%s): %s", d.File, kind, strings.Join(does, "; "))
}
