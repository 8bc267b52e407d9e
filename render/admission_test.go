package render_test

import (
	"fmt"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"transom.dev/render"
	"transom.dev/render/platform"
	"transom.dev/render/preview"
	"transom.dev/render/state"
)

func TestNothingIsTakenThatIsNotAdmitted(t *testing.T) {
	repo := &repository{}
	repo.render(t, with(t, texted("a")), "prod")
	var asked []state.Proposal
	rendered := repo.direct(t, with(t, texted("b")), "prod", only(func(p state.Proposal) *state.Release {
		asked = append(asked, p)
		return p.Base
	}))
	require.Empty(t, rendered.Changes)
	require.Len(t, asked, 1)
	require.Equal(t, shop, asked[0].Next.Key)
	require.NotEqual(t, asked[0].Base.Clusters["prod-eu"].RenderKey, asked[0].Next.Clusters["prod-eu"].RenderKey)
	require.Equal(t, shop, asked[0].Instance.Request.Key)

	repo = &repository{}
	rendered = repo.direct(t, with(t, texted("a")), "prod", only(nothing))
	require.Empty(t, rendered.Changes, "what is new, and not admitted, has not even a namespace")
	require.Empty(t, repo.direct(t, with(t, texted("a")), "prod", render.Direction{Admit: func(proposals []state.Proposal) []*state.Release {
		return make([]*state.Release, len(proposals))
	}}).Releases)
}

// TestAPassTakesTheClustersThatAreAdmitted wave by wave: the others keep their bytes and name the release that these are of.
func TestAPassTakesTheClustersThatAreAdmitted(t *testing.T) {
	repo := &repository{}
	repo.render(t, with(t, texted("a")), "prod")
	before, kept := repo.released(t, shop), repo.manifest("prod-us", shop)
	next := with(t, texted("b"))
	state := repo.direct(t, next, "prod", only(on("prod-eu")))
	require.Equal(t, []string{"clusters/prod-eu/payments/shop.yaml", "releases/payments/shop.yaml"}, sortedKeys(state.Changes))
	require.Contains(t, repo.manifest("prod-eu", shop), "text: b")
	require.Equal(t, kept, repo.manifest("prod-us", shop))
	require.Equal(t, before.Digest, repo.released(t, shop).Clusters["prod-us"].Release)
	require.Empty(t, repo.direct(t, next, "prod", only(on())).Changes, "nothing more is admitted")

	last := repo.direct(t, next, "prod", only(on("prod-us")))
	require.Contains(t, repo.manifest("prod-us", shop), "text: b")
	require.Empty(t, last.Releases[shop].Clusters["prod-us"].Release)
	require.Empty(t, repo.direct(t, next, "prod", render.Direction{}).Changes)
}

// TestWhatIsNotAdmittedIsProposedAgain also by a Renderer that visits changed requests only.
func TestWhatIsNotAdmittedIsProposedAgain(t *testing.T) {
	var r render.Renderer
	files := fstest.MapFS{}
	base := &render.Base{Files: files}
	p := with(t, texted("a"))
	for _, admitted := range []bool{false, false, true, true} {
		asked := 0
		d := only(func(p state.Proposal) *state.Release {
			asked++
			if admitted {
				return p.Next
			}
			return p.Base
		})
		rendered, err := r.Direct(p, "prod", base, d)
		require.NoError(t, err)
		proposed := base.Releases[shop] == nil
		require.Equal(t, proposed, asked == 1)
		require.Equal(t, proposed && admitted, len(rendered.Changes) > 0)
		files = commit(files, rendered.Changes)
		base.Advance(rendered, files)
	}
}

// TestRemovalsAreAdmitted on some clusters first, and whoever is asked once more goes on where it stands.
func TestRemovalsAreAdmitted(t *testing.T) {
	repo := &repository{}
	repo.render(t, with(t, texted("a")), "prod")
	before, gone := repo.released(t, shop), with(t, nil)
	require.Empty(t, repo.direct(t, gone, "prod", only(nothing)).Changes)

	repo.direct(t, gone, "prod", only(on("prod-eu")))
	require.Empty(t, repo.manifest("prod-eu", shop))
	require.NotEmpty(t, repo.manifest("prod-us", shop))
	removal := repo.released(t, shop)
	require.True(t, removal.Absent)
	require.Equal(t, before.Digest, removal.Clusters["prod-us"].Release)

	var proposed state.Proposal
	repo.direct(t, gone, "prod", only(func(p state.Proposal) *state.Release {
		proposed = p
		return p.Next
	}))
	require.Equal(t, removal.Digest, proposed.Next.Digest)
	require.Empty(t, repo.manifest("prod-us", shop))
	require.Empty(t, repo.released(t, shop).Clusters)
	require.Empty(t, repo.direct(t, gone, "prod", only(nothing)).Changes)
}

// TestClustersThatDrainAreAdmitted like everything else that deletes.
func TestClustersThatDrainAreAdmitted(t *testing.T) {
	repo := &repository{}
	repo.render(t, with(t, texted("a")), "prod")
	files := texted("a")
	files["clusters/prod-us.yaml"] = []byte("apiVersion: transom.dev/v1alpha1\nkind: Cluster\n" +
		"metadata: {name: prod-us, labels: {environment: prod}}\nspec: {state: draining}\n")
	drained := with(t, files)
	require.Empty(t, repo.direct(t, drained, "prod", only(func(p state.Proposal) *state.Release {
		require.NotContains(t, p.Next.Clusters, "prod-us")
		return p.Base
	})).Changes)
	require.NotEmpty(t, repo.manifest("prod-us", shop))
	repo.direct(t, drained, "prod", only(on("prod-us")))
	require.Empty(t, repo.manifest("prod-us", shop))
}

// bound is a note and a reader of its text.
func bound(t *testing.T, text string) *platform.Platform {
	t.Helper()
	files := map[string][]byte{
		"requests/payments/a.yaml": request("a", "  parameters: {text: "+text+"}\n  environments: {prod: {}}\n"),
		"requests/payments/r.yaml": []byte(head("Request", "r") + "spec: {offering: reader, version: \"1\", bindings: {of: a}, environments: {prod: {}}}\n"),
	}
	for _, name := range sortedNames(stable) {
		if strings.HasPrefix(name, "offerings/reader/") || name == "offerings/note/1.0.0/version.yaml" {
			files[name] = []byte(stable[name][0])
		}
	}
	return with(t, files)
}

var (
	provider = platform.RequestKey{Team: "payments", Name: "a"}
	consumer = platform.RequestKey{Team: "payments", Name: "r"}
)

// TestConsumersGetTheOutputsOfWhatIsAdmitted and not of a release that is only proposed.
func TestConsumersGetTheOutputsOfWhatIsAdmitted(t *testing.T) {
	repo := &repository{}
	next := bound(t, "new")
	noProvider := only(func(p state.Proposal) *state.Release {
		if p.Next.Key == provider {
			return p.Base
		}
		return p.Next
	})
	waits := repo.direct(t, next, "prod", noProvider)
	require.Empty(t, waits.Changes, "the provider does not run there yet")
	require.Contains(t, problemsOf(waits.Problems)[0], "waits for payments/a, which does not run in prod yet")

	repo.render(t, bound(t, "old"), "prod")
	require.Contains(t, repo.manifest("prod-eu", consumer), "text: old")
	require.Empty(t, repo.direct(t, next, "prod", noProvider).Changes)

	repo.direct(t, next, "prod", render.Direction{})
	require.Contains(t, repo.manifest("prod-eu", consumer), "text: new")
}

// TestConsumersGetTheOutputsOfWhatIsRestored in the same commit.
func TestConsumersGetTheOutputsOfWhatIsRestored(t *testing.T) {
	repo := &repository{}
	repo.render(t, bound(t, "old"), "prod")
	old, manifests := repo.released(t, provider), map[string][]byte{}
	for cluster := range old.Clusters {
		manifests[cluster] = []byte(repo.manifest(cluster, provider))
	}
	next := bound(t, "new")
	repo.render(t, next, "prod")
	require.Contains(t, repo.manifest("prod-us", consumer), "text: new")
	repo.direct(t, next, "prod", render.Direction{Restore: map[platform.RequestKey]render.Restoration{provider: {Release: old, Manifests: manifests}}})
	require.Contains(t, repo.manifest("prod-us", provider), "text: old")
	require.Contains(t, repo.manifest("prod-us", consumer), "text: old")
}

// TestProvidersStayUntilTheRemovalOfTheirConsumersIsAdmitted whatever is admitted of themselves.
func TestProvidersStayUntilTheRemovalOfTheirConsumersIsAdmitted(t *testing.T) {
	repo := &repository{}
	repo.render(t, bound(t, "old"), "prod")
	rendered := repo.direct(t, with(t, nil), "prod", only(func(p state.Proposal) *state.Release {
		if p.Next.Key == consumer {
			return p.Base
		}
		return p.Next
	}))
	require.Empty(t, rendered.Changes)
	require.NotEmpty(t, repo.manifest("prod-eu", provider))
	repo.direct(t, with(t, nil), "prod", render.Direction{})
	require.Empty(t, repo.manifest("prod-eu", provider))
}

// TestWhatIsNotAdmittedKeepsItsObjects: another request gets them when they are free.
func TestWhatIsNotAdmittedKeepsItsObjects(t *testing.T) {
	files := map[string][]byte{"requests/payments/shop.yaml": request("shop", "  environments: {prod: {}}\n")}
	for _, name := range []string{"offering", "1.0.0/version", "1.0.0/kustomization"} {
		files["offerings/fixed/"+name+".yaml"] = []byte(stable["offerings/fixed/"+name+".yaml"][0])
	}
	files["offerings/fixed/1.0.0/kustomization.yaml"] = []byte(component + "configMapGenerator: [{name: shop-note, literals: [a=b], options: {disableNameSuffixHash: true}}]\n")
	repo := &repository{}
	repo.render(t, with(t, files), "prod")
	delete(files, "requests/payments/shop.yaml")
	files["requests/payments/z.yaml"] = []byte(head("Request", "z") + "spec: {offering: fixed, version: \"1\", environments: {prod: {}}}\n")
	next := with(t, files)
	rendered := repo.direct(t, next, "prod", only(func(p state.Proposal) *state.Release {
		if p.Next.Absent {
			return p.Base
		}
		return p.Next
	}))
	require.Empty(t, rendered.Changes)
	require.Contains(t, problemsOf(rendered.Problems)[0], "it would write the ConfigMap payments/shop-note, which payments/shop")
	repo.direct(t, next, "prod", render.Direction{})
	require.Contains(t, repo.manifest("prod-eu", platform.RequestKey{Team: "payments", Name: "z"}), "shop-note")
}

// TestNamespacesThatAreThereChangeAllAtOnce or not at all, and are asked about until they may.
func TestNamespacesThatAreThereChangeAllAtOnce(t *testing.T) {
	files := texted("a")
	base := &render.Base{Files: fstest.MapFS{}}
	var r render.Renderer
	state, err := r.Render(with(t, files), "prod", base)
	require.NoError(t, err)
	base.Advance(state, commit(fstest.MapFS{}, state.Changes))
	files["environments/prod.yaml"] = []byte(head("Environment", "prod") + "spec:\n  state: {url: https://git.example.com/state-prod.git}\n" +
		"  clusters: {matchLabels: {environment: prod}}\n  namespace: {components: [quota]}\n")
	files["environments/prod/quota/kustomization.yaml"] = []byte(component + "patches: [{target: {kind: Namespace}, patch: '[{\"op\": \"add\", \"path\": \"/metadata/labels/quota\", \"value\": \"small\"}]'}]\n")
	p := with(t, files)
	all, err := r.Render(p, "prod", base)
	require.NoError(t, err)
	want, err := preview.Digest(base, all)
	require.NoError(t, err)
	var asked []string
	for _, admitted := range []bool{false, false, true} {
		state, err := r.Direct(p, "prod", base, render.Direction{AdmitNamespaces: func(digest string) bool {
			asked = append(asked, digest)
			return admitted
		}})
		require.NoError(t, err)
		require.Equal(t, admitted, len(state.Changes) > 0)
		base.Advance(state, commit(base.Files.(fstest.MapFS), state.Changes))
	}
	require.Equal(t, []string{want, want, want}, asked)
}

func TestAnswersThatNobodyHasTheBytesOfAreRefused(t *testing.T) {
	repo := &repository{}
	repo.render(t, with(t, texted("a")), "prod")
	next, base := with(t, texted("b")), readBase(t, repo.files)
	for message, answer := range map[string]func(state.Proposal) *state.Release{
		"admit payments/shop in prod: the answer drops what runs": func(state.Proposal) *state.Release { return nil },
		"admit payments/shop in prod: the answer drops what runs on prod-us": func(p state.Proposal) *state.Release {
			answer := on("prod-eu")(p)
			delete(answer.Clusters, "prod-us")
			return answer
		},
		"admit payments/shop in prod: what it answers for prod-us is neither what is proposed there nor what is there": func(p state.Proposal) *state.Release {
			answer := on("prod-eu")(p)
			answer.Clusters["prod-us"] = state.Placement{Revision: "sha256:x", RenderKey: "sha256:y"}
			return answer
		},
	} {
		_, err := repo.renderer.Direct(next, "prod", base, only(answer))
		require.EqualError(t, err, message)
	}
	_, err := repo.renderer.Direct(next, "prod", base, render.Direction{Admit: func([]state.Proposal) []*state.Release { return nil }})
	require.EqualError(t, err, "admit 1 proposals of prod: there are 0 answers")
}

func TestKeysAreThoseOfRendering(t *testing.T) {
	repo := &repository{}
	repo.render(t, bound(t, "old"), "prod")
	p, base := bound(t, "new"), readBase(t, repo.files)
	for _, i := range p.Instances("prod") {
		keys, problems := repo.renderer.Keys(p, "prod", base, i)
		require.Empty(t, problems)
		require.Len(t, keys, 2)
		for cluster, key := range keys {
			now := base.Releases[i.Request.Key].Clusters[cluster].RenderKey
			require.Equal(t, i.Request.Key == consumer, key == now, "the provider changes; its consumer does not before it did")
		}
	}
	state, err := repo.renderer.Direct(p, "prod", base, render.Direction{})
	require.NoError(t, err)
	keys, _ := repo.renderer.Keys(p, "prod", base, p.Instances("prod")[0])
	require.Equal(t, keys["prod-eu"], state.Releases[provider].Clusters["prod-eu"].RenderKey)
	_, problems := repo.renderer.Keys(p, "prod", &render.Base{}, p.Instances("prod")[1])
	require.Contains(t, problems[0].String(), "waits for payments/a")
}

// TestDirectedPassAfterPassEqualsAFreshPass is TestPassAfterPassEqualsAFreshPass with promotion: contents from records,
// requests that stay or are given back an earlier release, and admission by chance.
func TestDirectedPassAfterPassEqualsAFreshPass(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 2))
			files, loader, renderer := common(), &platform.Loader{}, &render.Renderer{}
			for name, variants := range stable {
				put(files, name, []byte(variants[0]))
			}
			var base *render.Base
			var history []fstest.MapFS
			state := fstest.MapFS{}
			for n := range 150 {
				for range 1 + random.IntN(3) {
					edit(random, files)
				}
				p := reload(t, loader, files, n)
				if base == nil || random.IntN(20) == 0 {
					base = readBase(t, state)
				}
				d := chance(t, random, p, base, history)
				got, err := renderer.Direct(p, "prod", base, d)
				require.NoError(t, err)
				var fresh render.Renderer
				want, err := fresh.Direct(p, "prod", readBase(t, state), d)
				require.NoError(t, err)
				same(t, want, got)
				require.Equal(t, want.Forgotten, got.Forgotten)
				if random.IntN(10) > 0 {
					history = append(history, state)
					state = commit(state, got.Changes)
					base.Advance(got, state)
					sound(t, state)
				}
			}
		})
	}
}

// chance makes a direction at random.
func chance(t *testing.T, random *rand.Rand, p *platform.Platform, base *render.Base, history []fstest.MapFS) render.Direction {
	d := render.Direction{Keep: map[platform.RequestKey]bool{}, Restore: map[platform.RequestKey]render.Restoration{}, Records: map[platform.RequestKey]*state.Release{}}
	var chosen []*platform.Instance
	instances := map[platform.RequestKey]*platform.Instance{}
	for _, i := range p.Instances("prod") {
		instances[i.Request.Key] = i
	}
	keys := map[platform.RequestKey]bool{}
	for _, name := range []string{"a", "a-b", "b", "c", "d", "e"} {
		for _, team := range []string{"payments", "search"} {
			keys[platform.RequestKey{Team: team, Name: name}] = true
		}
	}
	for _, k := range slices.SortedFunc(maps.Keys(keys), platform.RequestKey.Compare) {
		release, i := base.Releases[k], instances[k]
		if release != nil && random.IntN(3) > 0 {
			i, _ = p.InstanceOf("prod", k, release.Request, release.Version, release.VersionDigest, release.File)
			d.Keep[k] = i == nil && random.IntN(2) == 0
		}
		if i != nil {
			chosen = append(chosen, i)
		}
		if release != nil && random.IntN(20) == 0 {
			record := *release
			record.Promotion.Admitted = []string{fmt.Sprint(random.IntN(3))}
			d.Records[k] = &record
		}
		if release != nil && release.Absent && random.IntN(4) == 0 {
			d.Forget = append(d.Forget, k)
		}
		if len(history) > 0 && random.IntN(30) == 0 {
			if restoration, ok := restoration(t, p, pick(random, history), k); ok {
				d.Restore[k] = restoration
			}
		}
	}
	d.Instances = platform.NewInstanceSet(chosen)
	salt := random.IntN(4)
	d.Admit = func(proposals []state.Proposal) (answers []*state.Release) {
		for _, proposal := range proposals {
			h := fnv.New32()
			fmt.Fprint(h, salt, proposal.Next.Key)
			switch h.Sum32() % 4 {
			case 0:
				answers = append(answers, proposal.Base)
			case 1:
				answers = append(answers, on("prod-eu")(proposal))
			default:
				answers = append(answers, proposal.Next)
			}
		}
		return answers
	}
	return d
}

func restoration(t *testing.T, p *platform.Platform, state fstest.MapFS, k platform.RequestKey) (render.Restoration, bool) {
	release := readBase(t, state).Releases[k]
	if release == nil || release.Absent {
		return render.Restoration{}, false
	}
	manifests := map[string][]byte{}
	for cluster := range release.Clusters {
		if p.Clusters[cluster] == nil {
			return render.Restoration{}, false
		}
		manifests[cluster] = state["clusters/"+cluster+"/"+k.String()+".yaml"].Data
	}
	return render.Restoration{Release: release, Manifests: manifests}, true
}

// sound checks that the manifests of a state are those that its records name.
func sound(t *testing.T, files fstest.MapFS) {
	t.Helper()
	named := map[string]bool{}
	for k, release := range readBase(t, files).Releases {
		for cluster, placed := range release.Clusters {
			name := "clusters/" + cluster + "/" + k.String() + ".yaml"
			named[name] = true
			require.NotNil(t, files[name], name)
			require.Equal(t, placed.Revision, state.Revision(files[name].Data), name)
		}
	}
	for name := range files {
		if strings.HasPrefix(name, "clusters/") && !strings.HasSuffix(name, "/_namespace.yaml") {
			require.True(t, named[name], name)
		}
	}
}

// TestConsumersThatOnlyFollowWaitForTheirProvider: the state that an Approval of a plan admitted is rendered in the end, and
// nothing in between.
func TestConsumersThatOnlyFollowWaitForTheirProvider(t *testing.T) {
	repo := &repository{}
	repo.render(t, bound(t, "old"), "prod")
	asked := 0
	d := render.Direction{Admit: func(proposals []state.Proposal) (answers []*state.Release) {
		asked++
		require.Len(t, proposals, 2)
		return []*state.Release{proposals[0].Base, proposals[1].Next}
	}}
	require.Empty(t, repo.direct(t, bound(t, "new"), "prod", d).Changes)
	require.Equal(t, 1, asked)
}
