package reconciler

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"sync"

	"transom.dev/render"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// prover renders again the files of a state. It goes by the commits of the platform's branch: a Release file
// only says which of that it is, because whoever wrote the bytes may have written it, too.
type prover struct {
	source      Source
	environment string
	head        *platform.Platform

	mu       sync.Mutex // held by whoever calls one of its methods
	renderer render.Renderer
	loader   platform.Loader
	past     map[string]*platform.Platform // by commit; nil: it is none of the branch
}

// pastPlatforms bounds how many platforms of before are kept at a time.
const pastPlatforms = 8

var commitID = regexp.MustCompile(`^[0-9a-f]{40}$`)

// at returns the platform as of a commit, or nil where the branch never was there.
func (p *prover) at(ctx context.Context, commit string) (*platform.Platform, error) {
	if commit == p.head.Commit && p.head.Deferred() == 0 { // else a daemon before this one may have known all its requests
		return p.head, nil
	}
	if known, ok := p.past[commit]; ok {
		return known, nil
	}
	if len(p.past) >= pastPlatforms || p.past == nil {
		p.past = map[string]*platform.Platform{}
	}
	follows, err := p.follows(ctx, commit)
	if err != nil || !follows {
		p.past[commit] = nil
		return nil, err
	}
	snapshot, err := p.source.At(ctx, commit)
	if err != nil {
		return nil, fmt.Errorf("find platform commit %s: %w", commit, err)
	}
	then, err := p.loader.Load(snapshot)
	if err != nil {
		return nil, fmt.Errorf("load platform commit %s: %w", commit, err)
	}
	then.Commit = commit
	p.past[commit] = then
	return then, nil
}

// follows says whether the platform's branch was at a commit. Another daemon may have seen a later head than this one.
func (p *prover) follows(ctx context.Context, commit string) (bool, error) {
	if !commitID.MatchString(commit) {
		return false, nil
	}
	follows, err := p.source.IsAncestor(ctx, commit, p.head.Commit)
	if err != nil || follows {
		return follows, err
	}
	latest, err := p.source.Fetch(ctx)
	if err != nil || latest.Commit == "" || latest.Commit == p.head.Commit {
		return false, err
	}
	return p.source.IsAncestor(ctx, commit, latest.Commit)
}

// contents are an instance and those that it is bound to, with their records.
type contents struct {
	instances []*platform.Instance // sorted by request
	records   map[platform.RequestKey]*state.Release
}

// renders says why rendering a state's record of a request again, with a platform, does not come to a manifest, or nothing.
func (p *prover) renders(ctx context.Context, c claim, manifest []byte, at fs.FS, then *platform.Platform) (string, error) {
	of, why, err := p.recorded(ctx, c.request, at, then)
	if err != nil || why != "" {
		return why, err
	}
	again, err := p.renderer.Again(then, p.environment, of.instances, of.records, c.request, c.cluster)
	switch by := of.records[c.request].Clusters[c.cluster].Renderer; {
	case render.Unfinished(err):
		return "", fmt.Errorf("prove the state of %s: %w", c.request, err) // which says nothing about the state
	case err != nil:
		return "it cannot be rendered again: " + err.Error(), nil
	case bytes.Equal(again.Manifest, manifest):
		return "", nil
	case !render.Renders(by):
		return fmt.Sprintf("it is of another renderer (%q) than this daemon's (%q), which renders it otherwise", by, render.RendererID), nil
	default:
		return "what its Release file names renders to other bytes", nil
	}
}

// rendersNamespace says why the file of a team's namespace does not come of a platform, or nothing. Every instance of the team on
// the cluster has the same.
func (p *prover) rendersNamespace(ctx context.Context, c claim, manifest []byte, at fs.FS, then *platform.Platform) (string, error) {
	of, why, err := p.recorded(ctx, c.request, at, then)
	if err != nil {
		return "", err
	}
	if why == "" {
		again, err := p.renderer.Again(then, p.environment, of.instances, of.records, c.request, c.cluster)
		if render.Unfinished(err) {
			return "", fmt.Errorf("prove the state of %s: %w", c.request, err)
		}
		if err == nil && bytes.Equal(again.Namespace, manifest) {
			return "", nil
		}
	}
	all := then.InstanceSet(p.environment)
	for i := range all.All() {
		if i.Request.Key.Team != c.request.Team || !on(i, c.cluster) {
			continue
		}
		again, err := p.renderer.Again(then, p.environment, providing(all, i), nil, i.Request.Key, c.cluster)
		if err == nil && again.Namespace != nil {
			if bytes.Equal(again.Namespace, manifest) {
				return "", nil
			}
			break
		}
	}
	return "the platform renders another namespace", nil
}

// gone says why a placement must still be there, or nothing. It must where the platform asks for the instance there, and the
// release that the state records, if it can be resolved, is placed there too.
func (p *prover) gone(ctx context.Context, c claim, at fs.FS, then *platform.Platform) (string, error) {
	asks := then.InstanceSet(p.environment).Of(c.request)
	cluster := then.Clusters[c.cluster]
	switch {
	case cluster == nil || cluster.Broken:
		return "the platform's file of cluster " + c.cluster + " cannot be read", nil
	case asks == nil && !then.Broken(p.environment, c.request), asks != nil && !on(asks, c.cluster):
		return "", nil
	}
	of, why, err := p.recorded(ctx, c.request, at, then)
	if err == nil && why == "" {
		if !on(find(of.instances, c.request), c.cluster) {
			return "", nil
		}
	}
	return "the platform asks for it there", err
}

// find returns the instance of a request, or nil, from a list that is sorted by request.
func find(all []*platform.Instance, k platform.RequestKey) *platform.Instance {
	n, found := slices.BinarySearchFunc(all, k, func(i *platform.Instance, k platform.RequestKey) int { return i.Request.Key.Compare(k) })
	if !found {
		return nil
	}
	return all[n]
}

// providing are an instance and all that it is bound to, sorted by request.
func providing(all *platform.InstanceSet, i *platform.Instance) []*platform.Instance {
	some := []*platform.Instance{i}
	for n := 0; n < len(some); n++ {
		for _, provider := range some[n].Bindings {
			if of := all.Of(provider); of != nil && !slices.Contains(some, of) {
				some = append(some, of)
			}
		}
	}
	slices.SortFunc(some, func(a, b *platform.Instance) int { return a.Request.Key.Compare(b.Request.Key) })
	return some
}

func on(i *platform.Instance, cluster string) bool {
	return slices.ContainsFunc(i.Clusters, func(c *platform.Cluster) bool { return c.Name == cluster })
}

// recorded resolves a state's records of a request, and of those that it is bound to, with a platform. It says why that is
// nothing that the platform's people wrote.
func (p *prover) recorded(ctx context.Context, k platform.RequestKey, at fs.FS, then *platform.Platform) (of contents, why string, err error) {
	of.records = map[platform.RequestKey]*state.Release{}
	for next := []platform.RequestKey{k}; len(next) > 0; {
		k, next = next[0], next[1:]
		if of.records[k] != nil {
			continue
		}
		release, err := recordIn(at, k)
		if err != nil {
			return of, err.Error(), nil
		}
		asked, err := p.asked(ctx, k, release, then)
		if err != nil {
			return of, "", err
		}
		if !asked {
			return of, fmt.Sprintf("the platform never asked for %s as its Release file records it", k), nil
		}
		i, problems := then.InstanceOf(p.environment, k, release.Request, release.Version, release.VersionDigest, release.File)
		if i == nil {
			why = fmt.Sprintf("the platform asks for no %s here", k)
			for _, problem := range problems {
				why = problem.String()
			}
			return of, why, nil
		}
		of.records[k] = release
		of.instances = append(of.instances, i)
		next = slices.AppendSeq(next, maps.Values(i.Bindings))
	}
	slices.SortFunc(of.instances, func(a, b *platform.Instance) int { return a.Request.Key.Compare(b.Request.Key) })
	return of, "", nil
}

// recordIn reads the Release file of a request that is there.
func recordIn(at fs.FS, k platform.RequestKey) (*state.Release, error) {
	release, err := readRelease(at, k)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("no Release file names %s", k)
	}
	if err == nil && release.Absent {
		err = fmt.Errorf("its Release file records that %s is removed", k)
	}
	return release, err
}

// asked says whether the platform ever asked for exactly the spec that a Release file records: at its head, at the commit
// that is rendered with, or at the one that the record names.
func (p *prover) asked(ctx context.Context, k platform.RequestKey, release *state.Release, then *platform.Platform) (bool, error) {
	as := func(p *platform.Platform) bool {
		r := p.Request(k)
		return r != nil && r.File == release.File && reflect.DeepEqual(r.Spec.Released(), release.Request)
	}
	if as(then) || as(p.head) {
		return true, nil
	}
	named, err := p.at(ctx, release.Commit)
	return err == nil && named != nil && as(named), err
}
