package apply

import (
	"context"
	"fmt"
	"slices"

	"transom.dev/render/state"
)

// Proof says whether the files that a state has of an instance on a cluster were Transom's to write. Its methods are called
// in visits, by many goroutines at a time.
type Proof interface {
	// Withheld says why nothing may be written or deleted, or nothing. It is asked before anything is that the cluster does
	// not have of this very state already. An error means that nobody knows yet.
	Withheld(ctx context.Context) (string, error)

	// Rest is told that the cluster has all of it: the files that were applied for the instance before are these very bytes.
	Rest()
}

// prove finds out whether anything may be written or deleted. An instance at rest needs no proof: fields of it that others
// change are mended at once.
func (p *visit) prove(ctx context.Context) (err error) {
	switch {
	case p.in.Proof == nil:
		return nil
	case p.isAtRest():
		p.in.Proof.Rest()
		return nil
	case p.in.Absent && len(p.inventory.listed) == 0:
		return nil
	}
	if p.unproven, err = p.in.Proof.Withheld(ctx); err != nil {
		return fmt.Errorf("prove what is to be written: %w", err)
	}
	return nil
}

// isAtRest says whether every object carries the desired digest, and nothing is to be pruned. An inventory that
// remembers a soak of the revision says of the instance's own objects that they did.
func (p *visit) isAtRest() bool {
	if p.in.Absent {
		return false
	}
	other := func(d *desired) bool { return !d.isAtRevision() }
	if slices.ContainsFunc(p.teamObjects, other) {
		return false
	}
	soaked := p.in.Revision != "" && p.inventory.checkpoint.Revision == state.ObservedAs(p.in.Revision, p.in.Anew)
	if soaked {
		return true
	}
	return len(p.pruning.orphans()) == 0 && !slices.ContainsFunc(p.objects, other)
}
