package platform

import (
	"slices"
	"time"
)

// Overdue says whether the last day of the version is over.
func (v *Version) Overdue(now time.Time) bool {
	return v.RemoveAfter != "" && v.RemoveAfter < now.UTC().Format(time.DateOnly)
}

// Overdue lists, as Warnings, the versions that are published although their last day is over. They are no part of Problems, since
// loading the same commit gives the same on every day. A request keeps such a version for the same reason: only the stage of its
// life, which is a merged change, takes a version away from people.
func (p *Platform) Overdue(now time.Time) (all []Problem) {
	for _, o := range p.Offerings {
		for _, v := range o.Versions {
			if !v.Overdue(now) {
				continue
			}
			w := v.removal
			w.Warning, w.Message = true, v.overdue()
			all = append(all, w)
		}
	}
	slices.SortFunc(all, Problem.Compare)
	return all
}

func (v *Version) overdue() string {
	remedy := "\"transom usage " + v.Offering + "\" says who uses it; withdraw it with lifecycle: withdrawn, so that no request takes it any more"
	if v.Lifecycle == Withdrawn {
		remedy = "\"transom usage " + v.Offering + "\" says when " + v.Dir + " can be removed"
	}
	return v.RemoveAfter + " is past, and " + v.String() + " is still published; " + remedy + ", or write a later date"
}
