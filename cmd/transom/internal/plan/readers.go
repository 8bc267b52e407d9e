package plan

import (
	"slices"
	"strings"

	"transom.dev/render/preview"
)

// Readers are people who see the differences of their own teams alone: manifests are for the developers of their team. Of all others
// they see which objects change, and how dangerous that is. Nil readers see everything.
type Readers struct{ Teams []string }

// see says whether the differences of a team's objects are shown; an empty team is the fleet.
func (r *Readers) see(team string) bool { return r == nil || slices.Contains(r.Teams, team) }

// note says which differences there are.
func (r *Readers) note() string {
	if len(r.Teams) == 0 {
		return "Differences are left out: they are for the developers of their team, and for operators."
	}
	return "Differences are those of " + strings.Join(r.Teams, ", ") + ": those of other teams are for their developers, and for operators."
}

// blocks gathers the changes of each owner. Changes whose differences are withheld are apart from those that are shown.
func (r *Readers) blocks(all []preview.Change) []*changeBlock {
	order := blocks(all)
	for _, b := range order {
		b.withheld = !r.see(b.groups[0].Team)
	}
	return order
}
