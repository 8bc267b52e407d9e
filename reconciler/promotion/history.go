package promotion

import "transom.dev/render/platform"

// place is how far a record has come in the platform's history: to the release that it runs, or to the one that it left for
// an older one.
func (p *Pass) place(r *platform.Release) string {
	if left := r.Promotion.Left; left != nil && p.view.Prospects.Older(r.Commit, left.Commit) {
		return left.Commit
	}
	return r.Commit
}

// leave notes in the record of a release that comes, where it is older than the one that it takes the place of, the release
// that is left.
func (p *Pass) leave(from, to *platform.Release) {
	if from == nil {
		return
	}
	left := from.Promotion.Left
	if left == nil || p.view.Prospects.Older(left.Commit, from.Commit) {
		left = &platform.ReleaseLeft{Release: from.Digest, Commit: from.Commit, State: p.view.State}
	}
	to.Promotion.Left = nil
	if p.view.Prospects.Older(to.Commit, left.Commit) {
		to.Promotion.Left = left
	}
}

// newerThan reports whether a content comes after the release that a record runs, and not before the one that it left.
func (p *Pass) newerThan(r *platform.Release, place string, c Content) bool {
	if r == nil {
		return true
	}
	left := r.Promotion.Left
	return c.Digest != r.Digest && p.view.Prospects.Older(place, c.Commit) &&
		(left == nil || !p.view.Prospects.Older(c.Commit, left.Commit))
}

// remember gives the release that was left the place in history that it had here, where others know an earlier one: it may
// come back itself, if its gates let it.
func (p *Pass) remember(r *platform.Release, known map[string]Content) {
	if r == nil || r.Promotion.Left == nil {
		return
	}
	left := r.Promotion.Left
	if c, ok := known[left.Release]; ok && p.view.Prospects.Older(c.Commit, left.Commit) {
		c.Commit = left.Commit
		known[left.Release] = c
	}
}
