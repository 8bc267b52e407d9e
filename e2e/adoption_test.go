package e2e_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/yaml"

	"transom.dev/reconciler/status"
)

// running are the manifests of a workload that runs in a cluster before Transom comes, and of the offering for it, word for word.
const running = `apiVersion: v1
kind: ConfigMap
metadata: {name: shop-config}
data: {keep: a, legacy: b}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop}
spec:
  replicas: 2
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec: {containers: [{name: app, image: "nginx:1"}]}
---
apiVersion: v1
kind: Service
metadata: {name: shop}
spec: {selector: {app: shop}, ports: [{name: http, port: 80}]}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: shop}
spec: {minAvailable: 1, selector: {matchLabels: {app: shop}}}
`

// extra is an object with a field that its offering does not have.
const extra = `apiVersion: v1
kind: ConfigMap
metadata: {name: extra}
data: {keep: a, forgotten: b}
`

func verbatim(offering, number, manifests string) string {
	return published(offering, number, ", names: verbatim", manifests)
}

// adopting is a platform whose one environment may take over the namespace bugs.
const adopting = `
-- environments/dev.yaml --
apiVersion: transom.dev/v1alpha1
kind: Environment
metadata: {name: dev}
spec:
  state: {url: ../state-dev.git, branch: main}
  clusters: {}
  namespace: {adopt: [bugs]}
-- clusters/one.yaml --
apiVersion: transom.dev/v1alpha1
kind: Cluster
metadata: {name: one}
spec: {state: active}
`

var takenOver = adopting + `-- offerings/shop/offering.yaml --
apiVersion: transom.dev/v1alpha1
kind: Offering
metadata: {name: shop}
spec: {title: Shop}
-- offerings/extra/offering.yaml --
apiVersion: transom.dev/v1alpha1
kind: Offering
metadata: {name: extra}
spec: {title: Extra}
` + verbatim("shop", "1.0.0", running) + verbatim("shop", "1.1.0", strings.Replace(running, ", legacy: b", "", 1)) +
	verbatim("extra", "1.0.0", strings.Replace(extra, ", forgotten: b", "", 1))

func adopts(offering, version string) string {
	return document("Request", offering, fmt.Sprintf("offering: %s, version: %q, adopt: true, environments: {dev: {}}", offering, version))
}

// TestWhatRunsIsAdoptedUpgradedAndLetGoUnharmed takes over a running workload on a real cluster and gives it back.
func TestWhatRunsIsAdoptedUpgradedAndLetGoUnharmed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, takenOver, []string{"one"})
	o := w.before(running + "---\n" + extra)
	defer o.end()
	pods := o.pods()
	w.start()

	commit := w.push("adopt", map[string]string{"requests/bugs/shop.yaml": adopts("shop", "1.0.0")})
	w.eventually("all is adopted", func() error { return w.healthy(commit, 1) })
	require.Contains(t, w.said("adopted"), "kubectl-client-side-apply")
	require.Equal(t, map[string]string{"keep": "a", "legacy": "b"}, o.data("shop-config"))

	// An object that would lose a field waits, and says so before the merge, too.
	request := filepath.Join(w.clone(), "requests/bugs/extra.yaml")
	require.NoError(t, os.WriteFile(request, []byte(adopts("extra", "1.0.0")), 0o644))
	planned := w.transom("plan", w.clone(), "--live", "--kubeconfigs", w.keys)
	require.Contains(t, planned, "ConfigMap bugs/extra: it would lose data.forgotten")
	digest := regexp.MustCompile(`\{adoption: (sha256:[0-9a-f]{64})\}`).FindStringSubmatch(planned)[1]
	commit = w.push("adopt more, and a later version", map[string]string{
		"requests/bugs/extra.yaml": adopts("extra", "1.0.0"), "requests/bugs/shop.yaml": adopts("shop", "1.1.0"),
	})
	w.eventually("the adoption waits", func() error { return w.waits("extra", digest) })
	require.Contains(t, w.transom("status", "bugs/extra"), "it would lose data.forgotten")
	require.Equal(t, map[string]string{"keep": "a", "forgotten": "b"}, o.data("extra"))
	w.transom("promote", "-C", w.clone(), "--adoption", digest, "-e", "dev")
	commit = w.push("approve", nil)
	w.eventually("all is adopted, and at the later version", func() error { return w.healthy(commit, 2) })
	require.Equal(t, map[string]string{"keep": "a"}, o.data("shop-config"))
	require.Equal(t, map[string]string{"keep": "a"}, o.data("extra"))

	w.push("revert", map[string]string{"requests/bugs/shop.yaml": "", "requests/bugs/extra.yaml": ""})
	w.eventually("nothing is left of it", func() error {
		s, err := w.status()
		if err == nil && len(s.Instances) > 0 {
			err = fmt.Errorf("%+v", s.Instances)
		}
		return err
	})
	require.Equal(t, map[string]string{"keep": "a"}, o.data("extra"))
	o.unharmed()
	require.Equal(t, pods, o.pods(), "no pod was restarted")
	require.Equal(t, 2, o.fewest(), "the Service never had fewer endpoints")
	w.stop()
}

// waits returns an error unless the adoption of a request waits for the Approval of a digest.
func (w *world) waits(request, digest string) error {
	return w.shows("dev", request, func(p status.Placement) bool { return p.Adoption != nil && p.Adoption.Digest == digest })
}

// others looks at objects that somebody else made in the namespace bugs.
type others struct {
	*world
	objects []*unstructured.Unstructured
	dynamic dynamic.Interface
	end     func()

	mu    sync.Mutex
	least int // endpoints of the Service at any time
}

// before makes objects as kubectl apply does, and watches the endpoints of their Service from when there are two.
func (w *world) before(manifests string) *others {
	w.t.Helper()
	client, err := dynamic.NewForConfig(w.config("one"))
	require.NoError(w.t, err)
	o := &others{world: w, dynamic: client}
	namespace := "apiVersion: v1\nkind: Namespace\nmetadata: {name: bugs}\n"
	for document := range strings.SplitSeq(namespace+"---\n"+manifests, "---\n") {
		var u unstructured.Unstructured
		require.NoError(w.t, yaml.Unmarshal([]byte(document), &u.Object))
		u.SetAnnotations(map[string]string{"kubectl.kubernetes.io/last-applied-configuration": document})
		made, err := o.of(&u).Create(w.t.Context(), &u, metav1.CreateOptions{FieldManager: "kubectl-client-side-apply"})
		require.NoError(w.t, err)
		o.objects = append(o.objects, made)
	}
	ctx, cancel := context.WithCancel(w.t.Context())
	slices := w.client("one").DiscoveryV1().EndpointSlices("bugs")
	about := metav1.ListOptions{LabelSelector: "kubernetes.io/service-name=shop"}
	w.eventually("two endpoints are ready", func() error {
		all, err := slices.List(ctx, about)
		if err != nil {
			return err
		}
		for i := range all.Items {
			if ready(&all.Items[i]) == 2 {
				about.ResourceVersion = all.ResourceVersion
				return nil
			}
		}
		return fmt.Errorf("%+v", all.Items)
	})
	o.least = 2
	changes, err := slices.Watch(ctx, about)
	require.NoError(w.t, err)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for change := range changes.ResultChan() {
			slice, ok := change.Object.(*discoveryv1.EndpointSlice)
			n := 0
			if ok && change.Type != "DELETED" {
				n = ready(slice)
			}
			o.mu.Lock()
			o.least = min(o.least, n)
			o.mu.Unlock()
		}
	}()
	o.end = func() {
		cancel()
		<-ended
	}
	return o
}

func ready(slice *discoveryv1.EndpointSlice) (n int) {
	for _, e := range slice.Endpoints {
		if e.Conditions.Ready != nil && *e.Conditions.Ready {
			n++
		}
	}
	return n
}

func (o *others) of(u *unstructured.Unstructured) dynamic.ResourceInterface {
	gvk := u.GroupVersionKind()
	resource := o.dynamic.Resource(schema.GroupVersionResource{Group: gvk.Group, Version: gvk.Version, Resource: strings.ToLower(gvk.Kind) + "s"})
	if gvk.Kind == "Namespace" {
		return resource
	}
	return resource.Namespace("bugs")
}

func (o *others) fewest() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.least
}

// pods are the UIDs of all pods, sorted.
func (o *others) pods() (uids []string) {
	o.t.Helper()
	all, err := o.client("one").CoreV1().Pods("bugs").List(o.t.Context(), metav1.ListOptions{})
	require.NoError(o.t, err)
	for _, p := range all.Items {
		uids = append(uids, string(p.UID))
	}
	slices.Sort(uids)
	return uids
}

func (o *others) data(name string) map[string]string {
	o.t.Helper()
	m, err := o.client("one").CoreV1().ConfigMaps("bugs").Get(o.t.Context(), name, metav1.GetOptions{})
	require.NoError(o.t, err)
	return m.Data
}

// unharmed says that all that was there is there, as it was made, and that nothing of it is Transom's but the namespace.
func (o *others) unharmed() {
	o.t.Helper()
	for _, was := range o.objects {
		is, err := o.of(was).Get(o.t.Context(), was.GetName(), metav1.GetOptions{})
		require.NoError(o.t, err)
		require.Equal(o.t, was.GetUID(), is.GetUID())
		require.Equal(o.t, was.Object["spec"], is.Object["spec"])
		if was.GetKind() == "Namespace" {
			continue
		}
		for name := range is.GetLabels() {
			require.NotContains(o.t, name, "transom")
		}
		for name := range is.GetAnnotations() {
			require.NotContains(o.t, name, "transom")
		}
	}
}
