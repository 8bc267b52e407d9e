package e2e_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
)

// samples is how many pushes a latency is read off.
const samples = 50

// BenchmarkPushToLive measures the time from the end of a push that changes one request to the live object: on a
// generated platform of 1,000 requests on two API servers, and on the example's whole fleet.
func BenchmarkPushToLive(b *testing.B) {
	b.Run("1000", func(b *testing.B) {
		w := newWorld(b, settings, bothClusters, "--api-only")
		files := map[string]string{}
		for i := range 999 {
			name := fmt.Sprintf("r%03d", i)
			files["requests/payments/"+name+".yaml"] = request(name, "green")
		}
		commit := w.push("a thousand requests", files)
		w.start()
		w.eventually("a thousand requests are healthy", func() error { return w.healthy(commit, 2000) })
		configMap := schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}
		w.measure(b, "push-to-live", "one", configMap, "payments", "shop-settings", func(i int) (map[string]string, func(*unstructured.Unstructured) bool) {
			want := fmt.Sprintf("c%d", i)
			return map[string]string{"requests/payments/shop.yaml": request("shop", want)}, func(o *unstructured.Unstructured) bool {
				color, _, _ := unstructured.NestedString(o.Object, "data", "color")
				return color == want
			}
		})
	})
	b.Run("example", func(b *testing.B) {
		w := newWorldFrom(b, os.DirFS("../examples/acme"), []string{"dev", "staging", "prod-eu-1", "prod-us-1"})
		prod, err := os.ReadFile("../examples/acme/environments/prod.yaml")
		require.NoError(b, err)
		dev, err := os.ReadFile("../examples/acme/environments/dev.yaml")
		require.NoError(b, err)
		w.push("nobody has to approve, and nothing soaks in peace", map[string]string{
			"environments/prod.yaml": strings.Replace(string(prod), "approval: required", "approval: none", 1),
			"environments/dev.yaml":  string(dev) + "  gates: {replace: newest}\n",
		})
		w.start()
		commit := w.git(w.clone(), "rev-parse", "HEAD")
		w.eventually("the example is healthy", func() error { return w.healthy(commit, -1) })
		source, err := os.ReadFile("../examples/acme/requests/payments/checkout.yaml")
		require.NoError(b, err)
		deployment := schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}
		w.measure(b, "push-to-live-example", "dev", deployment, "payments", "checkout-web", func(i int) (map[string]string, func(*unstructured.Unstructured) bool) {
			want := fmt.Sprintf("checkout:2.0.%d", i)
			changed := strings.Replace(string(source), "checkout:1.4.0", want, 1)
			require.NotEqual(b, string(source), changed)
			return map[string]string{"requests/payments/checkout.yaml": changed}, func(o *unstructured.Unstructured) bool {
				containers, _, _ := unstructured.NestedSlice(o.Object, "spec", "template", "spec", "containers")
				return len(containers) > 0 && strings.HasSuffix(containers[0].(map[string]any)["image"].(string), want)
			}
		})
	})
}

// measure pushes changes one after the other and watches one object for each to arrive.
func (w *world) measure(b *testing.B, name, cluster string, gvr schema.GroupVersionResource, namespace, object string,
	change func(i int) (files map[string]string, live func(*unstructured.Unstructured) bool),
) {
	client, err := dynamic.NewForConfig(w.config(cluster))
	require.NoError(b, err)
	var took []time.Duration
	for i := range samples {
		files, live := change(i)
		events, err := client.Resource(gvr).Namespace(namespace).Watch(b.Context(), metav1.ListOptions{FieldSelector: "metadata.name=" + object})
		require.NoError(b, err)
		arrived := make(chan time.Time, 1)
		go func() { arrived <- arrival(events, live) }()
		w.push(fmt.Sprintf("%s %d", name, i), files)
		pushed := time.Now()
		select {
		case at := <-arrived:
			took = append(took, max(at.Sub(pushed), 0))
		case <-time.After(deadline):
			require.FailNow(b, "a push never became live")
		}
		events.Stop()
	}
	slices.Sort(took)
	b.ReportMetric(milliseconds(took[len(took)/2]), name+"-p50:ms")
	b.ReportMetric(milliseconds(took[len(took)*99/100]), name+"-p99:ms")
	b.ReportMetric(0, "ns/op")
}

func arrival(events watch.Interface, live func(*unstructured.Unstructured) bool) time.Time {
	for e := range events.ResultChan() {
		if o, ok := e.Object.(*unstructured.Unstructured); ok && live(o) {
			return time.Now()
		}
	}
	return time.Time{}
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
