package apply_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"syscall"
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
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"transom.dev/fleet/apply"
	"transom.dev/render/platform"
)

const benchInstances = 400 // of five objects each

// BenchmarkFirstApply applies 2,000 objects to an empty cluster, and compares with the ceiling: the same objects sent
// by clients that do nothing else.
func BenchmarkFirstApply(b *testing.B) {
	const objects = 5 * benchInstances
	for run := range b.N {
		ceiling, best, cpu := 0.0, 0.0, time.Duration(0)
		for _, n := range []int{4, 8, 16} { // taking turns, for whatever else the machine does
			took := rawApply(b, fresh.config(b, fmt.Sprintf("raw-%d", n)), fmt.Sprintf("team-%d", run), n)
			b.Logf("raw, %d connections: %.0f objects/s", n, objects/took.Seconds())
			ceiling = max(ceiling, objects/took.Seconds())
			if n == 4 {
				continue
			}
			took, spent := firstApply(b, fresh.config(b, fmt.Sprintf("own-%d", n)), fmt.Sprintf("team-%d", run), n)
			b.Logf("apply, concurrency %d: %.0f objects/s", n, objects/took.Seconds())
			best, cpu = max(best, objects/took.Seconds()), spent
		}
		b.ReportMetric(best/ceiling, "first-apply-ceiling-ratio:ratio")
		b.ReportMetric(cpu.Seconds()*1000/objects, "first-apply-object-cpu:ms")
	}
}

// BenchmarkFarFirstApply is BenchmarkFirstApply with 30 ms of network between, and with as many requests under way as a Cluster
// comes to by itself.
func BenchmarkFarFirstApply(b *testing.B) {
	const objects, way = 5 * benchInstances, 15 * time.Millisecond
	for run := range b.N {
		ceiling := 0.0
		best := 0.0
		for _, n := range []int{32, 64} { // taking turns, for whatever else the machine does
			took := rawApply(b, distant(b, fresh.config(b, fmt.Sprintf("raw-%d", n/4)), way), fmt.Sprintf("far-%d", run), n)
			b.Logf("raw, %d connections: %.0f objects/s", n, objects/took.Seconds())
			ceiling = max(ceiling, objects/took.Seconds())
			took, _ = firstApply(b, distant(b, fresh.config(b, fmt.Sprintf("own-%d", n/4)), way), fmt.Sprintf("far-%d", run), 0)
			b.Logf("apply: %.0f objects/s", objects/took.Seconds())
			best = max(best, objects/took.Seconds())
		}
		b.ReportMetric(best/ceiling, "first-apply-30ms-ratio:ratio")
	}
}

// distant is the way to a cluster through a network that takes a time each way.
func distant(b *testing.B, config *rest.Config, way time.Duration) *rest.Config {
	server, err := url.Parse(config.Host)
	require.NoError(b, err)
	listener, err := new(net.ListenConfig).Listen(b.Context(), "tcp", "127.0.0.1:0")
	require.NoError(b, err)
	b.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			one, err := listener.Accept()
			if err != nil {
				return
			}
			other, err := new(net.Dialer).Dial("tcp", server.Host)
			if err != nil {
				_ = one.Close()
				continue
			}
			go carry(one, other, way)
			go carry(other, one, way)
		}
	}()
	far := rest.CopyConfig(config)
	far.Host = server.Scheme + "://" + listener.Addr().String()
	return far
}

// carry hands on what comes from one connection to another, each part after a time.
func carry(from, to net.Conn, way time.Duration) {
	type part struct {
		bytes []byte
		due   time.Time
	}
	parts := make(chan part, 10_000)
	go func() {
		defer close(parts)
		for {
			buffer := make([]byte, 16<<10)
			n, err := from.Read(buffer)
			if n > 0 {
				parts <- part{buffer[:n], time.Now().Add(way)}
			}
			if err != nil {
				return
			}
		}
	}()
	for p := range parts {
		<-time.After(time.Until(p.due))
		if _, err := to.Write(p.bytes); err != nil {
			break
		}
	}
	_, _ = to.Close(), from.Close()
	for range parts { // the reader may still have something to hand on
	}
}

// firstApply applies all instances as a daemon would, and returns how long it took and how much CPU.
func firstApply(b *testing.B, config *rest.Config, prefix string, concurrency int) (took, cpu time.Duration) {
	c, err := apply.Connect(b.Context(), config, apply.Options{Concurrency: concurrency})
	require.NoError(b, err)
	defer c.Close()
	var all []apply.Instance
	for i := range benchInstances {
		all = append(all, benchInstance(b, prefix, i))
	}
	began, spent := time.Now(), cpuTime(b)
	group, ctx := errgroup.WithContext(b.Context())
	visits := make(chan struct{}, len(all))
	for _, in := range all {
		for len(visits) >= max(16, c.Width()/2) {
			<-time.After(time.Millisecond)
		}
		visits <- struct{}{}
		group.Go(func() error {
			defer func() { <-visits }()
			result, err := c.Apply(ctx, in)
			if err == nil && len(result.Problems) > 0 {
				err = fmt.Errorf("%v", result.Problems)
			}
			return err
		})
	}
	require.NoError(b, group.Wait())
	b.Logf("at last %d requests may be under way", c.Width())
	return time.Since(began), cpuTime(b) - spent
}

// cpuTime is how much this process has used.
func cpuTime(b *testing.B) time.Duration {
	var used syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &used))
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

func benchInstance(b *testing.B, prefix string, i int) apply.Instance {
	team := fmt.Sprintf("%s-%d", prefix, i/20)
	o := apply.Owner{Environment: "bench", Team: team, Request: fmt.Sprintf("r%d", i)}
	r := &rig{T: nil, team: team}
	in := apply.Instance{Owner: o, Namespace: team, Scope: platform.Namespaced}
	in.NamespaceManifest = benchLabel(b, apply.Owner{Environment: "bench", Team: team}, "", "{apiVersion: v1, kind: Namespace, metadata: {name: "+r.team+"}}")
	for n, manifest := range benchObjects(o.Request) {
		if n > 0 {
			in.Manifests = append(in.Manifests, "---\n"...)
		}
		in.Manifests = append(in.Manifests, benchLabel(b, o, team, manifest)...)
	}
	return in
}

func benchObjects(name string) []string {
	return []string{
		"{apiVersion: v1, kind: ServiceAccount, metadata: {name: " + name + "}}",
		configMap(name, "a value that is long enough to be a setting"),
		service(name),
		"{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: " + name + "}, spec: {podSelector: {matchLabels: {app: " + name + "}}, policyTypes: [Ingress], ingress: [{from: [{podSelector: {}}]}]}}",
		deployment(name, "nginx:1.29"),
	}
}

func benchLabel(b *testing.B, o apply.Owner, namespace, manifest string) []byte {
	var u unstructured.Unstructured
	require.NoError(b, yaml.Unmarshal([]byte(manifest), &u.Object))
	labels := map[string]string{
		"app.kubernetes.io/managed-by": "transom", "transom.dev/team": o.Team, "transom.dev/environment": o.Environment,
	}
	if o.Request != "" {
		labels["transom.dev/request"] = o.Request
	}
	u.SetLabels(labels)
	u.SetNamespace(namespace)
	raw, err := yaml.Marshal(u.Object)
	require.NoError(b, err)
	return raw
}

// rawApply sends the objects of all instances, already encoded, over that many connections.
func rawApply(b *testing.B, config *rest.Config, prefix string, connections int) time.Duration {
	kube, err := kubernetes.NewForConfig(config)
	require.NoError(b, err)
	type call struct {
		resource        schema.GroupVersionResource
		namespace, name string
		body            []byte
	}
	calls := make(chan call, 5*benchInstances)
	resources := []schema.GroupVersionResource{
		{Version: "v1", Resource: "serviceaccounts"},
		{Version: "v1", Resource: "configmaps"},
		{Version: "v1", Resource: "services"},
		{Group: "networking.k8s.io", Version: "v1", Resource: "networkpolicies"},
		{Group: "apps", Version: "v1", Resource: "deployments"},
	}
	for i := range benchInstances {
		team, name := fmt.Sprintf("%s-%d", prefix, i/20), fmt.Sprintf("r%d", i)
		if i%20 == 0 {
			_, err := kube.CoreV1().Namespaces().Create(b.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: team}}, metav1.CreateOptions{})
			require.NoError(b, err)
		}
		for n, manifest := range benchObjects(name) {
			var object map[string]any
			require.NoError(b, yaml.Unmarshal(benchLabel(b, apply.Owner{Environment: "bench", Team: team, Request: name}, team, manifest), &object))
			body, err := json.Marshal(object)
			require.NoError(b, err)
			calls <- call{resources[n], team, name, body}
		}
	}
	close(calls)
	began := time.Now()
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
				if err := rawPatch(ctx, client, c.resource, c.namespace, c.name, c.body); err != nil {
					return err
				}
			}
			return nil
		})
	}
	require.NoError(b, group.Wait())
	return time.Since(began)
}

func rawPatch(ctx context.Context, client dynamic.Interface, resource schema.GroupVersionResource, namespace, name string, body []byte) error {
	force := true
	_, err := client.Resource(resource).Namespace(namespace).Patch(ctx, name, types.ApplyPatchType, body,
		metav1.PatchOptions{FieldManager: "raw", Force: &force})
	return err
}

// BenchmarkRest makes visits of an instance of five objects that is as it should be.
func BenchmarkRest(b *testing.B) {
	c, err := apply.Connect(b.Context(), apiOnly.config(b, "a"), apply.Options{})
	require.NoError(b, err)
	defer c.Close()
	in := benchInstance(b, "rest", 1)
	_, err = c.Apply(b.Context(), in)
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		_, err := c.Apply(b.Context(), in)
		require.NoError(b, err)
	}
}
