package platform_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
	"golang.org/x/tools/txtar"

	"transom.dev/render/expression"
	"transom.dev/render/platform"
)

// load loads the base platform with files replaced or added, and asks that nothing of it is wrong.
func load(t *testing.T, files map[string]string) *platform.Platform {
	t.Helper()
	p, err := platform.Load(with(t, files))
	require.NoError(t, err)
	require.Empty(t, lines(p.Problems))
	return p
}

func with(t *testing.T, files map[string]string) fstest.MapFS {
	t.Helper()
	fsys := repository(t, &txtar.Archive{})
	for name, content := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(content)}
	}
	return fsys
}

func version(spec string) string {
	return "apiVersion: transom.dev/v1alpha1\nkind: Version\nmetadata: {name: postgres}\nspec:" + spec
}

func request(parameters string) string {
	return "apiVersion: transom.dev/v1alpha1\nkind: Request\nmetadata: {name: orders-db}\nspec:\n" +
		"  offering: postgres\n  version: \"1.5\"\n  parameters: " + parameters + "\n  environments: {dev: {}}\n"
}

func environment(name string) string {
	return "apiVersion: transom.dev/v1alpha1\nkind: Environment\nmetadata: {name: " + name + "}\nspec:\n" +
		"  state: {url: /srv/state-" + name + ".git}\n  clusters: {matchLabels: {environment: " + name + "}}\n"
}

func instance(t *testing.T, p *platform.Platform, env, key string) *platform.Instance {
	t.Helper()
	for _, i := range p.Instances(env) {
		if i.Request.Key.String() == key {
			return i
		}
	}
	require.Failf(t, "no instance", "%s in %s", key, env)
	return nil
}

func TestParametersAreMergedAndDefaulted(t *testing.T) {
	p := load(t, map[string]string{
		"offerings/postgres/1.5.0/version.yaml": version(`
  parameters:
    type: object
    properties:
      storage: {type: string}
      replicas: {type: integer, default: 1}
      ratio: {type: number, default: 0.5}
      limits:
        type: object
        default: {}
        properties: {cpu: {type: string, default: 100m}, memory: {type: string}}
      labels: {type: object, additionalProperties: {type: string}}
      zones: {type: array, items: {type: object, properties: {name: {type: string}, weight: {type: integer, default: 1}}}}
`),
		"requests/payments/orders-db.yaml": `apiVersion: transom.dev/v1alpha1
kind: Request
metadata: {name: orders-db}
spec:
  offering: postgres
  version: "1"
  parameters:
    storage: 20Gi
    limits: {memory: 1Gi}
    labels: {a: x, b: y}
    zones: [{name: a, weight: 2}, {name: b}]
  environments:
    dev: {}
    prod:
      parameters:
        storage: "100"
        replicas: 3
        limits: {cpu: 1500m}
        labels: {a: null, c: "on"}
        zones: [{name: c}]
`,
	})
	require.Equal(t, map[string]any{
		"storage": "20Gi", "replicas": int64(1), "ratio": 0.5,
		"limits": map[string]any{"memory": "1Gi", "cpu": "100m"},
		"labels": map[string]any{"a": "x", "b": "y"},
		"zones":  []any{map[string]any{"name": "a", "weight": int64(2)}, map[string]any{"name": "b", "weight": int64(1)}},
	}, instance(t, p, "dev", "payments/orders-db").Parameters)
	require.Equal(t, map[string]any{
		"storage": "100", "replicas": int64(3), "ratio": 0.5,
		"limits": map[string]any{"memory": "1Gi", "cpu": "1500m"},
		"labels": map[string]any{"b": "y", "c": "on"},
		"zones":  []any{map[string]any{"name": "c", "weight": int64(1)}},
	}, instance(t, p, "prod", "payments/orders-db").Parameters)
}

// TestInstanceAsAnotherVersionHasTheValuesOfIt: a whole number is a decimal one where the version says so, as when a request is
// resolved.
func TestInstanceAsAnotherVersionHasTheValuesOfIt(t *testing.T) {
	p := load(t, map[string]string{
		"offerings/postgres/1.5.0/version.yaml": version("\n  parameters: {type: object, x-kubernetes-preserve-unknown-fields: true, properties: {ratio: {type: number, maximum: 9}, text: {type: string}}}\n"),
		"requests/payments/orders-db.yaml": "apiVersion: transom.dev/v1alpha1\nkind: Request\nmetadata: {name: orders-db}\nspec:\n" +
			"  offering: postgres\n  version: \"1.5\"\n  parameters: {ratio: 20, text: " + strings.Repeat("a", 70_000) + "}\n  environments: {dev: {parameters: {ratio: 2}}}\n",
	})
	i := instance(t, p, "dev", "payments/orders-db")
	require.IsType(t, float64(0), i.Parameters["ratio"])
	require.Len(t, i.Long, 1)
	before := *i
	before.Long = nil // as that of a version which bounds the text
	other, problems := before.As(i.Version)
	require.Empty(t, problems)
	require.Equal(t, i.Parameters, other.Parameters)
	require.Len(t, other.Long, 1)

	narrower := load(t, map[string]string{
		"offerings/postgres/1.5.0/version.yaml": version("\n  parameters: {type: object, x-kubernetes-preserve-unknown-fields: true, properties: {ratio: {type: number, maximum: 1}}}\n"),
	})
	_, problems = i.As(narrower.Offerings["postgres"].Version("1.5.0"))
	require.Equal(t, "requests/payments/orders-db.yaml: spec.environments.dev.parameters.ratio: the integer 2 should be less than or equal to 1\n", lines(problems))
}

func TestHighestPublishedVersionThatMatchesIsResolved(t *testing.T) {
	component := "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"
	for constraint, want := range map[string]string{
		"1": "1.10.0", "1.5": "1.5.0", "~1.5": "1.5.0", "^1.4": "1.10.0", ">=1 <1.10": "1.5.0", "1.4.2": "1.4.2",
		"*": "1.10.0", "2.0.0-rc.1": "2.0.0-rc.1", "<1.5 || 1.5.x": "1.5.0",
	} {
		files := map[string]string{"requests/payments/orders-db.yaml": `apiVersion: transom.dev/v1alpha1
kind: Request
metadata: {name: orders-db}
spec: {offering: postgres, version: "` + constraint + `", parameters: {storage: 20Gi}, environments: {dev: {}}}
`}
		for _, number := range []string{"1.10.0", "2.0.0-rc.1"} {
			files["offerings/postgres/"+number+"/version.yaml"] = version("\n  parameters: {type: object, x-kubernetes-preserve-unknown-fields: true}\n")
			files["offerings/postgres/"+number+"/kustomization.yaml"] = component
		}
		p := load(t, files)
		require.Equal(t, want, instance(t, p, "dev", "payments/orders-db").Version.Number.String(), constraint)
	}
}

func TestReleaseIsContentAndVersion(t *testing.T) {
	base := `apiVersion: transom.dev/v1alpha1
kind: Request
metadata: {name: orders-db}
spec:
  offering: postgres
  version: "1"
  parameters: {storage: 20Gi, replicas: 2}
  environments: {dev: {}, prod: {}}
`
	of := func(files map[string]string) string {
		p, err := platform.Load(with(t, files))
		require.NoError(t, err)
		dev, prod := instance(t, p, "dev", "payments/orders-db"), instance(t, p, "prod", "payments/orders-db")
		require.Equal(t, dev.Release, prod.Release, "a release knows nothing of environments")
		require.Regexp(t, "^sha256:[0-9a-f]{64}$", dev.Release)
		return dev.Release
	}
	const file = "requests/payments/orders-db.yaml"
	same := of(map[string]string{file: base})
	for _, content := range []string{
		"# a comment\n" + base,
		"kind: Request\nspec: {environments: {prod: {}, dev: {}}, version: '1', offering: postgres, parameters: {replicas: 2, storage: 20Gi}}\nmetadata: {name: orders-db}\napiVersion: transom.dev/v1alpha1\n",
		base[:len(base)-len("{dev: {}, prod: {}}\n")] + "{dev: {}, prod: {hold: true}}\n",
		"\ufeff" + base, strings.ReplaceAll(base, "\n", "\r\n"),
	} {
		require.Equal(t, same, of(map[string]string{file: content}))
	}
	bindable := map[string]string{
		file: base, "offerings/postgres/1.5.0/version.yaml": version("\n  bindings: {a: {offerings: [postgres]}}\n" +
			"  parameters: {type: object, x-kubernetes-preserve-unknown-fields: true}\n"),
		"requests/payments/b.yaml": strings.Replace(base, "orders-db", "b", 1),
	}
	unbound := of(bindable)
	bindable[file] = base + "  bindings: {a: b}\n"
	require.NotEqual(t, unbound, of(bindable))
	require.NotEqual(t, same, of(map[string]string{file: base, "offerings/postgres/1.5.0/more.yaml": "a: b\n"}))
	require.Equal(t, same, of(map[string]string{file: base, "offerings/postgres/1.5.0/tests/small/want.yaml": "a: b\n"}))
	require.Equal(t, same, of(map[string]string{file: base, "offerings/postgres/1.5.0/README.md": "hello\n"}))
	require.Equal(t, same, of(map[string]string{file: base, "environments/dev.yaml": environment("dev") + "  values: {a: 1}\n"}))
}

func TestInputsAreWhatRenderingMayRead(t *testing.T) {
	archive, err := txtar.ParseFile("testdata/whole.txtar")
	require.NoError(t, err)
	p, err := platform.Load(repository(t, archive))
	require.NoError(t, err)
	i := instance(t, p, "prod", "payments/orders-db")
	require.Len(t, i.Clusters, 1)
	in, problems := i.Inputs(i.Clusters[0], nil)
	require.Empty(t, problems)
	require.Equal(t, map[string]any{
		"request":     map[string]any{"name": "orders-db", "team": "payments"},
		"namespace":   "payments",
		"parameters":  map[string]any{"storage": "100Gi", "highAvailability": true},
		"computed":    map[string]any{"instances": int64(3)},
		"bindings":    map[string]any{},
		"environment": map[string]any{"name": "prod", "values": map[string]any{"domain": "prod.example.com"}},
		"cluster":     map[string]any{"name": "prod-eu-1", "labels": map[string]any{"environment": "prod", "region": "eu", "data": "true"}},
	}, in.Map())
	components, problems := i.Components(in, &expression.Tally{Most: expression.All})
	require.Empty(t, problems)
	require.Equal(t, []string{"components/backup"}, components)
	outputs, problems := i.Outputs(in, &expression.Tally{Most: expression.All})
	require.Empty(t, problems)
	require.Equal(t, map[string]any{"host": "orders-db-postgres.payments.svc", "secret": "orders-db-postgres"}, outputs)

	dev := instance(t, p, "dev", "payments/orders-db")
	in, _ = dev.Inputs(dev.Clusters[0], nil)
	components, _ = dev.Components(in, &expression.Tally{Most: expression.All})
	require.Empty(t, components)
}

func TestNamespaceIsComputedAndHeldToTheRules(t *testing.T) {
	for expression, want := range map[string]string{
		`request.team + "-" + environment.name`: "payments-dev",
		`cluster.labels.environment`:            "dev",
		`"kube-" + request.team`:                `environments/dev.yaml:7:15: spec.namespace.name: results in "kube-payments"; default, kube-* and transom-* are namespaces of Kubernetes and Transom`,
		`request.team + "."`:                    `environments/dev.yaml:7:15: spec.namespace.name: results in "payments.", which must be a DNS label: small letters, digits and dashes, a letter first and no dash last`,
		`cluster.labels.region`:                 `environments/dev.yaml:7:15: spec.namespace.name: no such key: region`,
		`environment.values.n`:                  `environments/dev.yaml:7:15: spec.namespace.name: must result in a string, not in the integer 3`,
	} {
		p := load(t, map[string]string{"environments/dev.yaml": environment("dev") + "  namespace: {name: '" + expression + "'}\n  values: {n: 3}\n"})
		i := instance(t, p, "dev", "payments/orders-db")
		in, problems := i.Inputs(i.Clusters[0], nil)
		if len(problems) > 0 {
			require.Equal(t, want+"\n", lines(problems))
			continue
		}
		require.Equal(t, want, in.Namespace)
	}
}

func TestClusterScopedVersionsHaveNoNamespace(t *testing.T) {
	p := load(t, map[string]string{"offerings/postgres/1.5.0/version.yaml": version(`
  scope: cluster
  parameters: {type: object, properties: {storage: {type: string}}}
`)})
	i := instance(t, p, "dev", "payments/orders-db")
	in, problems := i.Inputs(i.Clusters[0], nil)
	require.Empty(t, problems)
	require.Empty(t, in.Namespace)
}
