package golden

import (
	"fmt"
	"path"
	"slices"

	"transom.dev/render"
	"transom.dev/render/internal/immutable"
	"transom.dev/render/platform"
	"transom.dev/render/preview"
)

// An upgrader moves golden cases along the versions of one offering, in ascending order, and warns of the effects.
//
// The cases of the versions before go from each version to the next: each effect of a move over several is an effect of one
// of its steps. The cases that a version brings are new to all before it, so they come from each of those. From a minor
// version only the newest patch counts, with its cases: whoever follows a range has taken the others or is about to, and
// the time that it takes stays in bounds. A case that cannot be rendered with both is skipped: its request is not one
// that moves.
type upgrader struct {
	renderer *render.Renderer
	custom   immutable.Lookup
	earlier  []*platform.Version // from which requests may move to the next one, ascending
	moving   []*moving           // the cases of those
	told     map[string]*platform.Version
}

// A moving case is one of a version before.
type moving struct {
	*Case
	at  *platform.Version // the newest that rendered it
	was []byte
}

// move moves to a version that has these cases.
func (u *upgrader) move(to *platform.Version, cases []*Case) error {
	if n := len(u.earlier); n > 0 && u.earlier[n-1].Number.Major() != to.Number.Major() {
		u.leave(u.earlier[n-1]) // another major version is a step that somebody takes by hand, from the last
	}
	said := map[string]bool{}
	for _, c := range cases {
		for _, from := range slices.Backward(u.earlier) {
			if err := u.compare(c, from, to, c.as(u.renderer, from), c.Got, said); err != nil {
				return err
			}
		}
	}
	for _, m := range u.moving {
		if slices.ContainsFunc(cases, m.same) {
			continue
		}
		now := m.as(u.renderer, to)
		if err := u.compare(m.Case, m.at, to, m.was, now, said); err != nil {
			return err
		}
		if now != nil && followed(to) {
			m.at, m.was = to, now
		}
	}
	u.arrive(to, cases)
	return nil
}

// leave keeps only one version, and the cases that it rendered.
func (u *upgrader) leave(last *platform.Version) {
	u.earlier = []*platform.Version{last}
	u.moving = slices.DeleteFunc(u.moving, func(m *moving) bool { return m.at != last })
}

// arrive takes in a version that requests may move on from. The first ones stand in for such.
func (u *upgrader) arrive(v *platform.Version, cases []*Case) {
	if !followed(v) && slices.ContainsFunc(u.earlier, followed) {
		return
	}
	gone := func(old *platform.Version) bool {
		return old.Number.Major() != v.Number.Major() || old.Number.Minor() == v.Number.Minor()
	}
	u.earlier = append(slices.DeleteFunc(u.earlier, gone), v)
	if len(cases) > 0 {
		u.moving = slices.DeleteFunc(u.moving, func(m *moving) bool { return gone(m.Version) || slices.ContainsFunc(cases, m.same) })
	}
	for _, c := range cases {
		if c.Got != nil {
			u.moving = append(u.moving, &moving{Case: c, at: v, was: c.Got})
		}
	}
}

// followed says whether a range of versions may come to this one. A withdrawn one is not tested at all.
func followed(v *platform.Version) bool {
	return v.Number.Prerelease() == "" && v.Lifecycle != platform.Experimental
}

// compare warns of the effects of moving a case. An effect of this move that was reported is not reported again, and of a
// longer one only those are that no step of it was reported to have.
func (u *upgrader) compare(c *Case, from, to *platform.Version, before, after []byte, said map[string]bool) error {
	if before == nil || after == nil {
		return nil
	}
	remarks, err := preview.Effects(before, after, u.custom)
	if err != nil {
		return err
	}
	for _, remark := range remarks {
		step := u.told[remark]
		longer := from != u.earlier[len(u.earlier)-1]
		toldByStep := step != nil && longer && step.Number.GreaterThan(from.Number)
		if said[remark] || toldByStep {
			continue
		}
		said[remark], u.told[remark] = true, to
		c.Problems = append(c.Problems, platform.Problem{
			File: path.Join(c.Dir, "request.yaml"), Rule: "upgrade", Warning: true,
			Message: fmt.Sprintf("moving from %s to %s %s", from.Number, to.Number, remark),
		})
	}
	return nil
}

// same reports whether another case renders the same request in the same setting.
func (m *moving) same(other *Case) bool { return m.content == other.content }

// as renders the case with another version of its offering; nil where that does not take it.
func (c *Case) as(r *render.Renderer, v *platform.Version) []byte {
	if c.loaded == nil {
		return nil // it was not run
	}
	rendered, problems := c.show(r, render.Manner{Version: v, Unsigned: true})
	if slices.ContainsFunc(problems, func(p platform.Problem) bool { return !p.Warning }) {
		return nil
	}
	return rendered.Manifest
}
