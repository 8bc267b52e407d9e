package apply_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"transom.dev/fleet/apply"
	"transom.dev/render/state"
)

func TestNamespaceFileIsAppliedFirstAndKeptRight(t *testing.T) {
	r := newRig(t, &apiOnly)
	team := apply.Owner{Environment: "test", Team: r.team}
	file := append(r.label(team, "", "{apiVersion: v1, kind: Namespace, metadata: {name: "+r.team+", labels: {tier: one}}}"),
		append([]byte("---\n"), r.label(team, r.team, "{apiVersion: v1, kind: ResourceQuota, metadata: {name: team}, spec: {hard: {pods: 10}}}")...)...)
	web, api := r.instance("web", configMap("web", "1")), r.instance("api", configMap("api", "1"))
	web.NamespaceManifest, api.NamespaceManifest = file, file
	result := r.healthy(web)
	require.Equal(t, map[string]apply.Action{
		"Namespace " + r.team: apply.Created, "ResourceQuota team": apply.Created, "ConfigMap web": apply.Created,
	}, actions(result))
	require.Equal(t, []string{
		"PATCH /api/v1/namespaces/" + r.team,
		"PATCH /api/v1/namespaces/" + r.team + "/resourcequotas/team",
		"PATCH /api/v1/namespaces/" + r.team + "/configmaps/web",
	}, patches(r.calls.take()))
	require.Len(t, result.Objects, 1, "the namespace is not the instance's")
	require.Equal(t, map[string]apply.Action{"ConfigMap api": apply.Created}, actions(r.healthy(api)))

	// A change around the team concerns each of its instances; one of them puts it right.
	r.quiet()
	require.NoError(t, r.kube.CoreV1().ResourceQuotas(r.team).Delete(t.Context(), "team", metav1.DeleteOptions{}))
	r.told(web.Owner)
	require.Equal(t, map[string]apply.Action{"ResourceQuota team": apply.Created}, actions(r.visit(api)))
	require.Empty(t, r.visit(web).Changes)

	r.healthy(absent(web))
	r.healthy(absent(api))
	_, err := r.kube.CoreV1().ResourceQuotas(r.team).Get(t.Context(), "team", metav1.GetOptions{})
	require.NoError(t, err, "nothing around a team is ever pruned")
}

func patches(calls []string) []string {
	var all []string
	for _, call := range calls {
		if strings.HasPrefix(call, http.MethodPatch) {
			all = append(all, call)
		}
	}
	return all
}

func TestNamespaceThatIsBeingDeletedIsWaitedFor(t *testing.T) {
	r := newRig(t, &apiOnly)
	in := r.instance("web", configMap("web", "1"))
	r.healthy(in)
	require.NoError(t, r.kube.CoreV1().Namespaces().Delete(t.Context(), r.team, metav1.DeleteOptions{}))
	r.told(in.Owner)
	r.quiet()
	r.calls.take()
	more := r.instance("web", documents(configMap("web", "1"), configMap("more", "1")))
	result := r.visit(more)
	require.Empty(t, writes(r.calls.take()))
	require.Empty(t, result.Problems)
	require.False(t, result.Settled)
	require.Equal(t, state.Progressing, result.Health)
	require.Equal(t, "Namespace "+r.team+": is being deleted", result.Message)
}

func TestStateWithoutNamespaceIsRefused(t *testing.T) {
	r := newRig(t, &apiOnly)
	in := r.instance("web", configMap("web", "1"))
	in.NamespaceManifest = nil
	result := r.visit(in)
	require.Len(t, result.Problems, 1)
	require.Contains(t, result.Problems[0].String(), "has no Namespace \""+r.team+"\"")
	require.Empty(t, writes(r.calls.take()))
}

// swap does something to an object between the look at it and the PATCH of it.
func (r *rig) swap(do func() error) {
	var once bool
	r.calls.failing(func(request *http.Request) error {
		if request.Method != http.MethodPatch || !strings.HasSuffix(request.URL.Path, "/web") || once {
			return nil
		}
		once = true
		return do()
	})
}

func (r *rig) makeTheirs() error {
	_, err := r.kube.CoreV1().ConfigMaps(r.team).Create(background, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: "web"}, Data: map[string]string{"theirs": "1"},
	}, metav1.CreateOptions{FieldManager: "kubectl-create"})
	return err
}

func (r *rig) requireTheirs(result apply.Result) {
	r.Helper()
	require.False(r, result.Settled)
	require.Empty(r, actions(result)["ConfigMap web"])
	m, err := r.kube.CoreV1().ConfigMaps(r.team).Get(background, "web", metav1.GetOptions{})
	require.NoError(r, err)
	require.Equal(r, map[string]string{"theirs": "1"}, m.Data)
	require.Empty(r, m.Labels)
}

func TestObjectThatAppearsMeanwhileIsNotTaken(t *testing.T) {
	r := newRig(t, &apiOnly)
	in := r.instance("web", configMap("web", "1"))
	r.swap(r.makeTheirs)
	r.requireTheirs(r.visit(in))
	require.Contains(t, r.visit(in).Problems[0].Message, "it was made by kubectl-create")
}

func TestObjectThatWasReplacedMeanwhileIsNotTaken(t *testing.T) {
	r := newRig(t, &apiOnly)
	r.healthy(r.instance("web", configMap("web", "1")))
	in := r.instance("web", configMap("web", "2"))
	r.swap(func() error {
		return errors.Join(r.kube.CoreV1().ConfigMaps(r.team).Delete(background, "web", metav1.DeleteOptions{}), r.makeTheirs())
	})
	r.requireTheirs(r.visit(in))
	r.until(in, func(result apply.Result) bool { return len(result.Problems) == 1 })
}
