package kustomize_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/render/internal/kustomize"
	"transom.dev/render/internal/kustomize/compiler"
)

// configured is a version as published bases have them: webhooks, certificates and CRDs name a Service and an Issuer in fields that
// Kustomize does not know.
var configured = map[string]string{
	"kustomization.yaml":      component + "resources: [base, more.yaml]\n",
	"base/kustomization.yaml": "namePrefix: base-\nnamespace: inner\nresources: [objects.yaml]\nimages: [{name: worker, newTag: '2'}]\nconfigurations: [config.yaml]\n",
	"base/config.yaml": `
nameReference:
- kind: Service
  version: v1
  fieldSpecs:
  - {kind: ValidatingWebhookConfiguration, group: admissionregistration.k8s.io, path: webhooks/clientConfig/service/name}
  - {kind: Certificate, group: cert-manager.io, path: 'spec/hosts[]/service'}
- kind: Issuer
  group: cert-manager.io
  fieldSpecs: [{kind: Certificate, group: cert-manager.io, path: spec/issuerRef/name}]
namespace:
- {kind: ValidatingWebhookConfiguration, group: admissionregistration.k8s.io, path: webhooks/clientConfig/service/namespace, create: true}
images:
- {kind: Certificate, path: spec/solver/image}
varReference:
- path: metadata/annotations
`,
	"base/objects.yaml": `
apiVersion: v1
kind: Service
metadata: {name: webhook}
spec: {selector: {app: webhook}, ports: [{port: 443}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: webhook}
spec: {selector: {matchLabels: {app: webhook}}, template: {metadata: {labels: {app: webhook}}, spec: {containers: [{name: webhook, image: worker}]}}}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: checks}
webhooks: [{name: a.example.com, clientConfig: {service: {name: webhook, path: /a}}}]
---
apiVersion: cert-manager.io/v1
kind: Issuer
metadata: {name: own}
spec: {selfSigned: {}}
---
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: {name: serving}
spec: {issuerRef: {name: own}, hosts: [{service: webhook}, {service: other}], solver: {image: worker}}
`,
	"more.yaml": `
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: {name: second}
spec: {issuerRef: {name: base-own}, hosts: [{service: second}]}
---
apiVersion: v1
kind: Service
metadata: {name: second}
spec: {selector: {app: webhook}, ports: [{port: 443}]}
`,
}

// TestConfigurationsBuildAsKustomizeBuildsThem: the bytes are those of kustomize build of the printed wrapper, the fields name the objects
// by the names that they have in the end, the identity stays where it is, and nothing goes by template.
func TestConfigurationsBuildAsKustomizeBuildsThem(t *testing.T) {
	overlay := tree(map[string]string{
		"kustomization.yaml": component + "patches: [{target: {kind: Deployment}, patch: '{apiVersion: apps/v1, kind: Deployment, metadata: {name: any, annotations: {a: b}}}'}]\nimages: [{name: worker, newTag: '3'}]\n",
	})
	overlay.Dir, overlay.Overlay = "environments/prod/overlay", true
	version := tree(configured)
	require.Empty(t, kustomize.Guard(version))
	for _, trees := range [][]kustomize.Tree{{version}, {version, overlay}} {
		for _, i := range instances()[:3] {
			w := i.of(wrapper(nil, trees...))
			out := build(t, w)
			require.Equal(t, string(onDisk(t, w)), string(out))
			for _, line := range []string{
				"issuerRef:\n    name: " + i.prefix + "base-own\n", "- service: " + i.prefix + "base-webhook\n  - service: other\n",
				"hosts:\n  - service: " + i.prefix + "second\n", "      name: " + i.prefix + "base-webhook\n      namespace: " + i.namespace + "\n      path: /a\n",
				"matchLabels:\n      app: webhook\n      transom.dev/request: ",
			} {
				require.Contains(t, string(out), line)
			}
			p := compiler.Compile(w)
			require.ErrorContains(t, p.Never(), "configurations in offerings/web/1.0.0/base/kustomization.yaml")
			fallsBack(t, p, w)
		}
	}
}

// TestConfiguredReferencesAreCounted before a build checks each against all objects.
func TestConfiguredReferencesAreCounted(t *testing.T) {
	const many = 700
	files := map[string]string{
		"kustomization.yaml": component + "resources: [all.yaml]\nconfigurations: [config.yaml]\n",
		"config.yaml":        "nameReference:\n- kind: Thing\n  fieldSpecs: [{kind: Thing, path: spec/others}]\n",
	}
	all := ""
	for n := range many {
		all += "---\napiVersion: example.com/v1\nkind: Thing\nmetadata: {name: t" + string(rune('a'+n%26)) + string(rune('a'+n/26%26)) + "}\nspec: {others: [a, b, c, d, e]}\n"
	}
	files["all.yaml"] = all
	require.Contains(t, fmt.Sprint(kustomize.Guard(tree(files))), "holds references to other objects against the names of objects 2,450,000 times")
	delete(files, "config.yaml")
	files["kustomization.yaml"] = component + "resources: [all.yaml]\n"
	require.Empty(t, kustomize.Guard(tree(files)))
}
