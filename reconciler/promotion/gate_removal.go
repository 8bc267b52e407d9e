package promotion

import (
	"fmt"
	"slices"

	"transom.dev/render/gate"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// unprovenRemoval is closed for the removal of a request that an upstream runs still, or was not well without for long enough. An
// upstream that took the request as it is without this environment, and keeps it, says nothing about that.
func unprovenRemoval(q *question) (closed []Gate) {
	if len(q.Environment.PromotesFrom) == 0 || q.base.Request == nil {
		return nil
	}
	soak := q.soak()
	for _, up := range q.up.nearest(q.base.Request) {
		if q.up.unconcerned(up, q.base) {
			continue
		}
		if g := q.up.provenGone(up, q.base, soak); g != nil {
			closed = append(closed, *g)
			continue
		}
		q.from = append(q.from, up)
	}
	return closed
}

// unapprovedRemoval is closed for a removal that a person has to approve: where nothing before has proven it, where the offering
// has each removal confirmed, and where a person approves all that changes here. One Approval does for all of these; an Override
// for the last alone.
func unapprovedRemoval(q *question) []Gate {
	e := q.Environment
	asksProof := len(e.PromotesFrom) > 0 && q.base.Request != nil && e.Gates.Unproven != "allow"
	unproven := asksProof && len(q.from)+len(q.closed) == 0
	var reason string
	switch {
	case unproven:
		reason = "its removal needs an Approval: no environment before " + e.Name + " has been well without it"
	case q.confirmsRemoval():
		reason = "its removal needs an Approval: removals of " + q.base.Offering + " are confirmed"
	case q.needsApproval():
		reason = "its removal needs an Approval, as all that changes in " + e.Name
	default:
		return nil
	}
	if d := q.exact(); d != nil {
		q.passed = append(q.passed, q.people.passed(gate.Approval, d))
		return nil
	}
	if !unproven && !q.confirmsRemoval() && q.skips() {
		return nil
	}
	return []Gate{{Name: gate.Approval, Reason: reason + q.tooEarly(), Opens: q.people.approvalOf(q.to)}}
}

// confirmsRemoval reports whether a person has to approve each removal of an offering.
func (q *question) confirmsRemoval() bool {
	o := q.Platform.Offerings[q.base.Offering]
	now := o != nil && o.Deletion == platform.DeletionConfirm
	return q.base.Deletion == platform.DeletionConfirm || now
}

// heldOnClusters is closed for a removal while one of its clusters is held: the instance leaves all of them at once.
func heldOnClusters(q *question) (closed []Gate) {
	for _, cluster := range sortedKeys(q.base.Clusters) {
		closed = append(closed, one(q.people.holdOf(cluster, q.to))...)
	}
	return closed
}

// boundTo is closed for a removal while a request that runs here is bound to it, or may be.
func boundTo(q *question) []Gate {
	if users := q.consumers()[q.key]; len(users) > 0 {
		return []Gate{boundConsumer(users[0])}
	}
	return one(bindings{q.View}.unseenConsumer(q.key))
}

func boundConsumer(consumer platform.RequestKey) Gate {
	return Gate{
		Name: gate.Binding, Reason: fmt.Sprintf("%s runs here and is bound to it", consumer), Opens: "binding that to another request, or removing it too",
	}
}

// bindings are the requests that are bound to others.
type bindings struct{ view *View }

// consumers lists, by request, the requests that run here and are bound to it, sorted.
func (b bindings) consumers() map[platform.RequestKey][]platform.RequestKey {
	users := map[platform.RequestKey][]platform.RequestKey{}
	for consumer, r := range b.view.Releases.All() {
		if !runs(r) && len(pending(r)) == 0 {
			continue
		}
		for _, bound := range []*state.Release{r, b.mayReturnTo(r)} {
			if bound == nil {
				continue
			}
			for _, provider := range bound.Bindings(b.view.Environment.Name) {
				users[provider] = append(users[provider], consumer)
			}
		}
	}
	for _, list := range users {
		slices.SortFunc(list, platform.RequestKey.Compare)
	}
	return users
}

// mayReturnTo is the release that a consumer still has on clusters that wait for their turn, or for their pruning, and goes
// back to if its rollout fails; nil: it has left that for good.
func (b bindings) mayReturnTo(r *state.Release) *state.Release {
	ran := r.Promotion.Ran
	changing := phaseOf(r).open() || partial(r)
	if !changing || len(ran) == 0 {
		return nil
	}
	before, err := b.view.Lookup.Ran(ran[len(ran)-1].State, r.Key)
	if err != nil || !runs(before) {
		return nil
	}
	return before
}

// unseenConsumer is the gate of a removal while a cluster may still run another request of the team at a revision before its
// present one: a release that was left before it was healthy is in no record any more, and may have been bound to this one.
func (b bindings) unseenConsumer(k platform.RequestKey) (found *Gate) {
	var first platform.RequestKey
	for other, r := range b.view.Releases.OfTeam(k.Team) {
		later := found != nil && first.Compare(other) < 0
		if other == k || later {
			continue
		}
		if cluster := b.unseen(other, r); cluster != "" {
			first, found = other, &Gate{
				Name: gate.Binding, Reason: fmt.Sprintf("%s may still run on %s what was bound to it", other, cluster),
				Opens: "the present revision of that on " + cluster,
			}
		}
	}
	return found
}

// unseen is the first cluster that was not seen yet with the revision that a rollout has put there; empty: there is none.
func (b bindings) unseen(k platform.RequestKey, r *state.Release) string {
	if !runs(r) || !phaseOf(r).open() {
		return ""
	}
	e := b.view.Environment
	for _, cluster := range r.Promotion.Rollout.Moved {
		if b.view.counts(e, cluster) && b.view.Observe(e.Name, k, cluster).Revision != r.Clusters[cluster].Observed() {
			return cluster
		}
	}
	return ""
}
