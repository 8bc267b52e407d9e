package promotion

import (
	"cmp"
	"maps"
	"slices"

	"transom.dev/render/state"
)

// history compares positions in the platform's history: the platform commits that yielded releases.
type history struct {
	older func(a, b string) bool // platform commit a comes before b
	state string                 // the commit that the environment's state is at
}

// position is the farthest commit that a record has come to: that of the release that it runs, or of the one that it left for
// an older one.
func (h history) position(r *state.Release) string {
	if left := r.Promotion.Left; left != nil && h.older(r.Commit, left.Commit) {
		return left.Commit
	}
	return r.Commit
}

// left is the release that is left for one of a platform commit, where the one that is left is newer; nil: it is not.
func (h history) left(from, to *state.Release, commit string) *state.Left {
	if from == nil {
		return to.Promotion.Left
	}
	left := from.Promotion.Left
	if left == nil || h.older(left.Commit, from.Commit) {
		left = &state.Left{Release: from.Digest, Commit: from.Commit, State: h.state}
	}
	if !h.older(commit, left.Commit) {
		return nil
	}
	return left
}

// maxRan bounds the releases that a record remembers to have been healthy.
const maxRan = 10

// ran lists the releases that were healthy here once the one that runs is left for another: with that one, if it was.
func (h history) ran(base *state.Release) []state.Ran {
	if base == nil {
		return nil
	}
	ran := slices.Clone(base.Promotion.Ran)
	if !wasHealthy(base) {
		return ran
	}
	if n := len(ran); n > 0 && ran[n-1].Digest == base.Digest {
		ran = ran[:n-1]
	}
	ran = append(ran, state.Ran{Digest: base.Digest, Version: base.Version, State: h.state})
	return ran[max(len(ran)-maxRan, 0):]
}

// maxTakenBack bounds the releases that a record remembers to have been taken back.
const maxTakenBack = 5

// takenBack lists the releases that were taken back here once another release replaces the one that runs: with that
// one, if it was never healthy here and the other one was.
func (h history) takenBack(from, to *state.Release) []state.TakenBack {
	if from == nil {
		return nil
	}
	ranBefore := slices.ContainsFunc(from.Promotion.Ran, func(ran state.Ran) bool { return ran.Digest == to.Digest })
	if !runs(from) || wasHealthy(from) || !ranBefore {
		return from.Promotion.TakenBack
	}
	all := append(slices.Clone(from.Promotion.TakenBack), state.TakenBack{Release: from.Digest, State: h.state})
	return all[max(len(all)-maxTakenBack, 0):]
}

// comesAfter reports whether a release comes after the one that a record runs at a position, and not before the one that the
// record left.
func (h history) comesAfter(r *state.Release, position string, c Content) bool {
	if r == nil {
		return true
	}
	left := r.Promotion.Left
	beforeLeft := left != nil && h.older(c.Commit, left.Commit)
	return c.Digest != r.Digest && h.older(position, c.Commit) && !beforeLeft
}

// restoreLeft gives the release that was left the position that it had here, where other environments know an earlier one: it
// may come back itself, if its gates let it.
func (h history) restoreLeft(r *state.Release, known map[string]Content) {
	if r == nil || r.Promotion.Left == nil {
		return
	}
	left := r.Promotion.Left
	if c, ok := known[left.Release]; ok && h.older(c.Commit, left.Commit) {
		c.Commit = left.Commit
		known[left.Release] = c
	}
}

// newestFirst lists releases by their position, the newest first.
func (h history) newestFirst(known map[string]Content) []Content {
	list := slices.Collect(maps.Values(known))
	slices.SortFunc(list, func(a, b Content) int { return cmp.Compare(a.Digest, b.Digest) })
	slices.SortStableFunc(list, func(a, b Content) int {
		switch {
		case h.older(b.Commit, a.Commit):
			return -1
		case h.older(a.Commit, b.Commit):
			return 1
		}
		return cmp.Compare(a.Digest, b.Digest)
	})
	return list
}

// contents lists the releases that an instance could have instead of its own, the newest first: that of the head, and those
// that any environment before this one runs or has proven, if they are newer here in the platform's history.
func (s picker) contents() []Content {
	head := contentOfInstance(s.head, s.Platform.Commit)
	if len(s.Environment.PromotesFrom) == 0 {
		if s.has(head.Digest) {
			return nil
		}
		return []Content{head}
	}
	known := map[string]Content{head.Digest: head}
	position := "" // of the release that runs
	if s.base != nil {
		position = s.base.Commit
	}
	for _, c := range s.up.yielded(s.key) {
		if s.has(c.Digest) && s.history.older(position, c.Commit) {
			position = c.Commit
		}
		if old, ok := known[c.Digest]; !ok || s.history.older(old.Commit, c.Commit) {
			known[c.Digest] = c
		}
	}
	s.history.restoreLeft(s.base, known)
	if s.has(s.head.Release) { // the head's release comes last in history: nothing is newer
		s.moveForward(known)
		return nil
	}
	maps.DeleteFunc(known, func(_ string, c Content) bool { return !s.history.comesAfter(s.base, position, c) })
	return s.history.newestFirst(known)
}

// moveForward moves the release that runs to the position at which the head yields it again, if a release in between would
// otherwise be taken for a newer one.
func (s picker) moveForward(known map[string]Content) {
	for _, c := range known {
		if c.Digest != s.base.Digest && s.history.older(s.base.Commit, c.Commit) {
			s.edit().MoveTo(s.Platform.Commit)
			return
		}
	}
}
