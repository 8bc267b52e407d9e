package fleet

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"transom.dev/fleet/apply"
	"transom.dev/render/state"
)

// traces is the part of a promotion by which the manifests of revisions that failed or were taken back are found again.
func traces(p state.Promotion) (kept state.Promotion) {
	for _, f := range p.Rejected {
		if f.State != "" {
			kept.Rejected = append(kept.Rejected, state.Failure{Cluster: f.Cluster, RenderKey: f.RenderKey, State: f.State})
		}
	}
	if p.Left != nil && p.Left.State != "" {
		kept.Left = p.Left
	}
	kept.TakenBack = p.TakenBack
	return kept
}

// mayReplace says whether a version may be replaced without a person.
func (a *assignment) mayReplace(offering, version string) bool {
	return a.Reversible != nil && a.Reversible(offering, version)
}

// superseded returns a function that reads the manifests that the cluster had of an instance's revisions that failed there or
// were taken back, as far as their versions may be replaced without a person; nil: the record knows of none.
func (a *assignment) superseded(o apply.Owner, r *state.Release) func(context.Context) ([][]byte, error) {
	var wanted []supersededRevision
	for _, f := range r.Promotion.Rejected {
		if f.Cluster == a.cluster.Name {
			wanted = append(wanted, supersededRevision{state: f.State, renderKey: f.RenderKey})
		}
	}
	if left := r.Promotion.Left; left != nil {
		wanted = append(wanted, supersededRevision{state: left.State, release: left.Release})
	}
	for _, taken := range r.Promotion.TakenBack {
		wanted = append(wanted, supersededRevision{state: taken.State, release: taken.Release})
	}
	if a.Past == nil || len(wanted) == 0 {
		return nil
	}
	return func(ctx context.Context) ([][]byte, error) {
		var all [][]byte
		for _, w := range wanted {
			manifests, err := a.readSuperseded(ctx, o, w)
			if err != nil {
				return nil, fmt.Errorf("read what %s had at state commit %s: %w", o, w.state, err)
			}
			if manifests != nil {
				all = append(all, manifests)
			}
		}
		return all, nil
	}
}

// supersededRevision names a revision by a state commit that had it and by its render key or its release.
type supersededRevision struct{ state, renderKey, release string }

// names says whether it is the revision of a render key and a release.
func (r supersededRevision) names(renderKey, release string) bool {
	if r.renderKey != "" && r.renderKey != renderKey {
		return false
	}
	return r.release == "" || r.release == release
}

// readSuperseded returns the manifests of a revision; nil if the commit does not have it, or its version may not be replaced.
func (a *assignment) readSuperseded(ctx context.Context, o apply.Owner, w supersededRevision) ([]byte, error) {
	past, err := a.Past(ctx, w.state)
	if err != nil {
		return nil, err
	}
	data, err := past.ReadFile(releaseFile(o))
	if err != nil {
		return nil, err
	}
	then, err := state.DecodeRelease(data)
	if err != nil {
		return nil, fmt.Errorf("decode %s: %w", releaseFile(o), err)
	}
	placed := then.Clusters[a.cluster.Name]
	version := cmp.Or(placed.Version, then.Version)
	if placed.Revision == "" || !w.names(placed.RenderKey, cmp.Or(placed.Release, then.Digest)) || !a.mayReplace(then.Offering, version) {
		return nil, nil
	}
	manifests, err := past.ReadFile(a.manifests(o))
	if err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(manifests); "sha256:"+hex.EncodeToString(sum[:]) != placed.Revision {
		return nil, nil
	}
	return manifests, nil
}
