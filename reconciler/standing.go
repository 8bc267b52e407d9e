package reconciler

import (
	"slices"
	"strings"
	"time"

	"transom.dev/render/decision"
	"transom.dev/render/platform"
	"transom.dev/render/wording"
)

// inForce reports whether a decision keeps something as it is until it is taken back.
func inForce(d *platform.Decision, now time.Time) bool {
	ended := !d.Until.IsZero() && !now.Before(d.Until)
	return slices.Contains(decision.Standing(), d.Kind) && !d.Broken && !ended && !now.Before(d.From)
}

// teamOf is the team whose requests alone a decision is about; empty: it is about those of several.
func teamOf(d *platform.Decision) string {
	if d.Request != nil {
		return d.Request.Team
	}
	return d.Team
}

// about names the subject of a decision.
func about(d *platform.Decision) string {
	var parts []string
	if d.Request != nil {
		parts = append(parts, d.Request.String())
	}
	if d.Offering != "" {
		parts = append(parts, "offering "+strings.TrimSuffix(d.Offering+"@"+d.Version, "@"))
	}
	if d.Team != "" {
		parts = append(parts, "team "+d.Team)
	}
	if d.Cluster != "" {
		parts = append(parts, "cluster "+d.Cluster)
	}
	if len(parts) == 0 {
		parts = append(parts, "all of "+d.Environment)
	}
	if len(d.Skip) > 0 {
		parts = append(parts, "skips "+strings.Join(wording.Strings(d.Skip), ", "))
	}
	return strings.Join(parts, ", ")
}
