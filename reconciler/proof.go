package reconciler

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"

	"transom.dev/fleet/apply"
	"transom.dev/reconciler/gitrepo"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// proof says which files of a state commit are proven to be Transom's where commits are not signed, so that anybody who may
// push can write one that says it is. Bytes are proven that this process rendered and pushed, that a cluster had all of,
// that come of rendering an earlier platform again, or that a person approved. All else is withheld: the clusters keep
// their objects, and the fleet says why.
//
// Promotion and rollback are believed as the Release files have them: who may push to a state branch may promote.
type proof struct {
	logger      *slog.Logger
	environment string
	repo        StateRepo
	evidence    *evidence
	prover      *prover
	platform    *platform.Platform // as of the last pass
	state       *gitrepo.Snapshot
}

// files are the files that an instance on a cluster is written from, as claims: its manifests, and its namespace. A file that is not there
// has no blob.
func (p *proof) files(cluster string, o apply.Owner) (of, namespace claim, err error) {
	of = claim{cluster: cluster, request: platform.RequestKey{Team: o.Team, Name: o.Request}}
	namespace = of
	of.file = state.ManifestFile(cluster, o.Key())
	namespace.file, namespace.namespace = state.NamespaceFile(cluster, o.Team), true
	if of.blob, err = p.state.Blob(of.file); err != nil {
		return of, namespace, err
	}
	namespace.blob, err = p.state.Blob(namespace.file)
	return of, namespace, err
}

// Rest is part of fleet.Proof.
func (p *proof) Rest(cluster string, o apply.Owner) {
	of, namespace, err := p.files(cluster, o)
	if err != nil || of.blob == "" {
		return
	}
	p.evidence.prove(of.file, of.blob)
	if namespace.blob != "" {
		p.evidence.prove(namespace.file, namespace.blob)
	}
}

// Withheld is part of fleet.Proof.
func (p *proof) Withheld(ctx context.Context, cluster string, o apply.Owner) (string, error) {
	of, namespace, err := p.files(cluster, o)
	if err != nil {
		return "", err
	}
	if of.blob != "" && namespace.blob != "" {
		if why, err := p.withheldFile(ctx, namespace); why != "" || err != nil {
			return why, err
		}
	}
	return p.withheldFile(ctx, of)
}

// claim is a file of the state that is to be proven.
type claim struct {
	file      string
	blob      string // empty: there is none any more
	cluster   string
	request   platform.RequestKey // that it is asked for
	namespace bool                // it is the file of the request's team
}

// withheldFile says why a file is not proven, or nothing.
func (p *proof) withheldFile(ctx context.Context, c claim) (string, error) {
	if p.evidence.has(c.file, c.blob) {
		return "", nil
	}
	read := p.read()
	if why := p.evidence.why(c.file, c.blob, read); why != "" {
		return why, nil
	}
	p.prover.mu.Lock()
	defer p.prover.mu.Unlock()
	if p.evidence.has(c.file, c.blob) { // somebody else asked meanwhile
		return "", nil
	}
	unproven, err := p.examine(ctx, c)
	if err != nil {
		return "", err
	}
	if unproven == nil {
		p.evidence.prove(c.file, c.blob)
		return "", nil
	}
	why := unproven.text(p.environment, c)
	p.evidence.deny(c.file, denial{blob: c.blob, platform: read, why: why})
	p.logger.Warn("state held back", "environment", p.environment, "team", c.request.Team, "request", c.request.Name,
		"cluster", c.cluster, "file", c.file, "commit", unproven.commit, "author", unproven.author, "cause", unproven.reason)
	return why, nil
}

// read is the platform's commit, and how much of it was read: an Approval may be among the decisions that a later load reads.
func (p *proof) read() string {
	return fmt.Sprintf("%s but for %d", p.platform.Commit, p.platform.Deferred())
}

// unproven is why a file is not proven.
type unproven struct {
	commit, author string // that brought it, and who says to have written that
	reason         string
}

func (d *unproven) text(environment string, c claim) string {
	change := c.file
	if c.blob == "" {
		change = "the removal of " + change
	}
	return fmt.Sprintf("held back: %s in state commit %s by %s is not proven to be Transom's: %s. Nothing of it is applied, healed or "+
		"pruned. If it is to be, merge decisions/%s/%s.yaml: an Approval with spec {state: %s}; else set the state branch back to "+
		"the commit before", change, d.commit, d.author, d.reason, environment, "state-"+d.commit[:min(7, len(d.commit))], d.commit)
}

// depth bounds how many commits that changed a file are looked at for the one that its bytes were rendered for.
const depth = 20

// examine tries to prove a file: with the state and the platform of now, then with those of the time when the bytes were
// committed. nil: it is proven.
func (p *proof) examine(ctx context.Context, c claim) (*unproven, error) {
	first, err := p.comes(ctx, c, p.state, p.platform)
	if err != nil || first == "" {
		return nil, err
	}
	log, err := p.repo.Log(ctx, c.file, depth)
	if err != nil {
		return nil, err
	}
	d := &unproven{reason: first}
	for _, info := range log {
		at, err := p.repo.At(ctx, info.Commit)
		if err != nil {
			return nil, err
		}
		if blob, err := at.Blob(c.file); err != nil || blob != c.blob {
			continue
		}
		if d.commit == "" {
			d.commit, d.author = info.Commit, fmt.Sprintf("%s <%s>", info.Author.Name, info.Author.Email)
		}
		if p.approved(info.Commit) {
			return nil, nil
		}
		why, err := p.cameThen(ctx, c, info, at)
		if err != nil || why == "" {
			return nil, err
		}
	}
	d.commit = cmp.Or(d.commit, p.state.Commit)
	d.author = cmp.Or(d.author, "somebody")
	return d, nil
}

// approved says whether a person decided that the files of a state commit are to be applied.
func (p *proof) approved(commit string) bool {
	return slices.ContainsFunc(approvals(p.platform, p.environment), func(d *platform.Decision) bool { return d.State == commit })
}

// cameThen says why a file does not come of the state and the platform at a commit that has the same file, or nothing.
func (p *proof) cameThen(ctx context.Context, c claim, info gitrepo.CommitInfo, at *gitrepo.Snapshot) (string, error) {
	followed := info.Trailer(state.TrailerPlatformCommit)
	if len(followed) == 0 {
		return "it names no platform commit", nil
	}
	then, err := p.prover.at(ctx, followed[0])
	if err != nil || then == nil {
		return "the platform's branch has no commit " + followed[0], err
	}
	return p.comes(ctx, c, at, then)
}

// comes says why a file does not come of the records of a state and of a platform, or nothing.
func (p *proof) comes(ctx context.Context, c claim, at *gitrepo.Snapshot, then *platform.Platform) (string, error) {
	if c.blob == "" {
		return p.prover.gone(ctx, c, at, then)
	}
	content, err := p.state.ReadFile(c.file)
	if err != nil {
		return "", err
	}
	if c.namespace {
		return p.prover.rendersNamespace(ctx, c, content, at, then)
	}
	return p.prover.renders(ctx, c, content, at, then)
}
