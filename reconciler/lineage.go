package reconciler

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"transom.dev/fleet/apply"
	"transom.dev/render/decision"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// newIdentity makes an identity for a state repository that has none.
func newIdentity() string {
	random := make([]byte, 16)
	_, _ = rand.Read(random) // it never fails
	return hex.EncodeToString(random)
}

// accept says why the environment must not follow the platform, or nothing. A platform whose head does not continue
// the commit that the state came from was rewound or rewritten: every file that it lacks may be missing by mistake.
func (p *pass) accept(ctx context.Context) (frozen string, err error) {
	if frozen, err := firstContact(p.environment.State, p.state); err != nil || frozen != "" {
		return frozen, err
	}
	last := p.state.base.Fleet.Platform
	if last == "" || last == p.platform.Commit {
		return "", nil
	}
	continues, err := p.r.Platform.IsAncestor(ctx, last, p.platform.Commit)
	if err != nil || continues {
		return "", err
	}
	p.state.abandons = p.approves(func(d *platform.Decision) bool { return d.Platform == last })
	if p.state.abandons {
		return "", nil
	}
	if why, err := p.r.overtaken(ctx, last); why != "" || err != nil {
		return why, err
	}
	return fmt.Sprintf("the platform's history was rewritten: %s does not continue %s, which this environment runs; "+
		"nothing is committed or deleted. Push a branch that contains %s, or, to abandon it, merge "+
		"decisions/%s/abandon.yaml: an Approval with spec {platform: %s}", p.platform.Commit, last, last, p.environment.Name, last), nil
}

// approves says whether a person merged an Approval for the environment that is of such a kind.
func (p *pass) approves(kind func(*platform.Decision) bool) bool {
	return slices.ContainsFunc(approvals(p.platform, p.environment.Name), kind)
}

// approvals are the Approvals for an environment that can be read.
func approvals(p *platform.Platform, environment string) (all []*platform.Decision) {
	for _, d := range p.Decisions {
		if d.Kind == decision.Approval && d.Environment == environment && !d.Broken {
			all = append(all, d)
		}
	}
	return all
}

// lineage is the history that the environment's state comes from, and the commits of others that people took over.
func (p *pass) lineage() *apply.Lineage {
	repo, head := p.loop.branch.repo, p.state.believed.Commit
	of := &apply.Lineage{Identity: p.state.base.Fleet.Identity}
	if head != "" {
		of.Contains = func(ctx context.Context, commit string) (bool, error) { return repo.Contains(ctx, head, commit) }
	}
	for _, d := range approvals(p.platform, p.environment.Name) {
		if d.Takeover != "" {
			of.Takeover = append(of.Takeover, d.Takeover)
		}
	}
	return of
}

// reservedPaths are the names that a state repository or a platform repository has at its top.
var reservedPaths = slices.Concat(state.Top(), []string{"environments", "offerings", "requests"})

// firstContact says why a branch that has no commit of Transom's is not begun on, or nothing: it may have somebody's state
// or platform.
func firstContact(at platform.StateRepository, content *stateContent) (refused string, err error) {
	if content.believed.Commit != "" || content.head.Commit == "" {
		return "", nil
	}
	files, err := content.head.Blobs(".")
	if err != nil {
		return "", fmt.Errorf("read state commit %s: %w", content.head.Commit, err)
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
