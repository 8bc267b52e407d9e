package audit

import (
	"context"
	"fmt"
	"maps"
	"path"
	"slices"

	"go.yaml.in/yaml/v3"

	"transom.dev/reconciler/gitrepo"
	"transom.dev/reconciler/web"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// Trace leads from an instance's manifests in a state commit to the commit that last changed its request.
func Trace(ctx context.Context, repo Repository, commit string, source Repository, q web.Question) (web.Trace, error) {
	trace := web.Trace{Environment: q.Environment, Request: q.Request}
	trace.ReleaseFile = state.ReleaseFile(q.Request)
	failed := func(err error) (web.Trace, error) {
		return trace, fmt.Errorf("request %s in %s: %w", q.Request, q.Environment, err)
	}
	release, err := readRelease(ctx, repo, commit, q.Request)
	if err != nil {
		return failed(err)
	}
	if release == nil {
		return failed(fmt.Errorf("there is no %s in its state: %w", trace.ReleaseFile, web.ErrNotFound))
	}
	trace.Release = release
	if trace.Cluster, err = chooseCluster(release, q.Cluster); err != nil {
		return failed(err)
	}
	manifests := trace.ReleaseFile
	if trace.Cluster != "" {
		manifests = state.ManifestFile(trace.Cluster, q.Request)
	}
	if trace.State, err = lastChange(ctx, repo, manifests, commit); err != nil {
		return failed(err)
	}
	if release.Clusters[trace.Cluster].Release != "" {
		if trace.Earlier, err = readRelease(ctx, repo, trace.State.Commit, q.Request); err != nil {
			return failed(err)
		}
		if trace.Earlier != nil {
			release = trace.Earlier
		}
	}
	err = addOrigin(ctx, &trace, source, release)
	return trace, err
}

// addOrigin adds the origin of a release: the platform commit that yielded it, the request file and the version.
func addOrigin(ctx context.Context, trace *web.Trace, source Repository, release *state.Release) error {
	info, err := source.Show(ctx, release.Commit)
	if err != nil {
		return err
	}
	dir := path.Join("offerings", release.Offering, release.Version)
	trace.Platform = origin(source, dir, info)
	if trace.RequestFile, err = lastChange(ctx, source, release.File, release.Commit); err != nil {
		return err
	}
	trace.RequestFile.Line = requestLine(ctx, source, trace.RequestFile, trace.Environment)
	if trace.Version, err = lastChange(ctx, source, dir, release.Commit); err != nil {
		return err
	}
	trace.Version.File = path.Join(dir, "version.yaml")
	return nil
}

// requestLine is the line of a request's file that puts it into an environment, or 0 where that cannot be told.
func requestLine(ctx context.Context, source Past, file web.Origin, environment string) int {
	if file.Commit == "" {
		return 0
	}
	snapshot, err := source.At(ctx, file.Commit)
	if err != nil {
		return 0
	}
	content, err := snapshot.ReadFile(file.File)
	if err != nil {
		return 0
	}
	var document yaml.Node
	if yaml.Unmarshal(content, &document) != nil || len(document.Content) == 0 {
		return 0
	}
	at, line := document.Content[0], 0
	for _, key := range []string{"spec", "environments", environment} {
		if at, line = child(at, key); at == nil {
			return 0
		}
	}
	return line
}

// child is the value of a key of a mapping, with the line of the key.
func child(mapping *yaml.Node, key string) (value *yaml.Node, line int) {
	if mapping.Kind != yaml.MappingNode {
		return nil, 0
	}
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			return mapping.Content[i+1], mapping.Content[i].Line
		}
	}
	return nil, 0
}

// readRelease reads the Release file of a request in a state commit; nil: there is none.
func readRelease(ctx context.Context, repo Past, commit string, key platform.RequestKey) (*state.Release, error) {
	snapshot, err := repo.At(ctx, commit)
	if err != nil {
		return nil, err
	}
	return ReleaseIn(snapshot, key)
}

// chooseCluster returns the cluster that is asked about, or the release's first.
func chooseCluster(release *state.Release, cluster string) (string, error) {
	clusters := slices.Sorted(maps.Keys(release.Clusters))
	switch {
	case cluster == "" && len(clusters) > 0:
		return clusters[0], nil
	case cluster != "" && !slices.Contains(clusters, cluster):
		return "", fmt.Errorf("is not on cluster %q but on %q: %w", cluster, clusters, web.ErrNotFound)
	default:
		return cluster, nil
	}
}

// lastChange finds the newest change of a file that commit includes.
func lastChange(ctx context.Context, repo Repository, file, commit string) (web.Origin, error) {
	info, err := repo.Changed(ctx, commit, file)
	if err != nil {
		return web.Origin{}, err
	}
	if info.Commit == "" {
		return web.Origin{File: file, URL: repo.URL}, nil
	}
	return origin(repo, file, info), nil
}

// origin is a file with the commit that changed it.
func origin(repo Repository, file string, info gitrepo.CommitInfo) web.Origin {
	return web.Origin{
		URL: repo.URL, Commit: info.Commit, File: file, When: info.When, Subject: info.Subject,
		Author: fmt.Sprintf("%s <%s>", info.Author.Name, info.Author.Email),
	}
}
