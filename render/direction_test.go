package render_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/render"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// direct renders the environment as a direction says, and commits that.
func (r *repository) direct(t testing.TB, p *platform.Platform, environment string, d render.Direction) *render.State {
	t.Helper()
	base, err := render.ReadBase(r.files)
	require.NoError(t, err)
	state, err := r.renderer.Direct(p, environment, base, d)
	require.NoError(t, err)
	r.files = commit(r.files, state.Changes)
	return state
}

// released is the record that the state has of a request.
func (r *repository) released(t testing.TB, k platform.RequestKey) *state.Release {
	t.Helper()
	base, err := render.ReadBase(r.files)
	require.NoError(t, err)
	return base.Releases[k]
}

func (r *repository) manifest(cluster string, k platform.RequestKey) string {
	file := r.files["clusters/"+cluster+"/"+k.String()+".yaml"]
	if file == nil {
		return ""
	}
	return string(file.Data)
}

// only admits the record that the function returns for each proposal.
func only(answer func(state.Proposal) *state.Release) render.Direction {
	return render.Direction{Admit: func(proposals []state.Proposal) (answers []*state.Release) {
		for _, proposal := range proposals {
			answers = append(answers, answer(proposal))
		}
		return answers
	}}
}

func nothing(p state.Proposal) *state.Release { return p.Base }

// on admits the proposed placements on some clusters, and leaves the others with those that they have.
func on(clusters ...string) func(state.Proposal) *state.Release {
	return func(p state.Proposal) *state.Release {
		answer := *p.Next
		answer.Clusters = map[string]state.Placement{}
		if p.Base != nil {
			for cluster, placed := range p.Base.Clusters {
				if placed.Release == "" && p.Base.Digest != p.Next.Digest {
					placed.Release, placed.Version = p.Base.Digest, p.Base.Version
				}
				answer.Clusters[cluster] = placed
			}
		}
		for _, cluster := range clusters {
			if placed, there := p.Next.Clusters[cluster]; there {
				answer.Clusters[cluster] = placed
			} else {
				delete(answer.Clusters, cluster)
			}
		}
		return &answer
	}
}

func texted(text string) map[string][]byte {
	return map[string][]byte{shopFile: request("shop", "  parameters: {text: "+text+"}\n  environments: {dev: {}, prod: {}}\n")}
}

// TestDirectRendersContentsFromRecords: prod takes the contents that dev recorded, whatever the head says by now.
func TestDirectRendersContentsFromRecords(t *testing.T) {
	dev, prod := &repository{}, &repository{}
	dev.render(t, with(t, texted("first")), "dev")
	proven := dev.released(t, shop)
	head := with(t, texted("second"))
	head.Commit = "second"
	i, problems := head.InstanceOf("prod", shop, proven.Request, proven.Version, proven.VersionDigest, proven.File)
	require.Empty(t, problems)
	state := prod.direct(t, head, "prod", render.Direction{Instances: platform.NewInstanceSet([]*platform.Instance{i})})
	require.Empty(t, state.Problems)
	require.Contains(t, prod.manifest("prod-eu", shop), "text: first")
	require.Equal(t, proven.Digest, prod.released(t, shop).Digest)
	require.Empty(t, prod.direct(t, head, "prod", render.Direction{Instances: platform.NewInstanceSet([]*platform.Instance{i})}).Changes)

	moved := prod.direct(t, head, "prod", render.Direction{})
	require.Equal(t, "second", moved.Releases[shop].Commit)
	require.Contains(t, prod.manifest("prod-eu", shop), "text: second")
}

// TestDirectKeepsWhatHasNoInstance: neither kept nor given an instance is removed.
func TestDirectKeepsWhatHasNoInstance(t *testing.T) {
	repo, p := &repository{}, with(t, texted("a"))
	repo.render(t, p, "dev")
	none := &platform.InstanceSet{}
	kept := repo.direct(t, p, "dev", render.Direction{Instances: none, Keep: map[platform.RequestKey]bool{shop: true}})
	require.Empty(t, kept.Changes)
	require.True(t, repo.direct(t, p, "dev", render.Direction{Instances: none}).Releases[shop].Absent)
	require.Empty(t, repo.manifest("dev", shop))
}

// TestDirectWritesRecordsWithoutTouchingBytes: a proof is a change of the Release file and of nothing else, and is carried
// into the records that follow.
func TestDirectWritesRecordsWithoutTouchingBytes(t *testing.T) {
	repo, p := &repository{}, with(t, texted("a"))
	repo.render(t, p, "dev")
	proven := *repo.released(t, shop)
	proven.Promotion.Proven = []state.Proof{{Digest: proven.Digest, Offering: "note", Version: "1.0.0", Soaked: "1m0s"}}
	records := map[platform.RequestKey]*state.Release{shop: &proven}
	rendered := repo.direct(t, p, "dev", render.Direction{Records: records})
	require.Equal(t, []string{"releases/payments/shop.yaml"}, sortedKeys(rendered.Changes))
	require.Equal(t, proven.Promotion, repo.released(t, shop).Promotion)
	require.Empty(t, repo.direct(t, p, "dev", render.Direction{Records: records}).Changes)

	repo.render(t, with(t, texted("b")), "dev")
	require.Equal(t, proven.Promotion, repo.released(t, shop).Promotion)
	repo.render(t, with(t, nil), "dev")
	require.True(t, repo.released(t, shop).Absent)
	require.Equal(t, proven.Promotion, repo.released(t, shop).Promotion)

	// A request that has a Problem keeps its bytes, and its record is written all the same.
	repo = &repository{}
	repo.render(t, with(t, texted("a")), "dev")
	broken := with(t, map[string][]byte{shopFile: []byte("{")})
	rendered = repo.direct(t, broken, "dev", render.Direction{Records: records})
	require.Equal(t, []string{"releases/payments/shop.yaml"}, sortedKeys(rendered.Changes))
}

// TestDirectRestoresExactBytes: not even another rendering of the same content comes in their place.
func TestDirectRestoresExactBytes(t *testing.T) {
	repo := &repository{}
	repo.render(t, with(t, texted("good")), "prod")
	good, manifests := repo.released(t, shop), map[string][]byte{}
	for cluster, placed := range good.Clusters {
		manifests[cluster] = append([]byte("# of another day\n"), repo.manifest(cluster, shop)...)
		placed.Revision = state.Revision(manifests[cluster])
		good.Clusters[cluster] = placed
	}
	bad := with(t, texted("bad"))
	repo.render(t, bad, "prod")
	restore := render.Direction{Restore: map[platform.RequestKey]render.Restoration{shop: {Release: good, Manifests: manifests}}}
	state := repo.direct(t, bad, "prod", restore)
	require.Equal(t, []platform.RequestKey{shop}, state.Touched)
	require.Equal(t, string(manifests["prod-us"]), repo.manifest("prod-us", shop))
	require.Equal(t, good.Encode(), repo.released(t, shop).Encode())
	require.Empty(t, repo.direct(t, bad, "prod", restore).Changes)

	kept := render.Direction{Instances: &platform.InstanceSet{}, Keep: map[platform.RequestKey]bool{shop: true}}
	require.Empty(t, repo.direct(t, bad, "prod", kept).Changes)

	manifests["prod-us"] = []byte("something else")
	base := readBase(t, repo.files)
	_, err := repo.renderer.Direct(bad, "prod", base, restore)
	require.ErrorContains(t, err, "restore payments/shop on prod-us: the bytes are sha256:")
}

// TestDirectRestoresWhileOverlaysAreBroken: an environment that cannot be rendered can go back all the same.
func TestDirectRestoresWhileOverlaysAreBroken(t *testing.T) {
	repo := &repository{}
	repo.render(t, with(t, texted("good")), "dev")
	good, before := repo.released(t, shop), []byte(repo.manifest("dev", shop))
	repo.render(t, with(t, texted("bad")), "dev")
	files := texted("bad")
	files["environments/dev.yaml"] = []byte(head("Environment", "dev") + "spec:\n  state: {url: https://git.example.com/state-dev.git}\n" +
		"  clusters: {matchLabels: {environment: dev}}\n  components: [wide]\n")
	files["environments/dev/wide/kustomization.yaml"] = []byte(component + "resources: ['https://example.com/x.yaml']\n")
	broken := with(t, files)
	require.Empty(t, repo.direct(t, broken, "dev", render.Direction{}).Changes)
	state := repo.direct(t, broken, "dev", render.Direction{Restore: map[platform.RequestKey]render.Restoration{
		shop: {Release: good, Manifests: map[string][]byte{"dev": before}},
	}})
	require.NotEmpty(t, state.Problems)
	require.Equal(t, string(before), repo.manifest("dev", shop))
}

// TestDirectForgetsTombstones and nothing else.
func TestDirectForgetsTombstones(t *testing.T) {
	repo, here, gone := &repository{}, with(t, texted("a")), with(t, nil)
	repo.render(t, here, "dev")
	forget := render.Direction{Forget: []platform.RequestKey{shop}}
	require.Empty(t, repo.direct(t, here, "dev", forget).Changes, "it runs")
	repo.render(t, gone, "dev")
	base := readBase(t, repo.files)
	state, err := repo.renderer.Direct(gone, "dev", base, forget)
	require.NoError(t, err)
	require.Equal(t, []platform.RequestKey{shop}, state.Forgotten)
	require.Equal(t, []string{"releases/payments/shop.yaml"}, sortedKeys(state.Changes))
	repo.files = commit(repo.files, state.Changes)
	base.Advance(state, repo.files)
	require.Empty(t, base.Releases)
	again, err := repo.renderer.Direct(gone, "dev", base, forget)
	require.NoError(t, err)
	require.Empty(t, again.Changes)
}

func sortedKeys(m map[string][]byte) []string { return slices.Sorted(maps.Keys(m)) }
