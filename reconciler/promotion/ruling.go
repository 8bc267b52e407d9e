package promotion

import (
	"slices"

	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// A ruling is all that Choose decided about one instance. It is made in one go; where a later step of the same pass decides
// otherwise, another ruling replaces it. The zero value says that there is nothing here and nothing comes.
type ruling struct {
	instance  *platform.Instance // runs from now on
	move      *move              // by which another release enters, or the removal; nil: the instance stays
	restore   *Restoration       // the instance goes back to bytes that ran
	kept      bool               // the instance cannot be resolved, and stays as it is
	forgotten bool               // the file of the tombstone goes
}

// A move is the entry of another release, or the removal, that Choose decided for an instance.
type move struct {
	*candidate
	queued bool // it enters only if its group has a free slot
}

// removes reports whether the removal of the instance enters.
func (r ruling) removes() bool { return r.move != nil && r.move.removal }

// passing is the ruling with a move that passed one more gate.
func (r ruling) passing(g state.PassedGate) ruling {
	to := *r.move.candidate
	to.passed = append(slices.Clip(to.passed), g)
	r.move = &move{candidate: &to, queued: r.move.queued}
	return r
}

// instances lists those that the chooser decided about and that run from now on, in no order.
func (c *chooser) instances() (all []*platform.Instance) {
	for _, r := range c.rulings {
		if r.instance != nil {
			all = append(all, r.instance)
		}
	}
	return all
}

// moves are those that entered, by request.
func (c *chooser) moves() map[platform.RequestKey]*move {
	all := map[platform.RequestKey]*move{}
	for k, r := range c.rulings {
		if r.move != nil {
			all[k] = r.move
		}
	}
	return all
}

// choice makes the Choice of all rulings.
func (c *chooser) choice(instances *platform.InstanceSet, of decided) *Choice {
	keep, restore, forget := map[platform.RequestKey]bool{}, map[platform.RequestKey]Restoration{}, []platform.RequestKey(nil)
	for k, r := range c.rulings {
		switch {
		case r.kept:
			keep[k] = true
		case r.restore != nil:
			restore[k] = *r.restore
		case r.forgotten:
			forget = append(forget, k)
		}
	}
	slices.SortFunc(forget, platform.RequestKey.Compare)
	return &Choice{
		Instances: instances, Keep: keep, Records: c.records, Restore: restore, Forget: forget,
		Deletions: c.deletions.digest, decided: of,
	}
}
