package promotion

import (
	"fmt"
	"maps"
	"strings"

	"transom.dev/render/state"
)

// Summary describes in a line how a commit changes the record of an instance, which may have had none before.
func Summary(before, after *state.Release) string {
	release := after.Offering + " " + after.Version
	was := phaseOf(before)
	switch {
	case after.Absent && was != removing && was != gone:
		return "remove " + after.Key.String()
	case before != nil && before.Digest == after.Digest && sameRevisions(before, after):
		return summaryOfRecord(before, after)
	case causeOf(after) == state.CauseRollback:
		return fmt.Sprintf("roll %s back to %s", after.Key, release)
	case len(pending(after)) > 0 && len(after.Promotion.Rollout.Moved) > 0:
		return fmt.Sprintf("%s to %s on %s", after.Key, release, strings.Join(after.Promotion.Rollout.Moved, ", "))
	}
	return fmt.Sprintf("%s to %s", after.Key, release)
}

// summaryOfRecord describes the news in a record whose manifests stay.
func summaryOfRecord(before, after *state.Release) string {
	was, is := phaseOf(before), phaseOf(after)
	proof := newestProof(after)
	switch {
	case is == stopped && was != stopped:
		return fmt.Sprintf("stop %s at %s %s", after.Key, after.Offering, after.Version)
	case proof.Soaked != "" && !sameProof(proof, newestProof(before)):
		return fmt.Sprintf("%s proved %s %s for %s", after.Key, after.Offering, proof.Version, proof.Soaked)
	case was.open() && !is.open():
		return fmt.Sprintf("%s is healthy with %s %s", after.Key, after.Offering, after.Version)
	}
	return fmt.Sprintf("record of %s", after.Key)
}

func sameRevisions(a, b *state.Release) bool {
	return maps.EqualFunc(a.Clusters, b.Clusters, func(x, y state.Placement) bool { return x.Revision == y.Revision })
}

func sameProof(a, b state.Proof) bool { return a.Digest == b.Digest && a.Soaked == b.Soaked }

// newestProof is the proof that was added last, or a zero one.
func newestProof(r *state.Release) state.Proof {
	if len(r.Promotion.Proven) == 0 {
		return state.Proof{}
	}
	return r.Promotion.Proven[len(r.Promotion.Proven)-1]
}
