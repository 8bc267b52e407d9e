package apply_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"transom.dev/fleet/apply"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

var crdResource = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}

// crd defines Widgets in a group of this test's own.
func (r *rig) crd(scope string) string {
	return fmt.Sprintf(`apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.%[1]s.example.com}
spec:
  group: %[1]s.example.com
  scope: %[2]s
  names: {kind: Widget, plural: widgets}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}}
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec: {type: object, x-kubernetes-preserve-unknown-fields: true}
          status: {type: object, x-kubernetes-preserve-unknown-fields: true}`, r.team, scope)
}

func (r *rig) install(scope string) {
	r.Helper()
	var u unstructured.Unstructured
	require.NoError(r, yaml.Unmarshal([]byte(r.crd(scope)), &u.Object))
	_, err := r.dynamic.Resource(crdResource).Create(r.Context(), &u, metav1.CreateOptions{})
	require.NoError(r, err)
}

func (r *rig) widget(name string, size int) string {
	return fmt.Sprintf("{apiVersion: %s.example.com/v1, kind: Widget, metadata: {name: %s}, spec: {size: %d}}", r.team, name, size)
}

func (r *rig) widgets() schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: r.team + ".example.com", Version: "v1", Resource: "widgets"}
}

func (r *rig) widgetStatus(name, status string) {
	r.Helper()
	_, err := r.dynamic.Resource(r.widgets()).Namespace(r.team).Patch(background, name, types.MergePatchType,
		[]byte(`{"status":`+status+`}`), metav1.PatchOptions{FieldManager: "widget-controller"}, "status")
	require.NoError(r, err)
}

// of is an instance of one Widget, judged by the version's health entry.
func (r *rig) of(size int, health ...platform.Health) apply.Instance {
	in := r.instance("web", r.widget("web", size))
	for _, h := range health {
		h.Group, h.Kind = r.team+".example.com", "Widget"
		in.Health = append(in.Health, h)
	}
	return in
}

func TestLateCRDIsPickedUp(t *testing.T) {
	r := newRig(t, &apiOnly)
	in := r.of(1, platform.Health{Applied: true})
	in.Manifests = append(in.Manifests, append([]byte("---\n"), r.label(in.Owner, r.team, configMap("web", "1"))...)...)
	result := r.visit(in)
	require.Empty(t, result.Problems)
	require.False(t, result.Settled)
	require.Equal(t, state.Progressing, result.Health)
	require.Equal(t, "Widget."+r.team+".example.com "+r.team+"/web: waiting for a CRD: the cluster serves no Widget."+r.team+
		".example.com in version v1", result.Message)
	require.True(t, r.exists("web"), "what can be applied is")

	r.quiet()
	r.install("Namespaced")
	r.told(in.Owner)
	result = r.healthy(in)
	require.Empty(t, result.Problems)
	_, err := r.dynamic.Resource(r.widgets()).Namespace(r.team).Get(t.Context(), "web", metav1.GetOptions{})
	require.NoError(t, err)
}

func TestCRDAndItsResourceInOneRender(t *testing.T) {
	r := newRig(t, &apiOnly)
	in := r.instance("operator", "{}")
	in.Scope, in.NamespaceManifest, in.Namespace = platform.ClusterScoped, nil, ""
	in.Health = []platform.Health{{Group: r.team + ".example.com", Kind: "Widget", Applied: true}}
	in.Manifests = r.label(in.Owner, "", documents(r.widget("one", 1), r.crd("Cluster")))
	result := r.healthy(in)
	require.Empty(t, result.Problems)
	require.Len(t, result.Objects, 2)
}

func TestHealthOfCustomResources(t *testing.T) {
	const anyStatus = `{"observedGeneration":1}`
	for name, c := range map[string]struct {
		health  []platform.Health
		status  string
		want    state.Health
		message string
		problem string
	}{
		"healthy by the version":    {[]platform.Health{{Healthy: "status.ready == spec.size"}}, `{"ready":3}`, state.Healthy, "", ""},
		"not yet by the version":    {[]platform.Health{{Healthy: "status.ready == spec.size"}}, `{"ready":2}`, state.Progressing, "waiting for status.ready == spec.size", ""},
		"a missing key is progress": {[]platform.Health{{Healthy: "status.ready == spec.size"}}, `{"other":2}`, state.Progressing, "waiting for status.ready == spec.size", ""},
		"failed by the version":     {[]platform.Health{{Healthy: "status.ready == spec.size", Failed: `status.phase == "Failed"`}}, `{"phase":"Failed","ready":3}`, state.Failed, `its status matches status.phase == "Failed"`, ""},
		"an error is a Problem":     {[]platform.Health{{Healthy: "status.ready + 1 == spec.size"}}, `{"ready":"three"}`, state.Unknown, "", "the version's health expression"},
		"applied is enough":         {[]platform.Health{{Applied: true}}, anyStatus, state.Healthy, "", ""},
		"ready":                     {nil, `{"conditions":[{"type":"Ready","status":"True"}]}`, state.Healthy, "", ""},
		"not ready":                 {nil, `{"conditions":[{"type":"Ready","status":"False","reason":"Building","message":"half way"}]}`, state.Progressing, "half way", ""},
		"stalled":                   {nil, `{"observedGeneration":1,"conditions":[{"type":"Stalled","status":"True","reason":"No","message":"no way"}]}`, state.Failed, "no way", ""},
		"observed":                  {nil, anyStatus, state.Healthy, "", ""},
		"neither":                   {nil, `{"phase":"fine"}`, state.Unknown, "", "its status has neither a Ready condition nor observedGeneration"},
		"of an older generation":    {[]platform.Health{{Healthy: "true"}}, `{"observedGeneration":0}`, state.Progressing, "its controller has not seen this revision yet", ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, &apiOnly)
			r.install("Namespaced")
			in := r.of(3, c.health...)
			in = r.applied(in)
			r.widgetStatus("web", c.status)
			result := r.until(in, func(result apply.Result) bool {
				return result.Objects[0].Health == c.want && result.Objects[0].Message != "no status yet" &&
					(c.message == "" || result.Objects[0].Message == c.message)
			})
			if c.problem == "" {
				require.Empty(t, result.Problems)
				return
			}
			require.Len(t, result.Problems, 1)
			require.Contains(t, result.Problems[0].Message, c.problem)
		})
	}
}

// applied makes visits until the Widget is there.
func (r *rig) applied(in apply.Instance) apply.Instance {
	r.Helper()
	r.until(in, func(apply.Result) bool {
		_, err := r.dynamic.Resource(r.widgets()).Namespace(r.team).Get(background, "web", metav1.GetOptions{})
		return err == nil
	})
	return in
}

func TestCustomResourceThatChangedIsNotHealthyUntilItsControllerSawIt(t *testing.T) {
	r := newRig(t, &apiOnly)
	r.install("Namespaced")
	one := r.applied(r.of(1))
	r.widgetStatus("web", `{"observedGeneration":1,"conditions":[{"type":"Ready","status":"True"}]}`)
	r.healthy(one)
	two := r.of(2)
	r.visit(two)
	r.quiet()
	require.Equal(t, state.Progressing, r.visit(two).Health)
	r.widgetStatus("web", `{"observedGeneration":2}`)
	r.healthy(two)
}

// Many controllers do not say which generation their status is about. When the resource changes, their status is
// still that of the resource before.
func TestCustomResourceWithoutGenerationsIsNotHealthyByAnOldStatus(t *testing.T) {
	for name, c := range map[string]struct {
		health      []platform.Health
		before, now string
	}{
		"by the version": {[]platform.Health{{Healthy: "status.ready == 3"}}, `{"ready":3,"phase":"a"}`, `{"ready":3,"phase":"b"}`},
		"ready": {
			nil, `{"conditions":[{"type":"Ready","status":"True"}]}`,
			`{"conditions":[{"type":"Ready","status":"True","reason":"Again"}]}`,
		},
		"conditions say": {
			nil, `{"conditions":[{"type":"Ready","status":"True","observedGeneration":1}]}`,
			`{"conditions":[{"type":"Ready","status":"True","observedGeneration":2}]}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, &apiOnly)
			r.install("Namespaced")
			one := r.applied(r.of(1, c.health...))
			r.widgetStatus("web", c.before)
			r.healthy(one)
			r.afterThisSecond()

			two := r.of(2, c.health...)
			r.visit(two)
			r.quiet()
			result := r.visit(two)
			require.Equal(t, state.Progressing, result.Health)
			require.Equal(t, "its controller has not seen this revision yet", result.Objects[0].Message)
			r.afterThisSecond()
			r.widgetStatus("web", c.now)
			require.Empty(t, r.healthy(two).Changes)
		})
	}
}

func TestAControllerWithNothingNewToSayIsNotWaitedForForever(t *testing.T) {
	r := newRig(t, &apiOnly)
	r.install("Namespaced")
	ready := platform.Health{Healthy: "status.ready == 3"}
	one := r.applied(r.of(1, ready))
	r.widgetStatus("web", `{"ready":3}`)
	r.healthy(one)
	r.afterThisSecond()
	r.healthy(r.of(2, ready))
}

func TestResourcesThatWentWithTheirCRDAreForgotten(t *testing.T) {
	r := newRig(t, &apiOnly)
	r.install("Namespaced")
	in := r.applied(r.of(1, platform.Health{Applied: true}))
	r.healthy(in)
	require.NoError(t, r.dynamic.Resource(crdResource).Delete(t.Context(), "widgets."+r.team+".example.com", metav1.DeleteOptions{}))
	result := r.until(absent(in), func(result apply.Result) bool { return result.Settled })
	require.Equal(t, state.Healthy, result.Health)
	require.Empty(t, r.inventory("web"))
}

func TestKindThatIsNotServedIsNotForgotten(t *testing.T) {
	r := newRig(t, &apiOnly)
	r.install("Namespaced")
	in := r.applied(r.of(1, platform.Health{Applied: true}))
	r.healthy(in)
	// The CRD stays, with its objects, under a version that is not served.
	_, err := r.dynamic.Resource(crdResource).Patch(t.Context(), "widgets."+r.team+".example.com", types.JSONPatchType,
		[]byte(`[{"op":"replace","path":"/spec/versions/0/served","value":false}]`), metav1.PatchOptions{})
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		_, err := r.dynamic.Resource(r.widgets()).Namespace(r.team).Get(background, "web", metav1.GetOptions{})
		return apierrors.IsNotFound(err)
	}, patience, 10*time.Millisecond)
	result := r.until(absent(in), func(result apply.Result) bool { return len(result.Problems) > 0 })
	require.False(t, result.Settled)
	require.Contains(t, result.Problems[0].Message, "it cannot be pruned, because the cluster does not serve its kind now")
	require.Contains(t, r.inventory("web"), "Widget."+r.team+".example.com/"+r.team+"/web\n")
}

func TestObjectsThatAreReadForHealthAreKeptUpToAnAmountOfMemory(t *testing.T) {
	require.Equal(t, 100, apply.KeptBodies(100, 1<<10), "they fit, however often they are read")
	require.Equal(t, 40, apply.KeptBodies(40, 1<<20))
	require.Less(t, apply.KeptBodies(100, 1<<20), 64)
}
