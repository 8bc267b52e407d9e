package render_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"transom.dev/render"
	"transom.dev/render/platform"
	"transom.dev/render/preview"
	"transom.dev/render/sealed"
)

var (
	registry   = sealed.Subject{Environment: "dev", PullSecret: "registry"}
	registryAt = "environments/dev/registry.secret.yaml"
)

const logins = `{"auths":{"registry.example.com":{"auth":"b3JjaGFyZA=="}}}`

// newRegistry is a platform whose environment dev has an image pull secret, and whose offering has these objects.
func newRegistry(t *testing.T, objects string) *safe {
	s := newSafe(t, "a: b")
	s.put("environments/dev.yaml", strings.Replace(string(s.files["environments/dev.yaml"].Data), "{recipients: {payments:", `{recipients: {"*":`, 1)+"  imagePullSecrets: [registry]\n")
	s.put("offerings/shop/1.0.0/a.yaml", objects)
	s.seal(registryAt, registry, map[string]string{sealed.PullKey: logins})
	return s
}

// objects are those of a manifest, by kind and name.
func objectsIn(t *testing.T, manifest string) map[string]map[string]any {
	t.Helper()
	all := map[string]map[string]any{}
	for text := range strings.SplitSeq(manifest, "\n---\n") {
		var object map[string]any
		require.NoError(t, yaml.UnmarshalStrict([]byte(text), &object), text)
		metadata := object["metadata"].(map[string]any)
		all[object["kind"].(string)+"/"+metadata["name"].(string)] = object
	}
	return all
}

func at(object map[string]any, path string) any {
	var value any = object
	for name := range strings.SplitSeq(path, ".") {
		fields, _ := value.(map[string]any)
		value = fields[name]
	}
	return value
}

const container = "containers: [{name: app, image: 'registry.example.com/app:1'}]"

func workload(apiVersion, kind, spec string) string {
	return "apiVersion: " + apiVersion + "\nkind: " + kind + "\nmetadata: {name: " + strings.ToLower(kind) + "}\n" + spec + "\n"
}

// TestPullSecretsReachEachPod: wherever Kubernetes has the spec of a pod, it names the instance's own Secret, which is there sealed.
func TestPullSecretsReachEachPod(t *testing.T) {
	named := []any{map[string]any{"name": "shop-registry"}}
	for name, c := range map[string]struct {
		manifest, path string
		want           []any
	}{
		"Deployment":  {workload("apps/v1", "Deployment", "spec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {"+container+"}}}"), "spec.template.spec", named},
		"StatefulSet": {workload("apps/v1", "StatefulSet", "spec: {serviceName: a, selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {serviceAccountName: a, "+container+"}}}"), "spec.template.spec", named},
		"CronJob":     {workload("batch/v1", "CronJob", "spec: {schedule: '* * * * *', jobTemplate: {spec: {template: {spec: {restartPolicy: Never, "+container+"}}}}}"), "spec.jobTemplate.spec.template.spec", named},
		"Job":         {workload("batch/v1", "Job", "spec: {template: {spec: {restartPolicy: Never, "+container+"}}}"), "spec.template.spec", named},
		"Pod":         {workload("v1", "Pod", "spec: {"+container+"}"), "spec", named},
		"PodTemplate": {workload("v1", "PodTemplate", "template: {metadata: {labels: {a: b}}, spec: {"+container+"}}"), "template.spec", named},
		"one of its own": {
			workload("apps/v1", "DaemonSet", "spec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {imagePullSecrets: [{name: own}], "+container+"}}}"),
			"spec.template.spec", append(named, map[string]any{"name": "own"}),
		},
		"none of its own": {
			workload("apps/v1", "DaemonSet", "spec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {imagePullSecrets: [], "+container+"}}}"),
			"spec.template.spec", named,
		},
		"the same": {
			workload("v1", "Pod", "spec: {imagePullSecrets: [{name: shop-registry}], "+container+"}"), "spec", named,
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newRegistry(t, c.manifest)
			manifest, problems := s.render()
			require.Empty(t, problems)
			require.NotContains(t, manifest, "b3JjaGFyZA")
			all := objectsIn(t, manifest)
			require.Len(t, all, 2)
			for id, object := range all {
				if id == "Secret/shop-registry" {
					require.Equal(t, "kubernetes.io/dockerconfigjson", object["type"])
					require.Equal(t, "payments", at(object, "metadata.namespace"))
					require.Equal(t, "shop", at(object, "metadata.labels").(map[string]any)["transom.dev/request"])
					continue
				}
				require.Equal(t, c.want, at(object, c.path+".imagePullSecrets"), manifest)
			}
			text := manifest[strings.Index(manifest, "\n---\n")+5:]
			opened, err := s.keys.Open([]byte(text), registry)
			require.NoError(t, err, text)
			require.Equal(t, map[string]string{sealed.PullKey: logins}, opened)

			base, err := render.ReadBase(commit(fstest.MapFS{}, renderAll(t, load(t, s.files), "dev", nil).Changes))
			require.NoError(t, err)
			require.Empty(t, renderAll(t, load(t, s.files), "dev", base).Changes, "at rest nothing changes")
		})
	}
}

const deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: app}\n" +
	"spec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {" + container + "}}}\n"

// Without pods, and where the environment lists none, not a byte changes.
func TestWithoutPodsOrPullSecretsNothingChanges(t *testing.T) {
	config := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: beside}\ndata: {a: 'containers: []'}\n"
	with, problems := newRegistry(t, config).render()
	require.Empty(t, problems)
	s := newSafe(t, "a: b")
	s.put("offerings/shop/1.0.0/a.yaml", config)
	without, _ := s.render()
	require.Equal(t, without, with)

	s = newSafe(t, "a: b")
	s.put("offerings/shop/1.0.0/a.yaml", deployment)
	base, err := render.ReadBase(commit(fstest.MapFS{}, renderAll(t, load(t, s.files), "dev", nil).Changes))
	require.NoError(t, err)
	s.put("environments/dev.yaml", string(s.files["environments/dev.yaml"].Data)+"  imagePullSecrets: []\n")
	require.Empty(t, renderAll(t, load(t, s.files), "dev", base).Changes)
}

// A golden case is about the version, so that an environment that gets an image pull secret breaks none.
func TestImagePullSecretsAreInNoGoldenCase(t *testing.T) {
	s := newRegistry(t, deployment)
	k := platform.RequestKey{Team: "payments", Name: "shop"}
	shown, problems := new(render.Renderer).Show(load(t, s.files), "dev", k, render.Manner{Unsealed: true})
	require.Empty(t, problems)
	require.NotContains(t, string(shown.Manifest), "imagePullSecrets")
	shown, _ = new(render.Renderer).Show(load(t, s.files), "dev", k, render.Manner{})
	require.Contains(t, string(shown.Manifest), "imagePullSecrets")
}

// Two requests of a team, which share a namespace, have a Secret each: none goes with the other, and neither fights for it.
func TestEachInstanceHasAPullSecretOfItsOwn(t *testing.T) {
	s := newRegistry(t, deployment)
	s.put("requests/payments/cart.yaml", strings.Replace(string(s.files["requests/payments/shop.yaml"].Data), "name: shop", "name: cart", 1))
	manifest, problems := s.render()
	require.Empty(t, problems)
	require.Contains(t, manifest, "name: shop-registry")
	require.NotContains(t, manifest, "cart-registry")
	made := renderAll(t, load(t, s.files), "dev", nil)
	require.Contains(t, string(made.Changes["clusters/dev/payments/cart.yaml"]), "name: cart-registry")
}

func TestAPlanSaysThatAnImagePullSecretChanges(t *testing.T) {
	s := newRegistry(t, deployment)
	base, err := render.ReadBase(commit(fstest.MapFS{}, renderAll(t, load(t, s.files), "dev", nil).Changes))
	require.NoError(t, err)
	s.seal(registryAt, registry, map[string]string{sealed.PullKey: strings.Replace(logins, "b3JjaGFyZA", "bWVhZG93", 1)})
	changes, err := preview.Changes(base, renderAll(t, load(t, s.files), "dev", base))
	require.NoError(t, err)
	require.Len(t, changes, 1, "the pods stay as they are")
	require.Equal(t, "shop-registry", changes[0].Name)
	require.Contains(t, changes[0].Diff, "+  .dockerconfigjson: '*** (differs)'")
	for _, secret := range []string{"ENC[", "BEGIN AGE", "bWVhZG93", "b3JjaGFyZA"} {
		require.NotContains(t, changes[0].Diff, secret)
	}
}

func TestWhatIsWrongWithImagePullSecrets(t *testing.T) {
	for name, c := range map[string]struct {
		change func(s *safe)
		says   string
	}{
		"an object of its name": {func(s *safe) {
			s.put("offerings/shop/1.0.0/a.yaml", deployment+"---\napiVersion: v1\nkind: Secret\nmetadata: {name: registry}\n")
		}, "offerings/shop/1.0.0/kustomization.yaml: renders the Secret payments/shop-registry, which is to be the image pull secret registry of dev; give one of them another name"},
		"an annotation of Transom's": {func(s *safe) {
			s.put("offerings/shop/1.0.0/a.yaml", deployment+"---\napiVersion: v1\nkind: Secret\nmetadata: {name: mine, annotations: {transom.dev/pull-secret: registry}}\n")
		}, "transom.dev/pull-secret: Secret mine: is Transom's own; remove it"},
		"plaintext": {func(s *safe) {
			s.put(registryAt, "apiVersion: v1\nkind: Secret\nmetadata: {name: registry}\nstringData: {.dockerconfigjson: hunter2}\n")
		}, "environments/dev/registry.secret.yaml:4:14: stringData..dockerconfigjson: is not sealed"},
		"a recipient who is gone": {func(s *safe) {
			s.put("environments/dev.yaml", strings.Replace(string(s.files["environments/dev.yaml"].Data), s.recipient, "age1q73he0q5yzfu3d64msd3p6rvksnrwjk3d2598mgtmlqt9wrdr37q2vrn72", 1))
		}, "which reads the image pull secrets of dev; seal the values again: transom secret set registry -e dev, or have a key that opens them do it for all files: transom secret rekey"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newRegistry(t, deployment)
			c.change(s)
			p := load(t, s.files)
			made := renderAll(t, p, "dev", nil)
			said := strings.Join(append(problemsOf(p.Problems), problemsOf(made.Problems)...), "\n")
			require.Contains(t, said, c.says)
			require.NotContains(t, said, "hunter2")
			require.NotContains(t, made.Changes, rendered)
		})
	}
}
