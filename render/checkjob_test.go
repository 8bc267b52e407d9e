package render_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/render"
	"transom.dev/render/platform"
	"transom.dev/render/sealed"
)

const (
	smokeDir  = "offerings/note/1.0.0/checks/smoke/"
	smokeKind = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"
	smokeJob  = `apiVersion: batch/v1
kind: Job
metadata: {name: smoke}
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      containers:
      - name: smoke
        image: registry.example.com/smoke:1
        envFrom: [{configMapRef: {name: script}}]
`
	smokeScript = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: script}\ndata: {text: none}\n"
)

// smoke are the files of a check that reads the text of its request.
func smoke() map[string][]byte {
	return map[string][]byte{
		shopFile: request("shop", "  parameters: {text: hello}\n  environments: {prod: {}}\n"),
		smokeDir + "kustomization.yaml": []byte(smokeKind + `resources: [job.yaml, script.yaml]
replacements:
- source: {kind: Inputs, fieldPath: parameters.text}
  targets: [{select: {kind: ConfigMap}, fieldPaths: [data.text]}]
`),
		smokeDir + "job.yaml":    []byte(smokeJob),
		smokeDir + "script.yaml": []byte(smokeScript),
	}
}

// checkJob renders the check of the shop.
func checkJob(t *testing.T, p *platform.Platform, dir string) (string, error) {
	t.Helper()
	var renderer render.Renderer
	i := p.Instances("prod")
	manifest, err := renderer.CheckJob(p, "prod", i, nil, shop, i[0].Clusters[0].Name, render.CheckJob{Check: "smoke", Dir: dir, Prefix: "shop-0a1b-"})
	return string(manifest), err
}

// TestTheJobOfACheckIsRenderedLikeItsVersion: with its inputs, namespace and prefix, and without the labels by which objects and pods are the
// instance's.
func TestTheJobOfACheckIsRenderedLikeItsVersion(t *testing.T) {
	p := with(t, smoke())
	manifest, err := checkJob(t, p, "checks/smoke")
	require.NoError(t, err)
	require.Equal(t, `apiVersion: v1
data:
  text: hello
kind: ConfigMap
metadata:
  labels:
    transom.dev/check: smoke
    transom.dev/environment: prod
    transom.dev/offering: note
    transom.dev/request: shop
    transom.dev/team: payments
  name: shop-0a1b-script
  namespace: payments
---
apiVersion: batch/v1
kind: Job
metadata:
  labels:
    transom.dev/check: smoke
    transom.dev/environment: prod
    transom.dev/offering: note
    transom.dev/request: shop
    transom.dev/team: payments
  name: shop-0a1b-smoke
  namespace: payments
spec:
  backoffLimit: 0
  template:
    spec:
      containers:
      - envFrom:
        - configMapRef:
            name: shop-0a1b-script
        image: registry.example.com/smoke:1
        name: smoke
      restartPolicy: Never
`, manifest)
	without := smoke()
	for name := range without {
		if name != shopFile {
			delete(without, name)
		}
	}
	before, after := renderAll(t, with(t, without), "prod", nil), renderAll(t, p, "prod", nil)
	for file, content := range before.Changes {
		if strings.HasPrefix(file, "clusters/") {
			require.Equal(t, string(content), string(after.Changes[file]), "the check is no part of %s", file)
		}
	}
}

// TestTheJobOfACheckIsGuarded as the files and the objects of a version are, with a message for each mistake.
func TestTheJobOfACheckIsGuarded(t *testing.T) {
	at := smokeDir + "kustomization.yaml"
	list := func(resources string) []byte { return []byte(smokeKind + "resources: [" + resources + "]\n") }
	for name, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"nothing":       {map[string]string{at: smokeKind}, smokeDir + `kustomization.yaml: kustomization.yaml is empty`},
		"two":           {map[string]string{at: string(list("job.yaml, script.yaml, other.yaml")), smokeDir + "other.yaml": strings.Replace(smokeJob, "name: smoke}", "name: other}", 1)}, at + ": comes to 2 Jobs, and has to come to one"},
		"none":          {map[string]string{at: string(list("script.yaml"))}, at + ": comes to 0 Jobs, and has to come to one"},
		"another kind":  {map[string]string{at: string(list("job.yaml, script.yaml, other.yaml")), smokeDir + "other.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 80}]}\n"}, at + ": comes to the Service shop-0a1b-web; a check is one Job, and ConfigMaps where it needs some"},
		"a Secret":      {map[string]string{at: string(list("job.yaml, script.yaml, other.yaml")), smokeDir + "other.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: web}\ndata: {a: Yg==}\n"}, smokeDir + `kustomization.yaml: renders the Secret shop-0a1b-web with values in it, which would be committed; use a reference kind such as ExternalSecret, or leave data out and annotate it transom.dev/generate: password, or transom.dev/sealed with the keys that a request gives`},
		"remote":        {map[string]string{at: string(list("https://example.com/job.yaml"))}, smokeDir + `kustomization.yaml:3:13: resources[0]: "https://example.com/job.yaml" is remote; copy what it names into offerings/note/1.0.0/checks/smoke`},
		"outside":       {map[string]string{at: string(list("../../job.yaml"))}, smokeDir + `kustomization.yaml:3:13: resources[0]: "../../job.yaml" leaves offerings/note/1.0.0/checks/smoke`},
		"no component":  {map[string]string{at: "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [job.yaml, script.yaml]\n"}, smokeDir + `kustomization.yaml:2:7: kind: is "Kustomization"; it is added to other kustomizations, so write kind: Component and apiVersion: kustomize.config.k8s.io/v1alpha1`},
		"no file":       {map[string]string{at: ""}, at + ": there is none; add one of kind Component"},
		"suspended":     {map[string]string{smokeDir + "job.yaml": strings.Replace(smokeJob, "backoffLimit: 0", "suspend: true", 1)}, at + ": spec.suspend: Job shop-0a1b-smoke is suspended, so that it would never end; remove the field"},
		"expiring":      {map[string]string{smokeDir + "job.yaml": strings.Replace(smokeJob, "backoffLimit: 0", "ttlSecondsAfterFinished: 5", 1)}, smokeDir + `job.yaml:5:3: spec.ttlSecondsAfterFinished: Job smoke: the cluster removes the Job once it is done, and it would be made again and run again, without end; remove the field`},
		"namespace":     {map[string]string{smokeDir + "job.yaml": strings.Replace(smokeJob, "name: smoke}", "name: smoke, namespace: kube-system}", 1)}, smokeDir + `job.yaml:1: metadata.namespace: Job smoke is put into namespace "kube-system"; remove it, because every instance gets its team's namespace`},
		"misspelt":      {map[string]string{smokeDir + "job.yaml": strings.Replace(smokeJob, "backoffLimit: 0", "backofLimit: 0", 1)}, smokeDir + `job.yaml:5:3: spec.backofLimit: Job smoke: unknown field; did you mean "backoffLimit"?`},
		"no name":       {map[string]string{smokeDir + "job.yaml": strings.Replace(smokeJob, "{name: smoke}", "{labels: {a: b}}", 1)}, smokeDir + `kustomization.yaml: job.yaml: a Job has no metadata.name`},
		"long name":     {map[string]string{smokeDir + "job.yaml": strings.Replace(smokeJob, "{name: smoke}", "{name: "+strings.Repeat("x", 60)+"}", 1)}, "requests/payments/shop.yaml: renders the Job shop-0a1b-" + strings.Repeat("x", 60) + ", whose name is 70 characters long and may have 63; shorten the request's name"},
		"restarts":      {map[string]string{smokeDir + "job.yaml": strings.Replace(smokeJob, "restartPolicy: Never", "restartPolicy: Always", 1)}, smokeDir + `job.yaml:8:22: spec.template.spec.restartPolicy: Job smoke: Always is refused of a Job, which ends; write Never or OnFailure`},
		"policy":        {map[string]string{policyFile: brief}, "requests/payments/shop.yaml: policy brief denies the ConfigMap payments/shop-0a1b-script: be brief"},
		"no such input": {map[string]string{at: smokeKind + "resources: [job.yaml, script.yaml]\nreplacements:\n- source: {kind: Inputs, fieldPath: parameters.nothing}\n  targets: [{select: {kind: ConfigMap}, fieldPaths: [data.text]}]\n"}, smokeDir + `kustomization.yaml:5:3: replacements[0]: reads parameters.nothing, which has no value here; give it a default that is not empty, or write it in a component with a condition`},
		"no target":     {map[string]string{at: smokeKind + "resources: [job.yaml, script.yaml]\nreplacements:\n- source: {kind: Inputs, fieldPath: parameters.text}\n  targets: [{select: {kind: Deployment}, fieldPaths: [data.text]}]\n"}, smokeDir + `kustomization.yaml:5:3: replacements[0]: the target {kind: Deployment} matches no object`},
	} {
		t.Run(name, func(t *testing.T) {
			files := smoke()
			for file, content := range c.files {
				files[file] = []byte(content)
			}
			manifest, err := checkJob(t, with(t, files), "checks/smoke")
			require.EqualError(t, err, c.want, manifest)
		})
	}
	_, err := checkJob(t, with(t, smoke()), "checks/other")
	require.ErrorContains(t, err, "checks/other")
}

// TestAFaultThatACheckBringsToLightIsAnError, and ends nothing else.
func TestAFaultThatACheckBringsToLightIsAnError(t *testing.T) {
	p := with(t, smoke())
	for _, v := range p.Offerings["note"].Versions {
		v.Files = trap{}
	}
	_, err := checkJob(t, p, "checks/smoke")
	require.ErrorContains(t, err, "rendering it came upon a fault of Transom, which is worth a report: the trap is sprung, at transom.dev/render_test.trap.Open")
}

// The pods of a check pull with Secrets of their own, which come and go with the Job: an instance without pods has none.
func TestTheJobOfACheckHasTheImagePullSecrets(t *testing.T) {
	const recipient = "age1q73he0q5yzfu3d64msd3p6rvksnrwjk3d2598mgtmlqt9wrdr37q2vrn72"
	files := smoke()
	files["environments/prod.yaml"] = append(bytes.TrimSpace(common()["environments/prod.yaml"].Data),
		"\n  secrets: {recipients: {\"*\": ["+recipient+"]}}\n  imagePullSecrets: [registry]\n"...)
	data, err := sealed.Seal(sealed.Subject{Environment: "prod", PullSecret: "registry"}, []string{recipient}, map[string]string{sealed.PullKey: "{}"}, time.Now())
	require.NoError(t, err)
	files["environments/prod/registry.secret.yaml"] = data
	manifest, err := checkJob(t, with(t, files), "checks/smoke")
	require.NoError(t, err)
	require.Contains(t, manifest, "      imagePullSecrets:\n      - name: shop-0a1b-registry\n")
	_, secret, there := strings.Cut(manifest, "kind: Secret\n")
	require.True(t, there)
	for _, line := range []string{"  name: shop-0a1b-registry\n", "    transom.dev/check: smoke\n", "    transom.dev/pull-secret: registry\n", "type: " + sealed.PullType, "sops:"} {
		require.Contains(t, secret, line)
	}
	require.NotContains(t, secret, "app.kubernetes.io/managed-by")
}
