package apply_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"transom.dev/fleet/apply"
	"transom.dev/render/platform"
)

// clusterScoped is an instance of a cluster-scoped version, in whose objects NAME stands for the name that is this test's own.
func (r *rig) clusterScoped(request, manifests string) apply.Instance {
	in := r.instance(request, strings.ReplaceAll(manifests, "NAME", r.team))
	in.Manifests = r.label(in.Owner, "", strings.ReplaceAll(manifests, "NAME", r.team))
	in.Scope, in.NamespaceManifest, in.Namespace = platform.ClusterScoped, nil, ""
	return in
}

func TestWhatOthersFillIsLeftToThem(t *testing.T) {
	r := newRig(t, &whole)
	in := r.clusterScoped("web", documents(
		`{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: NAME-all}, rules: [], aggregationRule: {clusterRoleSelectors: [{matchLabels: {of: NAME}}]}}`,
		`{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: NAME-part, labels: {of: NAME}}, rules: [{apiGroups: [""], resources: [pods], verbs: [get]}]}`,
		`apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: NAME}
webhooks:
- name: a.example.com
  admissionReviewVersions: [v1]
  sideEffects: None
  failurePolicy: Ignore
  clientConfig: {service: {name: none, namespace: default}, caBundle: Cg==}
  rules:
  - {apiGroups: [z.example.com], apiVersions: [v1alpha1], operations: [CREATE], resources: [things, things/status]}`))
	r.healthy(in)
	aggregated := func() bool {
		role, err := r.kube.RbacV1().ClusterRoles().Get(t.Context(), r.team+"-all", metav1.GetOptions{})
		require.NoError(t, err)
		return len(role.Rules) == 1
	}
	require.Eventually(t, aggregated, patience, 50*1e6)
	_, err := r.kube.AdmissionregistrationV1().ValidatingWebhookConfigurations().Patch(t.Context(), r.team, types.JSONPatchType,
		[]byte(`[{"op":"add","path":"/webhooks/0/clientConfig/caBundle","value":"`+base64.StdEncoding.EncodeToString([]byte(bundle))+`"}]`),
		metav1.PatchOptions{FieldManager: "cainjector"})
	require.NoError(t, err)
	for range 3 {
		r.quiet()
		r.calls.take()
		require.Empty(t, r.visit(in).Changes)
		require.Empty(t, writes(r.calls.take()))
	}
	require.True(t, aggregated())
}

// bundle is a certificate that nothing asks for anything.
const bundle = `-----BEGIN CERTIFICATE-----
MIIBdzCCAR2gAwIBAgIBADAKBggqhkjOPQQDAjAhMR8wHQYDVQQDDBZrM3Mtc2Vy
-----END CERTIFICATE-----
`
