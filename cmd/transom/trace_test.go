package main

import (
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/cmd/transom/internal/audit"
	"transom.dev/reconciler/gitrepo"
	"transom.dev/reconciler/status"
	"transom.dev/reconciler/web"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// repository is a bare repository that commits are put into, as by people and by the daemon.
func repository(t *testing.T) func(subject string, changes map[string]string) *gitrepo.Remote {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "repo.git")
	out, err := exec.CommandContext(t.Context(), "git", "init", "-q", "--bare", "-b", "main", dir).CombinedOutput()
	require.NoError(t, err, string(out))
	remote := &gitrepo.Remote{URL: dir, Branch: "main", Dir: filepath.Join(t.TempDir(), "mirror")}
	return func(subject string, changes map[string]string) *gitrepo.Remote {
		t.Helper()
		head, err := remote.Fetch(t.Context())
		require.NoError(t, err)
		contents := map[string][]byte{}
		for name, text := range changes {
			contents[name] = []byte(text)
		}
		developer := gitrepo.Signature{Name: "Developer", Email: "developer@example.com"}
		_, err = remote.Commit(t.Context(), head, gitrepo.Commit{
			Message: subject, Changes: contents, Author: developer, Committer: developer, When: time.Unix(1e9, 0),
		})
		require.NoError(t, err)
		return remote
	}
}

func head(t *testing.T, r *gitrepo.Remote) string {
	t.Helper()
	s, err := r.Fetch(t.Context())
	require.NoError(t, err)
	return s.Commit
}

func TestATraceLeadsFromManifestsToTheRequest(t *testing.T) {
	shop := platform.RequestKey{Team: "store", Name: "shop"}
	source := repository(t)
	asked := head(t, source("store: ask for a shop", map[string]string{"requests/store/shop.yaml": "v1"}))
	yielded := head(t, source("web: publish 1.1.0", map[string]string{"offerings/web/1.1.0/version.yaml": "v"}))
	upstream := source("store: break the shop", map[string]string{"requests/store/shop.yaml": "v2"})

	release := state.Release{
		Key: shop, Digest: "sha256:aa", Offering: "web", Version: "1.1.0", Commit: yielded, File: "requests/store/shop.yaml",
		Clusters: map[string]state.Placement{"west": {Revision: "sha256:w"}, "east": {Revision: "sha256:e"}},
	}
	commitState := repository(t)
	committed := head(t, commitState("prod: store/shop to web 1.1.0", map[string]string{
		"releases/store/shop.yaml": string(release.Encode()), "clusters/east/store/shop.yaml": "e", "clusters/west/store/shop.yaml": "w",
	}))
	repo := commitState("prod: something else", map[string]string{"clusters/east/store/cart.yaml": "c"})

	board := status.NewBoard(time.Now)
	board.Reconciled(status.Environment{Name: "prod", StateCommit: head(t, repo)}, nil)
	board.Reconciled(status.Environment{Name: "new"}, nil)
	tracer := &tracer{board: board, platform: upstream}
	tracer.opened("prod", repo)
	tracer.opened("new", repo)

	got, err := tracer.explain(t.Context(), web.Question{Environment: "prod", Request: shop})
	require.NoError(t, err)
	require.Equal(t, "east", got.Cluster, "its first")
	require.Equal(t, "sha256:aa", got.Release.Digest)
	require.Equal(t, web.Origin{
		URL: repo.URL, Commit: committed, File: "clusters/east/store/shop.yaml", Author: "Developer <developer@example.com>",
		When: got.State.When, Subject: "prod: store/shop to web 1.1.0",
	}, got.State, "the commit that wrote the manifests, not the newest")
	require.Equal(t, []string{yielded, "offerings/web/1.1.0"}, []string{got.Platform.Commit, got.Platform.File})
	require.Equal(t, []string{asked, "store: ask for a shop"}, []string{got.RequestFile.Commit, got.RequestFile.Subject},
		"the request as the release has it, not as it was broken since")

	got, err = tracer.explain(t.Context(), web.Question{Environment: "prod", Request: shop, Cluster: "west"})
	require.NoError(t, err)
	require.Equal(t, "clusters/west/store/shop.yaml", got.State.File)

	for want, q := range map[string]web.Question{
		`environment "qa" has no state that is deployed: not found`:                              {Environment: "qa", Request: shop},
		`environment "new" has no state that is deployed: not found`:                             {Environment: "new", Request: shop},
		`request store/shop in prod: is not on cluster "mars" but on ["east" "west"]: not found`: {Environment: "prod", Request: shop, Cluster: "mars"},
		`request store/none in prod: there is no releases/store/none.yaml in its state: not found`: {
			Environment: "prod", Request: platform.RequestKey{Team: "store", Name: "none"},
		},
	} {
		_, err := tracer.explain(t.Context(), q)
		require.EqualError(t, err, want)
		require.ErrorIs(t, err, web.ErrNotFound)
	}
}

// TestATraceOfAClusterWhoseWaveIsToCome is about the bytes that are there, not about the release that waits for it.
func TestATraceOfAClusterWhoseWaveIsToCome(t *testing.T) {
	source := repository(t)
	asked := source("store: ask for a shop", map[string]string{
		"requests/store/shop.yaml": "spec:\n  environments:\n    dev: {}\n    prod: {}\n", "offerings/web/1.0.0/version.yaml": "v",
	})
	first := head(t, asked)
	second := head(t, source("web: publish 1.1.0", map[string]string{"offerings/web/1.1.0/version.yaml": "v"}))
	record := func(digest, version, commit string, west state.Placement) string {
		release := state.Release{
			Key: shop, Digest: digest, Offering: "web", Version: version, Commit: commit, File: "requests/store/shop.yaml",
			Clusters: map[string]state.Placement{"west": west, "east": {Revision: "sha256:e" + version}},
		}
		return string(release.Encode())
	}
	commitState := repository(t)
	commitState("prod: store/shop to web 1.0.0", map[string]string{
		"releases/store/shop.yaml":      record("sha256:aa", "1.0.0", first, state.Placement{Revision: "sha256:w"}),
		"clusters/east/store/shop.yaml": "e", "clusters/west/store/shop.yaml": "w",
	})
	repo := commitState("prod: store/shop to web 1.1.0", map[string]string{
		"releases/store/shop.yaml":      record("sha256:bb", "1.1.0", second, state.Placement{Revision: "sha256:w", Release: "sha256:aa", Version: "1.0.0"}),
		"clusters/east/store/shop.yaml": "e2",
	})
	explain := func(cluster string) web.Trace {
		got, err := audit.Trace(t.Context(), audit.Repository{Past: repo, URL: repo.URL}, head(t, repo), audit.Repository{Past: asked, URL: asked.URL},
			web.Question{Environment: "prod", Request: shop, Cluster: cluster})
		require.NoError(t, err)
		return got
	}
	moved, waits := explain("east"), explain("west")
	require.Nil(t, moved.Earlier)
	require.Equal(t, []string{second, "offerings/web/1.1.0/version.yaml"}, []string{moved.Platform.Commit, moved.Version.File})
	require.Equal(t, "sha256:bb", waits.Release.Digest)
	require.Equal(t, "sha256:aa", waits.Earlier.Digest)
	require.Equal(t, "prod: store/shop to web 1.0.0", waits.State.Subject)
	require.Equal(t, []string{first, "offerings/web/1.0.0/version.yaml"}, []string{waits.Platform.Commit, waits.Version.File})
	require.Equal(t, 4, waits.RequestFile.Line, "the line that puts it into prod")
}
