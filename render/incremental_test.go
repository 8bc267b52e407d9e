package render_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"transom.dev/render"
	"transom.dev/render/platform"
)

// TestPassAfterPassEqualsAFreshPass edits a platform at random and renders it after each edit with one Renderer, which
// visits changed requests only, and with a new one, which visits everything. Whatever happened before, both say the same.
func TestPassAfterPassEqualsAFreshPass(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			files, loader, renderer := common(), &platform.Loader{}, &render.Renderer{}
			for name, variants := range stable {
				put(files, name, []byte(variants[0]))
			}
			bases, states := map[string]*render.Base{}, map[string]fstest.MapFS{}
			for n := range 100 {
				for range 1 + random.IntN(3) {
					edit(random, files)
				}
				p, again := reload(t, loader, files, n), reload(t, &platform.Loader{}, files, n)
				for _, environment := range []string{"dev", "prod"} {
					base := bases[environment]
					if base == nil || random.IntN(20) == 0 { // after a restart or a race
						base = readBase(t, states[environment])
						bases[environment] = base
					}
					got, err := renderer.Render(p, environment, base)
					require.NoError(t, err)
					var fresh render.Renderer
					want, err := fresh.Render(again, environment, readBase(t, states[environment]))
					require.NoError(t, err)
					same(t, want, got)
					if random.IntN(10) > 0 { // else it could not be committed
						states[environment] = commit(states[environment], got.Changes)
						base.Advance(got, states[environment])
					}
				}
			}
		})
	}
}

func reload(t testing.TB, loader *platform.Loader, files fstest.MapFS, n int) *platform.Platform {
	t.Helper()
	p, err := loader.Load(files)
	require.NoError(t, err)
	p.Commit = fmt.Sprint("commit ", n)
	return p
}

func readBase(t testing.TB, files fstest.MapFS) *render.Base {
	t.Helper()
	base, err := render.ReadBase(files)
	require.NoError(t, err)
	return base
}

func same(t testing.TB, want, got *render.State) {
	t.Helper()
	require.Equal(t, problemsOf(want.Problems), problemsOf(got.Problems))
	require.Equal(t, want.Touched, got.Touched)
	require.Equal(t, texts(want.Changes), texts(got.Changes))
	require.Equal(t, string(want.Fleet.Encode()), string(got.Fleet.Encode()))
	require.Equal(t, want.LetGo, got.LetGo)
	require.Len(t, got.Releases, len(want.Releases))
	for k, release := range want.Releases {
		require.Equal(t, string(release.Encode()), string(got.Releases[k].Encode()))
	}
}

func texts(changes map[string][]byte) map[string]string {
	texts := map[string]string{}
	for name, content := range changes {
		texts[name] = fmt.Sprint(content == nil, "\n", string(content))
	}
	return texts
}

// edit mostly changes a request, and now and then something that many depend on.
func edit(random *rand.Rand, files fstest.MapFS) {
	if random.IntN(12) == 0 {
		name := pick(random, sortedNames(stable))
		put(files, name, []byte(pick(random, stable[name])))
		return
	}
	team, name := pick(random, []string{"payments", "search"}), pick(random, []string{"a", "a-b", "b", "c", "d", "e"})
	put(files, "requests/"+team+"/"+name+".yaml", []byte(pick(random, requestsOf(name))))
}

func pick[T any](random *rand.Rand, from []T) T { return from[random.IntN(len(from))] }

func sortedNames(m map[string][]string) []string {
	var names []string
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// requestsOf are a request's variants: gone, broken, and for each of the offerings; with others' names, there is nothing
// that they do not collide with or are not bound to.
func requestsOf(name string) []string {
	of := func(offering, rest string) string {
		return head("Request", name) + "spec:\n  offering: " + offering + "\n" + rest
	}
	everywhere := "  environments: {dev: {}, prod: {}}\n"
	return []string{
		"",
		of("note", "  version: \"1\"\n  paramters: {}\n"+everywhere),
		of("note", "  version: \"1\"\n  parameters: {text: "+name+"}\n"+everywhere),
		of("note", "  version: \"1\"\n  parameters: {text: again}\n"+everywhere),
		of("note", "  version: \"1.0\"\n  parameters: {text: forbidden}\n"+everywhere),
		of("note", "  version: \"1\"\n  parameters: {text: discouraged}\n"+everywhere),
		of("note", "  version: \"1\"\n  environments: {prod: {parameters: {text: prod}}}\n"),
		of("twin", "  version: \"1\"\n"+everywhere),
		of("twin", "  version: \"1\"\n  environments: {dev: {}, prod: {version: \"3\"}}\n"),
		of("fixed", "  version: \"1\"\n"+everywhere),
		of("wide", "  version: \"1\"\n"+everywhere),
		of("reader", "  version: \"1\"\n  bindings: {of: a}\n"+everywhere),
		of("reader", "  version: \"1\"\n  bindings: {of: c}\n"+everywhere),
		of("reader", "  version: \"1\"\n  bindings: {of: d}\n"+everywhere),
	}
}

const component = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"

// stable are the files that do not change often, in their variants.
var stable = map[string][]string{
	"offerings/note/1.0.0/version.yaml": {
		head("Version", "note") + "spec:\n  parameters: {type: object, properties: {text: {type: string, default: hello}}}\n" +
			"  outputs: [{name: text, value: parameters.text}]\n",
	},
	"offerings/note/1.1.0/version.yaml": {
		"",
		head("Version", "note") + "spec:\n  parameters: {type: object, properties: {text: {type: string, default: hello}}}\n" +
			"  outputs: [{name: text, value: '\"new \" + parameters.text'}]\n",
		head("Version", "note") + "spec:\n  parameters: {type: object, properties: {text: {type: string, default: changed}}}\n" +
			"  outputs: [{name: text, value: parameters.text}]\n",
		head("Version", "note") + "spec: {paramters: {}}\n",
	},
	"offerings/note/1.1.0/kustomization.yaml":  {component + "configMapGenerator: [{name: more, literals: [a=b]}]\n"},
	"offerings/twin/offering.yaml":             {head("Offering", "twin") + "spec: {title: Twin}\n", head("Offering", "twin") + "spec: {title: Twin, deletion: orphan}\n", ""},
	"offerings/twin/1.0.0/version.yaml":        {head("Version", "twin") + "spec: {parameters: {type: object}}\n"},
	"offerings/twin/1.0.0/kustomization.yaml":  {component + "configMapGenerator: [{name: b-note, literals: [a=b], options: {disableNameSuffixHash: true}}]\n"},
	"offerings/fixed/offering.yaml":            {head("Offering", "fixed") + "spec: {title: Fixed}\n"},
	"offerings/fixed/1.0.0/version.yaml":       {head("Version", "fixed") + "spec: {names: verbatim, parameters: {type: object}}\n"},
	"offerings/fixed/1.0.0/kustomization.yaml": {component + "configMapGenerator: [{name: b-note, literals: [a=b], options: {disableNameSuffixHash: true}}]\n"},
	"offerings/wide/offering.yaml":             {head("Offering", "wide") + "spec: {title: Wide}\n"},
	"offerings/wide/1.0.0/version.yaml":        {head("Version", "wide") + "spec: {scope: cluster, parameters: {type: object}}\n"},
	"offerings/wide/1.0.0/kustomization.yaml":  {component + "resources: [config.yaml, role.yaml]\n"},
	"offerings/wide/1.0.0/config.yaml":         {"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a-note, namespace: payments}\n"},
	"offerings/wide/1.0.0/role.yaml":           {"apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: wide}\nrules: []\n"},
	"offerings/reader/offering.yaml":           {head("Offering", "reader") + "spec: {title: Reader}\n"},
	"offerings/reader/1.0.0/version.yaml": {
		head("Version", "reader") + "spec:\n  parameters: {type: object}\n  bindings: {of: {offerings: [note, reader], required: true}}\n" +
			"  outputs: [{name: text, value: '\"read \" + bindings.of.text'}]\n",
	},
	"offerings/reader/1.0.0/kustomization.yaml": {component + "resources: [reader.yaml]\n" +
		"replacements:\n- source: {kind: Inputs, fieldPath: bindings.of.text}\n  targets: [{select: {kind: ConfigMap}, fieldPaths: [data.text]}]\n"},
	"offerings/reader/1.0.0/reader.yaml": {"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: reader}\ndata: {text: text}\n"},
	"policies/words.yaml": {
		head("Policy", "words") + `spec:
  match: {kinds: [{group: "", kind: ConfigMap}]}
  validations: [{expression: '!has(object.data) || !has(object.data.text) || object.data.text != "forbidden"', message: do not say that}]
  action: deny
`,
		head("Policy", "words") + `spec:
  match: {kinds: [{group: "", kind: ConfigMap}], environments: [dev]}
  validations: [{expression: '!has(object.data) || !has(object.data.text) || object.data.text != "again"', message: do not say that}]
  action: deny
`,
		"",
	},
	"policies/advice.yaml": {
		head("Policy", "advice") + `spec:
  match: {kinds: [{group: "", kind: ConfigMap}]}
  validations: [{expression: '!has(object.data) || !has(object.data.text) || object.data.text != "discouraged"', message: better not}]
  action: warn
`, "",
	},
	"clusters/prod-us.yaml": {
		head("Cluster", "prod-us") + "spec: {state: active}\n", "", "kind: Cluster\n",
		"apiVersion: transom.dev/v1alpha1\nkind: Cluster\nmetadata: {name: prod-us, labels: {environment: prod}}\nspec: {state: active}\n",
		"apiVersion: transom.dev/v1alpha1\nkind: Cluster\nmetadata: {name: prod-us, labels: {environment: prod}}\nspec: {state: draining}\n",
	},
	"environments/dev.yaml": {
		head("Environment", "dev") + "spec:\n  state: {url: https://git.example.com/state-dev.git}\n  clusters: {matchLabels: {environment: dev}}\n",
		head("Environment", "dev") + "spec:\n  state: {url: https://git.example.com/state-dev.git}\n  clusters: {matchLabels: {environment: dev}}\n" +
			"  namespace: {name: '\"shared\"'}\n",
		head("Environment", "dev") + "spec:\n  clusters: {}\n",
	},
}
