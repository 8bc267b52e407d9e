package render_test

import (
	"crypto/sha1"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"path"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"transom.dev/render"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

func request(name, rest string) []byte {
	return []byte("apiVersion: transom.dev/v1alpha1\nkind: Request\nmetadata: {name: " + name + "}\n" +
		"spec:\n  offering: note\n  version: \"1\"\n" + rest)
}

// with returns the common platform with further files; an empty one is removed.
func with(t testing.TB, files map[string][]byte) *platform.Platform {
	t.Helper()
	all := common()
	for name, content := range files {
		put(all, name, content)
	}
	return load(t, all)
}

// A repository is an environment's state across several renderings.
type repository struct {
	renderer render.Renderer
	files    fstest.MapFS
	pins     map[string]string
}

func (r *repository) render(t testing.TB, p *platform.Platform, environment string) *render.State {
	t.Helper()
	if r.files == nil {
		r.files = fstest.MapFS{}
	}
	base, err := render.ReadBase(r.files)
	require.NoError(t, err)
	base.Pins = r.pins
	state, err := r.renderer.Render(p, environment, base)
	require.NoError(t, err)
	r.files = commit(r.files, state.Changes)
	return state
}

var shop = platform.RequestKey{Team: "payments", Name: "shop"}

const shopFile = "requests/payments/shop.yaml"

// TestSameInputsSameBytes renders the same platform again and again: with other caches, from files in another order,
// and in several renderers at once.
func TestSameInputsSameBytes(t *testing.T) {
	files := map[string][]byte{}
	for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
		files["requests/payments/"+name+".yaml"] = request(name, "  environments: {dev: {}, prod: {parameters: {text: "+name+"x}}}\n")
	}
	want := renderAll(t, with(t, files), "prod", nil)
	for range 5 {
		shuffled := fstest.MapFS{}
		all := common()
		for name, content := range files {
			put(all, name, content)
		}
		names := make([]string, 0, len(all))
		for name := range all {
			names = append(names, name)
		}
		rand.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
		for _, name := range names {
			shuffled[name] = all[name]
		}
		p := load(t, shuffled)
		results := make(chan *render.State, 3)
		for range cap(results) {
			go func() {
				var r render.Renderer
				state, err := r.Render(p, "prod", &render.Base{})
				if err != nil {
					t.Error(err)
				}
				results <- state
			}()
		}
		for range cap(results) {
			got := <-results
			require.Equal(t, want.Changes, got.Changes)
			require.Equal(t, want.Touched, got.Touched)
		}
	}
}

// TestRenderingAgainChangesNothing commits a state and renders the same platform on top: there is nothing to commit,
// also with another platform commit and with caches that are empty after a restart.
func TestRenderingAgainChangesNothing(t *testing.T) {
	p := with(t, map[string][]byte{shopFile: request("shop", "  environments: {dev: {}}\n")})
	repo := &repository{}
	require.NotEmpty(t, repo.render(t, p, "dev").Changes)
	require.Empty(t, repo.render(t, p, "dev").Changes)
	p.Commit = "another"
	repo.renderer = render.Renderer{}
	state := repo.render(t, p, "dev")
	require.Empty(t, state.Changes)
	require.Empty(t, state.Touched)
	require.Equal(t, "c0ffee", state.Fleet.Platform)
}

// unreadable fails on every manifest.
type unreadable struct{ fs.FS }

func (u unreadable) Open(name string) (fs.File, error) {
	if strings.HasSuffix(name, "/shop.yaml") && strings.HasPrefix(name, "clusters/") {
		return nil, errors.New("must not be read")
	}
	return u.FS.Open(name)
}

func TestCarriedBytesAreNotRead(t *testing.T) {
	p := with(t, map[string][]byte{shopFile: request("shop", "  environments: {dev: {}}\n")})
	repo := &repository{}
	repo.render(t, p, "dev")
	base, err := render.ReadBase(unreadable{repo.files})
	require.NoError(t, err)
	var fresh render.Renderer
	state, err := fresh.Render(p, "dev", base)
	require.NoError(t, err)
	require.Empty(t, state.Changes)
}

// TestBytesStayWhileTheRenderKeyStays: bytes that another version of Transom rendered are carried over, because a new
// binary alone changes nothing.
func TestBytesStayWhileTheRenderKeyStays(t *testing.T) {
	p := with(t, map[string][]byte{shopFile: request("shop", "  environments: {dev: {}}\n")})
	repo := &repository{}
	release := repo.render(t, p, "dev").Releases[shop]
	earlier := []byte("# as it was written once\n" + string(repo.files["clusters/dev/payments/shop.yaml"].Data))
	placed := release.Clusters["dev"]
	placed.Revision = state.Revision(earlier)
	release.Clusters["dev"] = placed
	put(repo.files, "clusters/dev/payments/shop.yaml", earlier)
	put(repo.files, "releases/payments/shop.yaml", release.Encode())
	repo.renderer = render.Renderer{}
	require.Empty(t, repo.render(t, p, "dev").Changes)
}

// TestNothingIsConcludedFromWhatCannotBeRead is why a snapshot that fails in one place fails as a whole.
func TestNothingIsConcludedFromWhatCannotBeRead(t *testing.T) {
	p := with(t, map[string][]byte{shopFile: request("shop", "  environments: {dev: {}}\n")})
	repo := &repository{}
	repo.render(t, p, "dev")

	for _, broken := range []string{"releases/payments/shop.yaml", "fleet.yaml"} {
		files := maps.Clone(repo.files)
		files[broken] = &fstest.MapFile{Data: []byte("{")}
		_, err := render.ReadBase(files)
		require.ErrorContains(t, err, broken)
	}
	misplaced := maps.Clone(repo.files)
	misplaced["releases/payments/other.yaml"] = misplaced["releases/payments/shop.yaml"]
	_, err := render.ReadBase(misplaced)
	require.EqualError(t, err, "releases/payments/other.yaml: is the release of payments/shop, whose file is releases/payments/shop.yaml")

	// A manifest that has to be compared with, and cannot be read, is no reason to believe that nothing is there.
	base, err := render.ReadBase(unreadable{repo.files})
	require.NoError(t, err)
	more := with(t, map[string][]byte{
		shopFile: request("shop", "  environments: {dev: {}}\n"), "requests/payments/new.yaml": request("new", "  environments: {dev: {}}\n"),
	})
	var r render.Renderer
	_, err = r.Render(more, "dev", base)
	require.ErrorContains(t, err, "must not be read")
}

func TestUnknownEnvironmentIsAnError(t *testing.T) {
	var r render.Renderer
	_, err := r.Render(with(t, nil), "qa", nil)
	require.EqualError(t, err, "render qa: the platform has no such environment")
}

// TestRemovedRequestLeavesATombstone follows a request from its release to its removal and back.
func TestRemovedRequestLeavesATombstone(t *testing.T) {
	here := with(t, map[string][]byte{shopFile: request("shop", "  environments: {dev: {}}\n")})
	gone := with(t, nil)
	repo := &repository{}
	released := repo.render(t, here, "dev").Releases[shop]

	removal := repo.render(t, gone, "dev").Releases[shop]
	require.True(t, removal.Absent)
	require.NotEqual(t, released.Digest, removal.Digest)
	require.Equal(t, "note", removal.Offering)
	require.Equal(t, platform.DeletionDelete, removal.Deletion)
	require.Equal(t, platform.Namespaced, removal.Scope)
	require.Empty(t, removal.Clusters)
	require.NotContains(t, repo.files, "clusters/dev/payments/shop.yaml")
	require.Contains(t, repo.files, "clusters/dev/payments/_namespace.yaml")
	require.Empty(t, repo.render(t, gone, "dev").Changes, "a tombstone stays as it is")

	back := repo.render(t, here, "dev")
	require.Equal(t, released, back.Releases[shop])
	require.Contains(t, repo.files, "clusters/dev/payments/shop.yaml")
}

// TestPlatformCommitOfARelease is the commit that yielded the release, not the last one that was looked at.
func TestPlatformCommitOfARelease(t *testing.T) {
	repo := &repository{}
	first := with(t, map[string][]byte{shopFile: request("shop", "  environments: {dev: {}}\n")})
	repo.render(t, first, "dev")

	values := with(t, map[string][]byte{
		shopFile: request("shop", "  environments: {dev: {}}\n"),
		"clusters/dev.yaml": []byte("apiVersion: transom.dev/v1alpha1\nkind: Cluster\n" +
			"metadata: {name: dev, labels: {environment: dev, region: eu}}\nspec: {state: active}\n"),
	})
	values.Commit = "second"
	state := repo.render(t, values, "dev")
	require.Equal(t, []platform.RequestKey{shop}, state.Touched, "the inputs changed")
	require.Equal(t, "c0ffee", state.Releases[shop].Commit, "the release did not")
	require.Equal(t, "second", state.Fleet.Platform)

	changed := with(t, map[string][]byte{shopFile: request("shop", "  parameters: {text: new}\n  environments: {dev: {}}\n")})
	changed.Commit = "third"
	require.Equal(t, "third", repo.render(t, changed, "dev").Releases[shop].Commit)
}

// TestPins: a cluster is pinned at first contact, and only its file changes that.
func TestPins(t *testing.T) {
	p := with(t, nil)
	repo := &repository{pins: map[string]string{"dev": "uid-1", "elsewhere": "uid-2"}}
	state := repo.render(t, p, "dev")
	require.Equal(t, map[string]string{"dev": "uid-1"}, state.Fleet.Clusters)
	require.Equal(t, "c0ffee", state.Fleet.Platform)
	require.Contains(t, state.Changes, "fleet.yaml")

	repo.pins = map[string]string{"dev": "uid-other"}
	state = repo.render(t, p, "dev")
	require.Empty(t, state.Changes, "a pin is not replaced by what answers now")

	rebuilt := with(t, map[string][]byte{"clusters/dev.yaml": []byte("apiVersion: transom.dev/v1alpha1\nkind: Cluster\n" +
		"metadata: {name: dev, labels: {environment: dev}}\nspec: {state: active, uid: 6f3f8e5e-5a5c-4a53-9d8f-1f6f1c1f0a11}\n")})
	require.Equal(t, "6f3f8e5e-5a5c-4a53-9d8f-1f6f1c1f0a11", repo.render(t, rebuilt, "dev").Fleet.Clusters["dev"])

	repo.pins = nil
	gone := with(t, map[string][]byte{"clusters/dev.yaml": nil})
	require.Empty(t, repo.render(t, gone, "dev").Fleet.Clusters, "a cluster that is let go has no pin")
}

// TestAClusterIsPinnedUnderOneName: two kubeconfigs reach the same cluster.
func TestAClusterIsPinnedUnderOneName(t *testing.T) {
	twin := func(spec string) map[string][]byte {
		return map[string][]byte{"clusters/another.yaml": []byte("apiVersion: transom.dev/v1alpha1\nkind: Cluster\n" +
			"metadata: {name: another, labels: {environment: dev}}\nspec: {" + spec + "}\n")}
	}
	const uid = "6f3f8e5e-5a5c-4a53-9d8f-1f6f1c1f0a11"
	repo := &repository{pins: map[string]string{"dev": uid}}
	repo.render(t, with(t, nil), "dev")
	repo.pins = map[string]string{"dev": uid, "another": uid}
	require.Equal(t, map[string]string{"dev": uid}, repo.render(t, with(t, twin("state: active")), "dev").Fleet.Clusters)
	require.Equal(t, map[string]string{"dev": uid}, repo.render(t, with(t, twin("state: active, uid: "+uid)), "dev").Fleet.Clusters)

	fresh := &repository{pins: map[string]string{"dev": uid, "another": uid}}
	require.Equal(t, map[string]string{"another": uid}, fresh.render(t, with(t, twin("state: active")), "dev").Fleet.Clusters)

	// It was renamed: a cluster that has no file any more is not in the way.
	renamed := twin("state: active")
	renamed["clusters/dev.yaml"] = nil
	repo.pins = map[string]string{"another": uid}
	require.Equal(t, map[string]string{"another": uid}, repo.render(t, with(t, renamed), "dev").Fleet.Clusters)
}

// TestOneBadInstanceDelaysOnlyItself renders a platform in which every second request is broken in its own way.
func TestOneBadInstanceDelaysOnlyItself(t *testing.T) {
	good := map[string][]byte{
		shopFile:                      request("shop", "  environments: {dev: {}}\n"),
		"requests/payments/a.yaml":    request("a", "  environments: {dev: {}}\n"),
		"requests/search/index.yaml":  request("index", "  environments: {dev: {}}\n"),
		"requests/search/b.yaml":      request("b", "  environments: {dev: {}}\n"),
		"requests/search/broken.yaml": request("broken", "  environments: {dev: {}}\n"),
	}
	repo := &repository{}
	repo.render(t, with(t, good), "dev")
	before := maps.Clone(repo.files)

	bad := maps.Clone(good)
	bad["requests/payments/a.yaml"] = []byte("{")
	bad["requests/search/broken.yaml"] = request("broken", "  environments: {dev: {}}\n  parameters: {text: 3}\n")
	bad["requests/search/b.yaml"] = request("b", "  parameters: {text: \"a\\u0085b\"}\n  environments: {dev: {}}\n")
	bad[shopFile] = request("shop", "  parameters: {text: new}\n  environments: {dev: {}}\n")
	state := repo.render(t, with(t, bad), "dev")
	require.Equal(t, []platform.RequestKey{shop}, state.Touched)
	for _, name := range []string{"payments/a", "search/b", "search/broken", "search/index"} {
		require.Equal(t, before["clusters/dev/"+name+".yaml"], repo.files["clusters/dev/"+name+".yaml"])
		require.Equal(t, before["releases/"+name+".yaml"], repo.files["releases/"+name+".yaml"])
	}
	require.Len(t, state.Problems, 1)
	require.Equal(t, "search/b", state.Problems[0].Request.String())
	require.Equal(t, "dev", state.Problems[0].Environment)
}

func TestInstanceShowsBytesAndWrapper(t *testing.T) {
	p := with(t, map[string][]byte{shopFile: request("shop", "  environments: {prod: {}}\n")})
	state := renderAll(t, p, "prod", nil)
	shown, problems := render.Instance(p, "prod", shop, "prod-us")
	require.Empty(t, problems)
	require.Equal(t, string(state.Changes["clusters/prod-us/payments/shop.yaml"]), string(shown.Manifest))
	require.Contains(t, string(shown.Wrapper["kustomization.yaml"]), "- ../offerings/note/1.0.0\n")
	require.Contains(t, string(shown.Wrapper["inputs.yaml"]), "name: \"prod-us\"\n")

	first, problems := render.Instance(p, "prod", shop, "")
	require.Empty(t, problems)
	require.Equal(t, "prod-eu", first.Cluster)

	_, problems = render.Instance(p, "prod", shop, "dev")
	require.Equal(t, `requests/payments/shop.yaml: is not placed on cluster "dev"`, problems[0].String())
	_, problems = render.Instance(p, "dev", shop, "")
	require.Equal(t, "requests/payments/shop.yaml: no valid request payments/shop in dev", problems[0].String())
	_, problems = render.Instance(p, "qa", shop, "")
	require.Contains(t, problems[0].Message, "no such environment")
}

// identified are files of which Git's ids are known, and whose namespaces nobody can read.
type identified struct{ fstest.MapFS }

func (f identified) Blob(name string) (string, error) {
	file := f.MapFS[name]
	if file == nil {
		return "", nil
	}
	return fmt.Sprintf("%x", sha1.Sum(fmt.Appendf(nil, "blob %d\x00%s", len(file.Data), file.Data))), nil
}

func (f identified) ReadFile(name string) ([]byte, error) {
	if path.Base(name) == "_namespace.yaml" {
		return nil, errors.New("a namespace is read")
	}
	return f.MapFS.ReadFile(name)
}

// TestANamespaceThatStaysIsNotRead: hardly any of them changes, and a repository has them packed.
func TestANamespaceThatStaysIsNotRead(t *testing.T) {
	repo := &repository{}
	repo.render(t, with(t, map[string][]byte{shopFile: request("shop", "  environments: {dev: {}}\n")}), "dev")
	changed := with(t, map[string][]byte{shopFile: request("shop", "  parameters: {text: new}\n  environments: {dev: {}}\n")})
	base, err := render.ReadBase(identified{repo.files})
	require.NoError(t, err)
	state, err := repo.renderer.Render(changed, "dev", base)
	require.NoError(t, err)
	require.Equal(t, []platform.RequestKey{shop}, state.Touched)

	const namespace = "clusters/dev/payments/_namespace.yaml"
	repo.files[namespace] = &fstest.MapFile{Data: append(repo.files[namespace].Data, "# theirs\n"...)}
	_, err = repo.renderer.Render(changed, "dev", base)
	require.ErrorContains(t, err, "a namespace is read")
}
