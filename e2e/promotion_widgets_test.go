package e2e_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/yaml"
)

// widgetCRD is a kind that Kubernetes knows nothing of. All of a Widget is in its spec: the image, which
// requests choose, and the build, which the offering's version brings.
const widgetCRD = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.acme.example}
spec:
  group: acme.example
  scope: Namespaced
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
          spec: {type: object, properties: {image: {type: string}, build: {type: string}}}
          status: {type: object, x-kubernetes-preserve-unknown-fields: true}
`

var (
	crdResource    = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
	widgetResource = schema.GroupVersionResource{Group: "acme.example", Version: "v1", Resource: "widgets"}
)

// gone stands for a Widget that was deleted.
const gone = "gone"

// sighting is something that a Widget was, from a moment on.
type sighting struct {
	what    string // IMAGE@BUILD, or gone
	at      time.Time
	healthy time.Time // when it first became Ready as this; zero: never
}

type widgetKey struct{ cluster, namespace, name string }

// widgets is the operator of Widgets on all clusters of a fleet, and remembers everything that each of them ever was.
// An image or a build makes a Widget Failed if its name begins with "bad", keeps it Pending if it begins with "slow"
// ("bad-on-CLUSTER", "slow-on-CLUSTER": on that cluster), and else makes it Ready, unless a test judged otherwise.
type widgets struct {
	mu     sync.Mutex
	seen   map[widgetKey][]sighting
	now    map[widgetKey]*unstructured.Unstructured
	judged map[string]string // phases by image or build
	apis   map[string]dynamic.NamespaceableResourceInterface
}

// runWidgets installs the kind on every cluster and runs its operator until the test ends.
func runWidgets(t testing.TB, w *world, clusters []string) *widgets {
	t.Helper()
	o := &widgets{
		seen: map[widgetKey][]sighting{}, now: map[widgetKey]*unstructured.Unstructured{}, judged: map[string]string{},
		apis: map[string]dynamic.NamespaceableResourceInterface{},
	}
	var crd unstructured.Unstructured
	require.NoError(t, yaml.Unmarshal([]byte(widgetCRD), &crd.Object))
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	for _, cluster := range clusters {
		client, err := dynamic.NewForConfig(w.config(cluster))
		require.NoError(t, err)
		_, err = client.Resource(crdResource).Create(ctx, &crd, metav1.CreateOptions{})
		require.NoError(t, err)
		o.apis[cluster] = client.Resource(widgetResource)
		w.eventually("Widgets are served on "+cluster, func() error {
			_, err := o.apis[cluster].List(ctx, metav1.ListOptions{})
			return err
		})
	}
	for _, cluster := range clusters {
		running.Go(func() {
			for ctx.Err() == nil {
				_ = o.follow(ctx, cluster) // a cluster that is away is asked again
				select {
				case <-ctx.Done():
				case <-time.After(50 * time.Millisecond):
				}
			}
		})
	}
	return o
}

// follow lists a cluster's Widgets and watches them until the connection ends.
func (o *widgets) follow(ctx context.Context, cluster string) error {
	list, err := o.apis[cluster].List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	there := map[widgetKey]bool{}
	for i := range list.Items {
		there[o.observe(ctx, cluster, &list.Items[i])] = true
	}
	o.missing(cluster, there)
	events, err := o.apis[cluster].Watch(ctx, metav1.ListOptions{ResourceVersion: list.GetResourceVersion()})
	if err != nil {
		return err
	}
	defer events.Stop()
	for e := range events.ResultChan() {
		widget, ok := e.Object.(*unstructured.Unstructured)
		switch {
		case !ok:
			return apierrors.FromObject(e.Object)
		case e.Type == "DELETED":
			o.remember(widgetKey{cluster, widget.GetNamespace(), widget.GetName()}, gone, time.Now())
		case e.Type == "ADDED" || e.Type == "MODIFIED":
			o.observe(ctx, cluster, widget)
		}
	}
	return nil
}

// missing remembers that Widgets which were on a cluster are not any more. In which order they went is not known.
func (o *widgets) missing(cluster string, there map[widgetKey]bool) {
	o.mu.Lock()
	var lost []widgetKey
	for k, seen := range o.seen {
		if k.cluster == cluster && !there[k] && seen[len(seen)-1].what != gone {
			lost = append(lost, k)
		}
	}
	o.mu.Unlock()
	now := time.Now()
	for _, k := range lost {
		o.remember(k, gone, now)
	}
}

func (o *widgets) remember(k widgetKey, what string, at time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	seen := o.seen[k]
	if len(seen) == 0 || seen[len(seen)-1].what != what {
		o.seen[k] = append(seen, sighting{what: what, at: at})
	}
	if what == gone {
		delete(o.now, k)
	}
}

// observe remembers the spec of a Widget now and gives it the status that belongs to it.
func (o *widgets) observe(ctx context.Context, cluster string, widget *unstructured.Unstructured) widgetKey {
	k := widgetKey{cluster, widget.GetNamespace(), widget.GetName()}
	image, _, _ := unstructured.NestedString(widget.Object, "spec", "image")
	build, _, _ := unstructured.NestedString(widget.Object, "spec", "build")
	o.remember(k, image+"@"+build, time.Now())
	phase, _, _ := unstructured.NestedString(widget.Object, "status", "phase")
	generation, _, _ := unstructured.NestedInt64(widget.Object, "status", "observedGeneration")
	o.mu.Lock()
	o.now[k] = widget
	want := o.phase(cluster, image, build)
	if last := &o.seen[k][len(o.seen[k])-1]; want == "Ready" && last.healthy.IsZero() {
		last.healthy = time.Now() // or a moment later: nothing can know of it before
	}
	o.mu.Unlock()
	if phase != want || generation != widget.GetGeneration() {
		patch := fmt.Sprintf(`{"status":{"phase":%q,"observedGeneration":%d,"message":"%s with %s is %s"}}`,
			want, widget.GetGeneration(), image, build, strings.ToLower(want))
		_, _ = o.apis[cluster].Namespace(k.namespace).Patch(ctx, k.name, types.MergePatchType, []byte(patch),
			metav1.PatchOptions{FieldManager: "widget-operator"}, "status")
	}
	return k
}

// phase judges a Widget; the caller holds the lock.
func (o *widgets) phase(cluster, image, build string) string {
	phase := "Ready"
	for _, part := range []string{image, build} {
		_, where, only := strings.Cut(part, "-on-")
		switch {
		case o.judged[part] != "":
			phase = o.judged[part]
		case only && !strings.HasPrefix(where, cluster):
		case strings.HasPrefix(part, "bad"):
			return "Failed"
		case strings.HasPrefix(part, "slow"):
			phase = "Pending"
		}
	}
	return phase
}

// judge gives every Widget of an image or a build another phase from now on.
func (o *widgets) judge(ctx context.Context, part, phase string) {
	o.mu.Lock()
	o.judged[part] = phase
	again := map[widgetKey]*unstructured.Unstructured{}
	for k, widget := range o.now {
		again[k] = widget
	}
	o.mu.Unlock()
	for k, widget := range again {
		o.observe(ctx, k.cluster, widget)
	}
}

// history is everything that a Widget ever was, oldest first.
func (o *widgets) history(k widgetKey) []sighting {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.seen[k])
}
