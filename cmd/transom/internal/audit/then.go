package audit

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"transom.dev/cmd/transom/internal/terminal"
	"transom.dev/reconciler/gitrepo"
	"transom.dev/render"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// Then is the placements that an environment was to run at a time, with the commits that they come from.
type Then struct {
	Environment string    `json:"environment"`
	At          time.Time `json:"at"`
	State       string    `json:"state"`     // the state commit of that time
	Committed   time.Time `json:"committed"` // when it was made
	Platform    string    `json:"platform"`  // the last accepted platform commit
	Placements  []RanOn   `json:"placements"`
}

// RanOn is one instance on one cluster.
type RanOn struct {
	Cluster  string              `json:"cluster"`
	Request  platform.RequestKey `json:"request"`
	Offering string              `json:"offering"`
	Version  string              `json:"version"`
	Release  string              `json:"release"`
	Revision string              `json:"revision"`
	Commit   string              `json:"commit,omitempty"` // the platform commit that yielded the release
}

// At reads the state of an environment as it was at a time.
func At(ctx context.Context, repo *State, environment string, at time.Time) (*Then, error) {
	log, err := repo.Log(ctx, ".", everything)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(log, func(c gitrepo.CommitInfo) bool {
		return !c.When.After(at) && len(c.Trailer(state.TrailerPlatformCommit)) > 0
	})
	if i < 0 {
		return nil, fmt.Errorf("%s had no state at %s: its first commit is of %s", environment, at.Format(time.RFC3339), log[len(log)-1].When.UTC().Format(time.RFC3339))
	}
	snapshot, err := repo.At(ctx, log[i].Commit)
	if err != nil {
		return nil, err
	}
	base, err := render.ReadBase(snapshot)
	if err != nil {
		return nil, fmt.Errorf("state commit %s: %w", terminal.Short(log[i].Commit), err)
	}
	found := &Then{
		Environment: environment, At: at, State: log[i].Commit, Committed: log[i].When,
		Platform: base.Fleet.Platform, Placements: []RanOn{},
	}
	for _, release := range base.Releases {
		found.add(release)
	}
	slices.SortFunc(found.Placements, func(x, y RanOn) int {
		return cmp.Or(strings.Compare(x.Cluster, y.Cluster), x.Request.Compare(y.Request))
	})
	return found, nil
}

// add lists the placements of a Release file. A cluster whose wave was still to come had the release that its entry names.
func (r *Then) add(release *state.Release) {
	for cluster, placed := range release.Clusters {
		on := RanOn{
			Cluster: cluster, Request: release.Key, Offering: release.Offering, Version: cmp.Or(placed.Version, release.Version),
			Release: cmp.Or(placed.Release, release.Digest), Revision: placed.Revision,
		}
		if placed.Release == "" {
			on.Commit = release.Commit
		}
		r.Placements = append(r.Placements, on)
	}
}
