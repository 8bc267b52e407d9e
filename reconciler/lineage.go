package reconciler

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"transom.dev/fleet"
	"transom.dev/fleet/apply"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// newIdentity makes an identity for a state repository that has none.
func newIdentity() string {
	random := make([]byte, 16)
	_, _ = rand.Read(random) // it never fails
	return hex.EncodeToString(random)
}

// lineage is the history that an environment's state comes from, and the commits of others that people took over.
func lineage(p *platform.Platform, l *lane, h *held) *apply.Lineage {
	repo, head := l.repo, h.ours.Commit
	of := &apply.Lineage{Identity: h.base.Fleet.Identity}
	if head != "" {
		of.Contains = func(ctx context.Context, commit string) (bool, error) { return repo.Contains(ctx, head, commit) }
	}
	for _, d := range p.Decisions {
		if d.Kind == "Approval" && d.Environment == l.name && d.Takeover != "" && !d.Broken {
			of.Takeover = append(of.Takeover, d.Takeover)
		}
	}
	return of
}

// estranged tells whether somebody else keeps an environment on a cluster.
func (r *Reconciler) estranged(result fleet.Result) {
	if result.Err != nil || result.Doubted {
		return
	}
	why := ""
	if result.Foreign != nil {
		why = result.Message
	}
	r.Board.Refused(result.Environment, result.Cluster, why)
}

// reservedPaths are the names that a state repository or a platform repository has at its top.
var reservedPaths = slices.Concat(state.Top(), []string{"environments", "offerings", "requests"})

// firstContact says why a branch that has no commit of Transom's is not begun on, or nothing: it may hold somebody's state
// or platform.
func firstContact(at platform.StateRepository, h *held) (refused string, err error) {
	if h.ours.Commit != "" || h.head.Commit == "" {
		return "", nil
	}
	files, err := h.head.Blobs(".")
	if err != nil {
		return "", fmt.Errorf("read state commit %s: %w", h.head.Commit, err)
	}
	found := map[string]bool{}
	for file := range files {
		if first, _, _ := strings.Cut(file, "/"); slices.Contains(reservedPaths, first) {
			found[first] = true
		}
	}
	if len(found) == 0 {
		return "", nil
	}
	return fmt.Sprintf("branch %s of %s has no commit of Transom's, and holds %s: it may be another repository, or a state that was "+
		"copied without its history, so nothing is committed to it; name an empty branch in spec.state, or remove them",
		at.Branch, at.URL, strings.Join(slices.Sorted(maps.Keys(found)), ", ")), nil
}
