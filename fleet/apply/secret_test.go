package apply_test

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"transom.dev/fleet/apply"
	"transom.dev/render/state"
)

func secret(name, annotation string) string {
	return "{apiVersion: v1, kind: Secret, metadata: {name: " + name + ", annotations: {transom.dev/generate: password, " + annotation + "}}}"
}

func (r *rig) secret(name string) *corev1.Secret {
	r.Helper()
	s, err := r.kube.CoreV1().Secrets(r.team).Get(background, name, metav1.GetOptions{})
	require.NoError(r, err)
	return s
}

func TestGeneratedSecretHasRandomValues(t *testing.T) {
	r := newRig(t, &apiOnly)
	r.healthy(r.instance("db", documents(secret("one", ""), secret("two", "transom.dev/generate-keys: 'admin, app'"))))
	word := regexp.MustCompile(`^[A-Za-z0-9]{32}$`)
	one, two := r.secret("one"), r.secret("two")
	require.Regexp(t, word, string(one.Data["password"]))
	require.Len(t, one.Data, 1)
	require.Regexp(t, word, string(two.Data["admin"]))
	require.Regexp(t, word, string(two.Data["app"]))
	require.NotEqual(t, two.Data["admin"], two.Data["app"])
	var managers []string
	for _, e := range one.ManagedFields {
		managers = append(managers, e.Manager)
	}
	require.Equal(t, []string{"transom", "transom-generate"}, managers)
}

func TestGeneratedSecretIsNeverOverwritten(t *testing.T) {
	r := newRig(t, &apiOnly)
	r.healthy(r.instance("db", secret("login", "")))
	first := string(r.secret("login").Data["password"])
	r.quiet()

	// A new revision with one more key, a restart, and a value that somebody set by hand.
	more := r.instance("db", secret("login", "transom.dev/generate-keys: 'password,admin'"))
	r.healthy(more)
	require.Equal(t, first, string(r.secret("login").Data["password"]))
	admin := string(r.secret("login").Data["admin"])
	require.Len(t, admin, 32)
	r.connect()
	require.Empty(t, r.healthy(more).Changes)
	_, err := r.kube.CoreV1().Secrets(r.team).Patch(t.Context(), "login", types.MergePatchType,
		[]byte(`{"stringData":{"password":"by hand"}}`), metav1.PatchOptions{FieldManager: "kubectl-edit"})
	require.NoError(t, err)
	r.quiet()
	require.Empty(t, r.healthy(more).Changes)
	require.Equal(t, "by hand", string(r.secret("login").Data["password"]))
	require.Equal(t, admin, string(r.secret("login").Data["admin"]))
}

func TestGeneratedSecretThatWasDeletedIsMadeAnew(t *testing.T) {
	r := newRig(t, &apiOnly)
	in := r.instance("db", secret("login", ""))
	r.healthy(in)
	first := string(r.secret("login").Data["password"])
	r.quiet()
	require.NoError(t, r.kube.CoreV1().Secrets(r.team).Delete(t.Context(), "login", metav1.DeleteOptions{}))
	r.told(in.Owner)
	r.healthy(in)
	require.NotEqual(t, first, string(r.secret("login").Data["password"]))
}

func TestTwoDaemonsGenerateOneValue(t *testing.T) {
	r := newRig(t, &apiOnly)
	in := r.instance("db", secret("login", ""))
	first := r.Cluster
	r.connect()
	done := make(chan error)
	go func() { _, err := first.Apply(background, in); done <- err }()
	_, err := r.Apply(t.Context(), in)
	require.NoError(t, err)
	require.NoError(t, <-done)
	r.healthy(in)
	value := string(r.secret("login").Data["password"])
	require.Empty(t, r.healthy(in).Changes)
	require.Equal(t, value, string(r.secret("login").Data["password"]))
	require.Len(t, generations(r.secret("login")), 1)
}

func generations(s *corev1.Secret) []metav1.ManagedFieldsEntry {
	var all []metav1.ManagedFieldsEntry
	for _, e := range s.ManagedFields {
		if e.Manager == "transom-generate" {
			all = append(all, e)
		}
	}
	return all
}

func TestNoSecretValueIsReadOrTold(t *testing.T) {
	r := newRig(t, &apiOnly)
	var answers strings.Builder
	r.calls.answer = func(response *http.Response) {
		if !strings.Contains(response.Request.URL.Path, "/secrets") || response.Request.URL.Query().Get("watch") != "" {
			return
		}
		raw, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		response.Body = io.NopCloser(strings.NewReader(string(raw)))
		answers.Write(raw)
	}
	in := r.instance("db", secret("login", ""))
	said := fmt.Sprintf("%+v", r.healthy(in))
	value := string(r.secret("login").Data["password"])

	// Made unreadable for the daemon: a type that cannot change.
	bad := r.instance("db", strings.Replace(secret("login", ""), "kind: Secret", "kind: Secret, type: example.com/other", 1))
	said += fmt.Sprintf("%+v", r.visit(bad))
	require.Contains(t, said, "type cannot be changed")
	require.NotContains(t, said, value)
	require.NotEmpty(t, answers.String())
	require.NotContains(t, answers.String(), value)
}

func TestImmutableFieldIsAProblem(t *testing.T) {
	r := newRig(t, &apiOnly)
	in := r.instance("web", deployment("web", "nginx:1"))
	r.visit(in)
	before, err := r.kube.AppsV1().Deployments(r.team).Get(t.Context(), "web", metav1.GetOptions{})
	require.NoError(t, err)
	changed := strings.ReplaceAll(deployment("web", "nginx:1"), "app: web", "app: other")
	result := r.visit(r.instance("web", changed))
	require.Len(t, result.Problems, 1)
	require.Equal(t, "Deployment.apps "+r.team+"/web: spec.selector cannot be changed once the object exists (field is immutable). "+
		"Nothing was deleted: give the object a new name, publish a version that leaves the field as it was, or annotate it "+
		`transom.dev/replace: "true" to have it deleted and made anew`,
		result.Problems[0].String())
	require.Equal(t, state.Failed, result.Health)
	after, err := r.kube.AppsV1().Deployments(r.team).Get(t.Context(), "web", metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, before.UID, after.UID)
	require.Equal(t, before.Generation, after.Generation)
}

func TestRefusalIsAProblemOfThatObject(t *testing.T) {
	r := newRig(t, &apiOnly)
	for name, c := range map[string]struct{ manifest, want string }{
		"unknown field": {"{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {prots: []}}", `.spec.prots: field not declared in schema`},
		"invalid":       {"{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {ports: [{port: 99999}]}}", `spec.ports[0].port: Invalid value: 99999`},
	} {
		result := r.visit(r.instance("web", documents(configMap("web-a", "1"), c.manifest)))
		require.Len(t, result.Problems, 1, name)
		require.Contains(t, result.Problems[0].String(), "Service "+r.team+"/web: the API server refused it: ", name)
		require.Contains(t, result.Problems[0].Message, c.want, name)
		require.True(t, r.exists("web-a"))
	}
}

// A custom resource with a field that its CRD does not have is refused, too, rather than written without the field.
func TestAnUnknownFieldOfACustomResourceIsRefused(t *testing.T) {
	r := newRig(t, &apiOnly)
	r.install("Namespaced")
	in := r.instance("web", "{apiVersion: "+r.team+".example.com/v1, kind: Widget, metadata: {name: web}, sepc: {size: 1}}")
	result := r.until(in, func(result apply.Result) bool { return len(result.Problems) > 0 })
	require.Contains(t, result.Problems[0].Message, ".sepc: field not declared in schema")
}
