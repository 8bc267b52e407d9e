package e2e_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
)

// pageKinds are those of the objects that an instance of the farm's offering has.
var pageKinds = []schema.GroupVersionResource{
	{Version: "v1", Resource: "configmaps"},
	{Version: "v1", Resource: "serviceaccounts"},
	{Version: "v1", Resource: "services"},
	{Group: "apps", Version: "v1", Resource: "deployments"},
}

// BenchmarkFirstApplyInDaemon has a daemon bring 2,000 objects of 500 requests to an empty cluster, and compares its rate, from the first
// object to the last, with the ceiling: the same objects sent to another namespace by clients that do nothing else.
func BenchmarkFirstApplyInDaemon(b *testing.B) {
	const requests = 500
	w := newWorld(b, farmPlatform+"-- clusters/edge-0000.yaml --\n"+farmCluster(0), []string{"edge-0000"}, "--api-only")
	w.patience = 10 * time.Minute
	config := w.config("edge-0000")
	config.QPS = -1
	client, err := dynamic.NewForConfig(config)
	require.NoError(b, err)
	files := map[string]string{}
	for i := range requests {
		name := fmt.Sprintf("page-%03d", i)
		files["requests/shop/"+name+".yaml"] = farmRequest(name, "green")
	}
	w.push("everything", files)
	came := watchPages(b, config, len(pageKinds)*requests)
	w.start()
	first, last := arrivals(b, came, len(pageKinds)*requests)
	daemon := float64(len(pageKinds)*requests) / last.Sub(first).Seconds()
	w.stop()

	raw := 0.0
	for _, connections := range []int{8, 16} {
		namespace := fmt.Sprintf("raw-%d", connections)
		_, err := w.client("edge-0000").CoreV1().Namespaces().Create(b.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, metav1.CreateOptions{})
		require.NoError(b, err)
		rate := sendRaw(b, config, client, namespace, connections)
		b.Logf("raw, %d connections: %.0f objects/s; the daemon: %.0f", connections, rate, daemon)
		raw = max(raw, rate)
	}
	b.ReportMetric(daemon/raw, "first-apply-daemon-ratio:ratio")
	b.ReportMetric(0, "ns/op")
}

// watchPages tells of each object that comes to the namespace of the team, of so many. It watches metadata alone: whatever watching costs is
// missing to the daemon.
func watchPages(b *testing.B, config *rest.Config, objects int) <-chan struct{} {
	client, err := metadata.NewForConfig(config)
	require.NoError(b, err)
	came := make(chan struct{}, objects)
	for _, kind := range pageKinds {
		events, err := client.Resource(kind).Namespace("shop").Watch(b.Context(), metav1.ListOptions{LabelSelector: "app.kubernetes.io/managed-by=transom"})
		require.NoError(b, err)
		b.Cleanup(events.Stop)
		go func() {
			for e := range events.ResultChan() {
				if e.Type == "ADDED" {
					came <- struct{}{}
				}
			}
		}()
	}
	return came
}

// arrivals are the times at which the first and the last of so many objects came.
func arrivals(b *testing.B, came <-chan struct{}, objects int) (first, last time.Time) {
	for i := range objects {
		select {
		case <-came:
		case <-time.After(deadline):
			require.FailNow(b, "objects are missing", "%d of %d came", i, objects)
		}
		if last = time.Now(); i == 0 {
			first = last
		}
	}
	return first, last
}

// sendRaw applies the objects of the team to another namespace over so many connections, and returns how many a second.
func sendRaw(b *testing.B, config *rest.Config, client dynamic.Interface, namespace string, connections int) float64 {
	type call struct {
		kind schema.GroupVersionResource
		name string
		body []byte
	}
	var all []call
	for _, kind := range pageKinds {
		found, err := client.Resource(kind).Namespace("shop").List(b.Context(), metav1.ListOptions{LabelSelector: "app.kubernetes.io/managed-by=transom"})
		require.NoError(b, err)
		for _, o := range found.Items {
			all = append(all, call{kind, o.GetName(), bare(b, o, namespace)})
		}
	}
	calls := make(chan call, len(all))
	for _, c := range all {
		calls <- c
	}
	close(calls)
	began, force := time.Now(), true
	group, ctx := errgroup.WithContext(b.Context())
	for range connections {
		group.Go(func() error {
			own := rest.CopyConfig(config)
			own.Dial = nil
			own.TLSClientConfig.NextProtos = []string{"http/1.1"} // one connection each
			client, err := dynamic.NewForConfig(own)
			if err != nil {
				return err
			}
			for c := range calls {
				if _, err := client.Resource(c.kind).Namespace(namespace).Patch(ctx, c.name, types.ApplyPatchType, c.body,
					metav1.PatchOptions{FieldManager: "raw", Force: &force}); err != nil {
					return err
				}
			}
			return nil
		})
	}
	require.NoError(b, group.Wait())
	return float64(len(all)) / time.Since(began).Seconds()
}

// bare is an object as it may be applied to another namespace.
func bare(b *testing.B, o unstructured.Unstructured, namespace string) []byte {
	labels := o.GetLabels()
	delete(labels, "app.kubernetes.io/managed-by")
	o.SetLabels(labels)
	o.SetNamespace(namespace)
	o.SetUID("")
	o.SetResourceVersion("")
	o.SetManagedFields(nil)
	for _, field := range [][]string{{"status"}, {"metadata", "creationTimestamp"}, {"metadata", "generation"}, {"spec", "clusterIP"}, {"spec", "clusterIPs"}} {
		unstructured.RemoveNestedField(o.Object, field...)
	}
	body, err := json.Marshal(o.Object)
	require.NoError(b, err)
	return body
}
