package apply_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"transom.dev/fleet/apply"
	"transom.dev/render/state"
)

// another is the rig with another team, whose namespace is there as that of this one is then.
func (r *rig) another() *rig {
	r.Helper()
	second := *r
	second.team += "-b"
	for _, team := range []*rig{r, &second} {
		team.healthy(team.instance("first", configMap("first", "1")))
	}
	return &second
}

// until refused waits until an API server refuses a Deployment, or takes it again.
func (r *rig) untilRefused(wanted bool, object string) {
	r.Helper()
	require.Eventually(r, func() bool { return (r.tried(object) != nil) == wanted }, patience, 20*time.Millisecond)
}

// inTeams selects the namespaces of teams.
func inTeams(all ...*rig) *metav1.LabelSelector {
	var names []string
	for _, r := range all {
		names = append(names, r.team)
	}
	return &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
		{Key: "kubernetes.io/metadata.name", Operator: metav1.LabelSelectorOpIn, Values: names},
	}}
}

// denyDeployments has a policy deny Deployments, until the function is called that it returns.
func (r *rig) denyDeployments(selector *metav1.LabelSelector) (allow func()) {
	r.Helper()
	name, registration := r.team, r.kube.AdmissionregistrationV1()
	resources := &admissionv1.MatchResources{NamespaceSelector: selector, ResourceRules: []admissionv1.NamedRuleWithOperations{{
		RuleWithOperations: admissionv1.RuleWithOperations{
			Operations: []admissionv1.OperationType{admissionv1.OperationAll},
			Rule:       admissionv1.Rule{APIGroups: []string{"apps"}, APIVersions: []string{"v1"}, Resources: []string{"deployments"}},
		},
	}}}
	_, err := registration.ValidatingAdmissionPolicies().Create(r.Context(), &admissionv1.ValidatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: admissionv1.ValidatingAdmissionPolicySpec{
			MatchConstraints: resources,
			Validations:      []admissionv1.Validation{{Expression: "false", MessageExpression: "'not ' + object.metadata.name"}},
		},
	}, metav1.CreateOptions{})
	require.NoError(r, err)
	_, err = registration.ValidatingAdmissionPolicyBindings().Create(r.Context(), &admissionv1.ValidatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: admissionv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName: name, ValidationActions: []admissionv1.ValidationAction{admissionv1.Deny},
		},
	}, metav1.CreateOptions{})
	require.NoError(r, err)
	allow = func() {
		require.NoError(r, registration.ValidatingAdmissionPolicyBindings().Delete(background, name, metav1.DeleteOptions{}))
		require.NoError(r, registration.ValidatingAdmissionPolicies().Delete(background, name, metav1.DeleteOptions{}))
	}
	r.untilRefused(true, mistaken(""))
	return allow
}

// What one policy refuses has one cause in all namespaces. Objects that wait for its end cost nothing, and keep nothing else of
// the instance waiting.
func TestAPolicyIsOneCause(t *testing.T) {
	r := newRig(t, &apiOnly)
	other := r.another()
	allow := r.denyDeployments(inTeams(r, other))
	in := r.instance("web", documents(configMap("web-a", "1"), deployment("web", "nginx:1")))
	result := r.visit(in)
	require.Equal(t, apply.Created, actions(result)["ConfigMap web-a"])
	refusal := result.Refusal
	require.NotNil(t, refusal)
	require.False(t, refusal.Ended)
	require.Len(t, refusal.Objects, 1)
	require.Equal(t, apply.Object{Group: "apps", Kind: "Deployment", Namespace: r.team, Name: "web"}, refusal.Objects[0].Object)
	require.Equal(t, "deployments.apps \"<object>\" is forbidden: ValidatingAdmissionPolicy '"+r.team+"' with binding '"+r.team+
		"' denied request: not <object>", strings.ReplaceAll(refusal.Message, "<namespace>", r.team)) // the policy is named as the team
	second := other.visit(other.instance("shop", deployment("shop", "nginx:1"))).Refusal
	require.NotNil(t, second)
	require.Equal(t, strings.ReplaceAll(refusal.Cause, "<namespace>", r.team), second.Cause)

	r.quiet()
	r.calls.take()
	refused, err := r.Try(t.Context(), in, refusal)
	require.NoError(t, err)
	require.True(t, refused)
	require.Equal(t, []string{"PATCH /apis/apps/v1/namespaces/" + r.team + "/deployments/web"}, r.calls.take())

	waiting := in
	waiting.Refused = refusal
	looked, err := r.Look(t.Context(), waiting)
	require.NoError(t, err)
	again := r.visit(waiting)
	require.Empty(t, r.calls.take())
	for _, result := range []apply.Result{looked, again} {
		require.Equal(t, refusal, result.Refusal)
		require.Equal(t, state.Failed, result.Health)
		require.Contains(t, result.Message, "the API server refused it: deployments.apps \"web\" is forbidden")
	}
	require.NoError(t, r.kube.CoreV1().ConfigMaps(r.team).Delete(t.Context(), "web-a", metav1.DeleteOptions{}))
	r.told(in.Owner)
	_, err = r.Look(t.Context(), waiting)
	require.ErrorIs(t, err, apply.ErrRequests)
	require.Equal(t, apply.Created, actions(r.visit(waiting))["ConfigMap web-a"], "drift is corrected meanwhile")

	allow()
	r.untilRefused(false, mistaken(""))
	refused, err = r.Try(t.Context(), in, refusal)
	require.NoError(t, err)
	require.False(t, refused)
	require.Nil(t, r.visit(in).Refusal)
}

// An object that was refused is still to be adopted: nothing of its instance is written before all of it can be.
func TestAnAdoptionThatIsRefusedKeepsTheInstanceWaiting(t *testing.T) {
	r := newRig(t, &apiOnly)
	r.another()
	labels := map[string]string{"theirs": "1"}
	_, err := r.kube.AppsV1().Deployments(r.team).Create(t.Context(), &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "web"},
		Spec: appsv1.DeploymentSpec{Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: "nginx:1"}}},
		}},
	}, metav1.CreateOptions{FieldManager: "kubectl-create"})
	require.NoError(t, err)
	allow := r.denyDeployments(inTeams(r))
	defer allow()
	in := r.adopting("web", documents(configMap("web-a", "1"), deployment("web", "nginx:1")))
	result := r.visit(in)
	require.Empty(t, result.Changes)
	require.NotNil(t, result.Refusal)
	in.Refused = result.Refusal
	again := r.visit(in)
	require.Empty(t, again.Changes)
	require.False(t, r.exists("web-a"))
	require.Equal(t, result.Refusal.Cause, again.Refusal.Cause)
}

// A quota says nothing of another namespace.
func TestAQuotaIsACauseOfItsNamespace(t *testing.T) {
	r := newRig(t, &apiOnly)
	other := r.another()
	hard := corev1.ResourceList{"count/services": resource.MustParse("0")}
	for _, team := range []*rig{r, other} {
		quotas := r.kube.CoreV1().ResourceQuotas(team.team)
		quota, err := quotas.Create(t.Context(), &corev1.ResourceQuota{
			ObjectMeta: metav1.ObjectMeta{Name: "few"}, Spec: corev1.ResourceQuotaSpec{Hard: hard},
		}, metav1.CreateOptions{})
		require.NoError(t, err)
		quota.Status = corev1.ResourceQuotaStatus{Hard: hard, Used: hard} // as its controller does, which does not run here
		_, err = quotas.UpdateStatus(t.Context(), quota, metav1.UpdateOptions{})
		require.NoError(t, err)
		team.untilRefused(true, service("x"))
	}
	web, shop := r.visit(r.instance("web", service("web"))).Refusal, r.visit(r.instance("shop", service("shop"))).Refusal
	theirs := other.visit(other.instance("web", service("web"))).Refusal
	require.Contains(t, web.Message, `services "<object>" is forbidden: exceeded quota: few`)
	require.Equal(t, web.Cause, shop.Cause)
	require.Equal(t, web.Message, theirs.Message)
	require.NotEqual(t, web.Cause, theirs.Cause)
}

// A webhook that does not answer is a fault of the cluster and not of the instance, of which nothing is known then.
func TestAWebhookThatFailsIsOneCause(t *testing.T) {
	r := newRig(t, &apiOnly)
	other := r.another()
	fail, none, url := admissionv1.Fail, admissionv1.SideEffectClassNone, "https://127.0.0.1:1/"
	hooks := r.kube.AdmissionregistrationV1().ValidatingWebhookConfigurations()
	_, err := hooks.Create(t.Context(), &admissionv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: r.team},
		Webhooks: []admissionv1.ValidatingWebhook{{
			Name: "down.example.com", FailurePolicy: &fail, SideEffects: &none, AdmissionReviewVersions: []string{"v1"},
			ClientConfig: admissionv1.WebhookClientConfig{URL: &url}, NamespaceSelector: inTeams(r, other),
			Rules: []admissionv1.RuleWithOperations{{
				Operations: []admissionv1.OperationType{admissionv1.OperationAll},
				Rule:       admissionv1.Rule{APIGroups: []string{"apps"}, APIVersions: []string{"v1"}, Resources: []string{"deployments"}},
			}},
		}},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	r.untilRefused(true, mistaken(""))
	in := r.instance("web", deployment("web", "nginx:1"))
	result, err := r.Apply(t.Context(), in)
	require.ErrorContains(t, err, `failed calling webhook "down.example.com"`)
	second, err := other.Apply(t.Context(), other.instance("shop", deployment("shop", "nginx:1")))
	require.Error(t, err)
	require.True(t, result.Refusal.Ended)
	require.Equal(t, result.Refusal.Cause, second.Refusal.Cause)
	refused, err := r.Try(t.Context(), in, result.Refusal)
	require.NoError(t, err)
	require.True(t, refused)
	require.NoError(t, hooks.Delete(t.Context(), r.team, metav1.DeleteOptions{}))
	r.untilRefused(false, mistaken(""))
	refused, err = r.Try(t.Context(), in, result.Refusal)
	require.NoError(t, err)
	require.False(t, refused)
}

// A store that is full is one cause, whichever object is written first.
func TestAFullStoreIsOneCause(t *testing.T) {
	r := newRig(t, &apiOnly)
	r.healthy(r.instance("first", configMap("first", "1")))
	r.calls.standIn(func(request *http.Request) *http.Response {
		if request.Method == http.MethodGet {
			return nil
		}
		return statusTo(t, request, metav1.Status{
			Code:    http.StatusInternalServerError,
			Message: "rpc error: code = ResourceExhausted desc = etcdserver: mvcc: database space exceeded",
		})
	})
	var causes []string
	for _, name := range []string{"web", "shop"} {
		result, err := r.Apply(t.Context(), r.instance(name, configMap(name, "1")))
		require.ErrorContains(t, err, "database space exceeded")
		require.True(t, result.Refusal.Ended)
		causes = append(causes, result.Refusal.Cause)
	}
	require.Equal(t, causes[0], causes[1])
}

// statusTo is an API server's to a request.
func statusTo(t *testing.T, request *http.Request, status metav1.Status) *http.Response {
	status.TypeMeta, status.Status = metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, metav1.StatusFailure
	body, err := json.Marshal(status)
	require.NoError(t, err)
	return &http.Response{
		StatusCode: int(status.Code), Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(bytes.NewReader(body)), Request: request,
	}
}

// A right that the daemon lacks in a namespace is a cause of that namespace. Other faults than refusals are no causes.
func TestAMissingRightIsACause(t *testing.T) {
	r := newRig(t, &apiOnly)
	r.healthy(r.instance("first", configMap("first", "1")))
	r.calls.standIn(func(request *http.Request) *http.Response { // as an API server with RBAC answers
		namespace, name, ofServices := strings.Cut(request.URL.Path, "/services/")
		if request.Method == http.MethodGet || !ofServices {
			return nil
		}
		return statusTo(t, request, metav1.Status{
			Code: http.StatusForbidden, Reason: metav1.StatusReasonForbidden,
			Message: fmt.Sprintf(`services %q is forbidden: User "transom" cannot patch resource "services" in API group "" in the namespace %q`,
				name, path.Base(namespace)),
		})
	})
	result := r.visit(r.instance("web", documents(configMap("web", "1"), service("web"))))
	require.NotNil(t, result.Refusal, "%+v", result)
	require.Equal(t, `services "<object>" is forbidden: User "transom" cannot patch resource "services" in API group "" in the namespace "<namespace>"`,
		result.Refusal.Message)
	require.Equal(t, result.Refusal.Cause, r.visit(r.instance("shop", service("shop"))).Refusal.Cause)

	waits := r.visit(r.instance("waits", documents(service("waits"), "{apiVersion: example.com/v1, kind: ConfigMap, metadata: {name: waits}}")))
	require.NotEmpty(t, waits.Problems)
	require.Nil(t, waits.Refusal, "it is to be visited for another reason, too")
}
