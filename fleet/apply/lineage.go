package apply

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Lineage is the history that a state comes from. By it a daemon tells the clusters that it wrote to from those that
// somebody else did who keeps an environment of the same name: another installation, a copy of this one, or this one before
// its state repository was set back.
//
// On a cluster, inventories and the environment's fence name the state commits that they were last written for. Nothing of
// the environment is written or deleted there unless the history of the state at hand has every one of them.
type Lineage struct {
	Identity string   // of the state repository; empty: it has none yet
	Takeover []string // commits that a person lets go: the inventories written for them are this state's from now on

	// Contains says whether a commit is State.Commit or an ancestor of it.
	Contains func(ctx context.Context, commit string) (bool, error)
}

// Foreign is a state commit that a cluster was last written for and that is not of the state's history.
type Foreign struct {
	Commit   string
	Identity string // of the state repository that it is of, where that is known
	Spent    bool   // a person let it go once, and it was written for again
}

// String says it without the cluster and the environment.
func (f Foreign) String() string { return "the cluster " + f.text("<environment>") }

// Of says it of a cluster and an environment.
func (f Foreign) Of(cluster, environment string) string {
	return "cluster " + cluster + " " + f.text(environment)
}

func (f Foreign) text(environment string) string {
	said := fmt.Sprintf("was last written from state commit %s, which this state repository does not contain: another installation, "+
		"or a backup; nothing of the environment is written there", f.Commit)
	if f.Identity != "" {
		said += "; that commit is of state repository " + f.Identity
	}
	if f.Spent {
		return said + fmt.Sprintf(". It was taken over before and wrote again: end the other installation, then remove the annotation %s "+
			"from ConfigMap %s/<environment>", takeoversAnnotation, systemNamespace)
	}
	return said + fmt.Sprintf("; continue with decisions/%s/takeover.yaml: an Approval with spec {takeover: %s}", environment, f.Commit)
}

// signature names the state that an inventory was written for.
type signature struct {
	State
	identity string
}

// signed is how many inventories of an environment have a signature, and since when there is one, by our clock.
type signed struct {
	count int
	since time.Time
}

// verdict is the result of comparing all signatures of an environment with a lineage.
type verdict struct {
	lineage *Lineage
	turned  int // of the signatures, by then
	foreign *signature
	since   time.Time
}

// errOvertaken ends a visit that would write where somebody else has written meanwhile.
var errOvertaken = errors.New("the cluster was written to for a state commit that this state does not contain")

// hasLineage says whether an instance is written only where its lineage allows it.
func (in *Instance) hasLineage() bool { return in.Lineage != nil && in.State.Commit != "" }

// signature is the one that inventories written for an instance are signed with.
func (in *Instance) signature() signature {
	s := signature{State: in.State}
	if in.Lineage != nil {
		s.identity = in.Lineage.Identity
	}
	return s
}

// continues says whether a signature is of the history that the instance's state comes from. One without a commit is of
// before there were any.
func (in *Instance) continues(ctx context.Context, s signature) (bool, error) {
	if !in.hasLineage() || s.Commit == "" {
		return true, nil
	}
	if own := in.Lineage.Identity; s.identity != "" && own != "" && s.identity != own {
		return false, nil
	}
	if s.Commit == in.State.Commit || in.Lineage.Contains == nil {
		return true, nil
	}
	known, err := in.Lineage.Contains(ctx, s.Commit)
	if err != nil {
		return false, fmt.Errorf("look for state commit %s, which inventories name: %w", s.Commit, err)
	}
	return known, nil
}

// foreignSignature returns the latest signature of the instance's environment that its state does not continue, nil if there is none,
// and since when it is known.
func (c *Cluster) foreignSignature(ctx context.Context, in *Instance) (*signature, time.Time, error) {
	if !in.hasLineage() {
		return nil, time.Time{}, nil
	}
	w := c.inventories
	c.watches.begin(w.stream)
	if err := w.ready(ctx); err != nil {
		return nil, time.Time{}, err
	}
	last, turned := w.verdict(in.Environment)
	if last.lineage == in.Lineage && last.turned == turned {
		return last.foreign, last.since, nil
	}
	now := verdict{lineage: in.Lineage, turned: turned}
	for s, at := range w.signatures(in.Environment) {
		known, err := in.continues(ctx, s)
		if err != nil {
			return nil, time.Time{}, err
		}
		latest := now.foreign == nil || s.Sequence > now.foreign.Sequence
		if latest && !known {
			now.foreign, now.since = &s, at.since
		}
	}
	w.setVerdict(in.Environment, now)
	return now.foreign, now.since, nil
}

// checkLineage finds out whether the state at hand may write to the cluster, and says whether there is anything to look at. A
// foreign commit that became known after the state was fetched may be a later one of the same history: then the visit only
// looks, and the state is to be fetched.
func (p *visit) checkLineage(ctx context.Context) (bool, error) {
	if !p.in.hasLineage() {
		return true, nil
	}
	foreign, since, err := p.cluster.foreignSignature(ctx, &p.in)
	switch {
	case err != nil:
		return false, err
	case foreign == nil:
		return true, nil
	case !p.in.Fetched.IsZero() && since.After(p.in.Fetched):
		p.overtaken, p.write = true, false
		return true, nil
	}
	spent := slices.Contains(p.fence.takeovers(), foreign.Commit)
	if !spent && slices.Contains(p.in.Lineage.Takeover, foreign.Commit) {
		if !p.write {
			return true, nil
		}
		return true, p.fence.takeOver(ctx, *foreign)
	}
	p.foreign = &Foreign{Commit: foreign.Commit, Identity: foreign.identity, Spent: spent}
	return false, nil
}
