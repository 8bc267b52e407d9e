package apply_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"transom.dev/fleet/apply"
	"transom.dev/render/platform"
)

// scaled is a Deployment; without replicas, none are named.
func scaled(name, image string, replicas int) string {
	field := ""
	if replicas > 0 {
		field = fmt.Sprintf("replicas: %d, ", replicas)
	}
	return fmt.Sprintf("{apiVersion: apps/v1, kind: Deployment, metadata: {name: %s}, spec: {%sselector: {matchLabels: {app: %[1]s}}, "+
		"template: {metadata: {labels: {app: %[1]s}}, spec: {containers: [{name: app, image: %[3]q}]}}}}", name, field, image)
}

func autoscaler(of string) string {
	return fmt.Sprintf("{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: %s}, spec: {minReplicas: 4, maxReplicas: 10, "+
		"scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: %[1]s}}}", of)
}

// scale sets replicas as an autoscaler does.
func (r *rig) scale(name string, replicas int32) {
	r.Helper()
	_, err := r.kube.AppsV1().Deployments(r.team).UpdateScale(background, name, &autoscalingv1.Scale{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: r.team}, Spec: autoscalingv1.ScaleSpec{Replicas: replicas},
	}, metav1.UpdateOptions{FieldManager: "kube-controller-manager"})
	require.NoError(r, err)
}

func (r *rig) deployment(name string) *appsv1.Deployment {
	r.Helper()
	d, err := r.kube.AppsV1().Deployments(r.team).Get(background, name, metav1.GetOptions{})
	require.NoError(r, err)
	return d
}

// restsWith says that an instance costs nothing at rest, and has so many replicas.
func (r *rig) restsWith(in apply.Instance, name string, replicas int) {
	r.Helper()
	r.quiet()
	r.calls.take()
	require.Empty(r, r.visit(in).Changes)
	require.Empty(r, writes(r.calls.take()))
	require.EqualValues(r, replicas, r.replicas(name))
}

func TestWhatIsScaledBeginsWithItsMinimum(t *testing.T) {
	r := newRig(t, &apiOnly)
	in := r.instance("web", documents(scaled("web", "nginx:1", 0), autoscaler("web")))
	r.visit(in)
	r.restsWith(in, "web", 4)
	r.scale("web", 7)
	r.restsWith(in, "web", 7)
	next := r.instance("web", documents(scaled("web", "nginx:2", 0), autoscaler("web")))
	require.Equal(t, map[string]apply.Action{"Deployment web": apply.Configured}, actions(r.visit(next)))
	r.restsWith(next, "web", 7)
}

// State that an older Transom rendered has replicas beside an autoscaler.
func TestReplicasOfWhatIsScaledAreNotFoughtFor(t *testing.T) {
	r := newRig(t, &apiOnly)
	in := r.instance("web", documents(scaled("web", "nginx:1", 2), autoscaler("web")))
	r.visit(in)
	r.restsWith(in, "web", 2)
	for _, replicas := range []int32{7, 5, 9, 4} {
		r.scale("web", replicas)
		r.restsWith(in, "web", int(replicas))
	}
	next := r.instance("web", documents(scaled("web", "nginx:2", 2), autoscaler("web")))
	require.Empty(t, r.visit(next).Problems)
	r.restsWith(next, "web", 4)
}

func TestReplicasThatAReleaseDropsStayWhereTheyAreScaled(t *testing.T) {
	ignored := []platform.Ignore{{Group: "apps", Kind: "Deployment", Fields: []string{"spec.replicas"}}}
	for name, c := range map[string]struct {
		scalers []string
		ignore  []platform.Ignore
		scaled  int32 // before the release
		want    int
		handed  bool
	}{
		"before its autoscaler set any": {scalers: []string{autoscaler("web")}, want: 3, handed: true},
		"once its autoscaler set some":  {scalers: []string{autoscaler("web")}, scaled: 6, want: 6},
		"where the version ignores":     {ignore: ignored, want: 3, handed: true},
		"and somebody set some":         {ignore: ignored, scaled: 6, want: 6},
		"by nobody":                     {want: 1},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, &apiOnly)
			content := func(image string, replicas int) apply.Instance {
				in := r.instance("web", documents(slices.Concat([]string{scaled("web", image, replicas)}, c.scalers)...))
				in.Ignore = c.ignore
				return in
			}
			r.visit(content("nginx:1", 3))
			want := 3
			if c.scaled > 0 {
				r.scale("web", c.scaled)
				want = int(c.scaled)
			}
			r.restsWith(content("nginx:1", 3), "web", want)
			require.Empty(t, r.visit(content("nginx:2", 0)).Problems)
			r.restsWith(content("nginx:2", 0), "web", c.want)
			require.Equal(t, c.handed, entries(r.deployment("web"), "transom-handover") != "[]")
			if c.want == 1 {
				return
			}
			r.visit(content("nginx:3", 0))
			r.restsWith(content("nginx:3", 0), "web", c.want)
			r.scale("web", 8)
			r.restsWith(content("nginx:3", 0), "web", 8)
			require.Equal(t, "[]", entries(r.deployment("web"), "transom-handover"))
		})
	}
}

// A field that was handed over, and that nobody is to take over any more, goes as every field does.
func TestAHandoverEndsWithTheScaler(t *testing.T) {
	r := newRig(t, &apiOnly)
	r.visit(r.instance("web", documents(scaled("web", "nginx:1", 3), autoscaler("web"))))
	r.visit(r.instance("web", documents(scaled("web", "nginx:1", 0), autoscaler("web"))))
	require.EqualValues(t, 3, r.replicas("web"))
	for i, replicas := range []int{3, 0} { // named again, and dropped
		in := r.instance("web", scaled("web", fmt.Sprintf("nginx:%d", i+2), replicas))
		require.Empty(t, r.visit(in).Problems)
		r.restsWith(in, "web", max(1, replicas))
		require.Equal(t, "[]", entries(r.deployment("web"), "transom-handover"))
	}
}

func TestReplicasOfWhatIsAdoptedStayWhereTheyAreScaled(t *testing.T) {
	r := newRig(t, &apiOnly)
	r.visit(r.instance("first", configMap("first", "1")))
	var u unstructured.Unstructured
	require.NoError(t, yaml.Unmarshal([]byte(scaled("web", "nginx:1", 5)), &u.Object))
	_, err := r.dynamic.Resource(unions["deployment strategy"].resource).Namespace(r.team).Create(t.Context(), &u, metav1.CreateOptions{FieldManager: "kubectl-create"})
	require.NoError(t, err)
	r.bare = true
	in := r.adopting("web", documents(scaled("web", "nginx:1", 0), autoscaler("web")))
	result := r.visit(in)
	require.Nil(t, result.Adoption)
	require.Equal(t, apply.Adopted, actions(result)["Deployment web"])
	r.restsWith(in, "web", 5)
}

func TestKilledWhileHandingReplicasOverTheSameEnd(t *testing.T) {
	r := newRig(t, &whole)
	killed := r.killedAtEveryWrite(func(name string) apply.Instance {
		in := r.instance(name, scaled(name, "nginx:1", 3))
		in.Ignore = []platform.Ignore{{Group: "apps", Kind: "Deployment", Fields: []string{"spec.replicas"}}}
		return in
	}, func(name string) apply.Instance {
		in := r.instance(name, scaled(name, "nginx:2", 0))
		in.Ignore = []platform.Ignore{{Group: "apps", Kind: "Deployment", Fields: []string{"spec.replicas"}}}
		return in
	}, func(name string) {
		require.EqualValues(t, 3, r.replicas(name))
		require.NotEqual(t, "[]", entries(r.deployment(name), "transom-handover"))
	})
	require.Equal(t, 2, killed, "the handover and the object")
}
