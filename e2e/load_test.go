package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clientappsv1 "k8s.io/client-go/kubernetes/typed/apps/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/client-go/util/flowcontrol"
)

// pages is a platform with one environment, one cluster, and an offering that is a Deployment.
const pages = `
-- offerings/page/offering.yaml --
apiVersion: transom.dev/v1alpha1
kind: Offering
metadata: {name: page}
spec: {title: Page, description: A deployment., owner: platform}
-- offerings/page/1.0.0/version.yaml --
apiVersion: transom.dev/v1alpha1
kind: Version
metadata: {name: page}
spec: {parameters: {type: object, required: [color], properties: {color: {type: string}}}}
-- offerings/page/1.0.0/kustomization.yaml --
apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
resources: [deployment.yaml]
replacements:
- source: {kind: Inputs, fieldPath: parameters.color}
  targets: [{select: {kind: Deployment}, fieldPaths: [spec.template.metadata.annotations.color]}]
-- offerings/page/1.0.0/deployment.yaml --
apiVersion: apps/v1
kind: Deployment
metadata: {name: page}
spec:
  replicas: 1
  selector: {matchLabels: {app: page}}
  template:
    metadata: {labels: {app: page}, annotations: {color: none}}
    spec: {containers: [{name: page, image: page}]}
-- environments/dev.yaml --
apiVersion: transom.dev/v1alpha1
kind: Environment
metadata: {name: dev}
spec:
  state: {url: ../state-dev.git, branch: main}
  clusters: {matchLabels: {environment: dev}}
  rollout: {progressDeadline: DEADLINE, instances: {maxConcurrent: 100%}}
-- clusters/one.yaml --
apiVersion: transom.dev/v1alpha1
kind: Cluster
metadata: {name: one, labels: {environment: dev}}
spec: {state: active}
`

// A throng is a daemon with many requests on one API server, whose writes can be kept to a rate.
type throng struct {
	*world
	many   int
	calm   []string // requests beside the many
	limit  atomic.Pointer[rate]
	client clientappsv1.DeploymentInterface // past the limit

	mu   sync.Mutex
	late map[string]bool // deployments that were not available within the deadline, at least once
}

type rate struct{ flowcontrol.RateLimiter }

// newThrong returns once everything is healthy.
func newThrong(t testing.TB, many, calm int, progressDeadline string) *throng {
	c := &throng{world: newWorld(t, strings.Replace(pages, "DEADLINE", progressDeadline, 1), []string{"one"}, "--api-only"), many: many, late: map[string]bool{}}
	within, err := time.ParseDuration(progressDeadline)
	require.NoError(t, err)
	config := c.config("one")
	config.QPS = -1
	apps, err := clientappsv1.NewForConfig(config)
	require.NoError(t, err)
	c.client = apps.Deployments("crowd")
	c.proxy(config)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		c.control(ctx, within)
	}()
	t.Cleanup(func() { cancel(); <-ended })
	for i := range calm {
		c.calm = append(c.calm, fmt.Sprintf("calm-%d", i))
	}
	files := c.colored("green")
	for _, name := range c.calm {
		files["requests/crowd/"+name+".yaml"] = page(name, "green")
	}
	commit := c.push("everybody", files)
	c.start()
	c.eventually("everybody is healthy", func() error { return c.healthy(commit, many+calm) })
	return c
}

// colored is a change of all the many requests.
func (c *throng) colored(color string) map[string]string {
	files := map[string]string{}
	for i := range c.many {
		name := fmt.Sprintf("page-%d", i)
		files["requests/crowd/"+name+".yaml"] = page(name, color)
	}
	return files
}

func page(name, color string) string {
	return document("Request", name, `offering: page, version: "1", parameters: {color: `+color+`}, environments: {dev: {}}`)
}

// proxy has the daemon reach the cluster by way of a proxy that keeps writes to the limit.
func (c *throng) proxy(config *rest.Config) {
	transport, err := rest.TransportFor(config)
	require.NoError(c.t, err)
	target, err := url.Parse(config.Host)
	require.NoError(c.t, err)
	forward := &httputil.ReverseProxy{
		Transport: transport, FlushInterval: -1, Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) },
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if limit := c.limit.Load(); limit != nil && r.Method != http.MethodGet {
			if limit.Wait(r.Context()) != nil {
				return
			}
		}
		forward.ServeHTTP(w, r)
	}))
	c.t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	c.keys = c.t.TempDir()
	require.NoError(c.t, clientcmd.WriteToFile(api.Config{
		Clusters:       map[string]*api.Cluster{"one": {Server: server.URL}},
		Contexts:       map[string]*api.Context{"one": {Cluster: "one"}},
		CurrentContext: "one",
	}, filepath.Join(c.keys, "one.kubeconfig")))
}

// hold has the API server take so many writes a second of the daemon's.
func (c *throng) hold(writes float32) {
	c.limit.Store(&rate{flowcontrol.NewTokenBucketRateLimiter(writes, 1)})
}

// control says of every deployment at once that it is available, as long as ctx is not done. It remembers those of which a busy machine
// let it say so too late: they may be rejected.
func (c *throng) control(ctx context.Context, within time.Duration) {
	var group errgroup.Group
	defer func() { _ = group.Wait() }()
	group.SetLimit(8)
	for ctx.Err() == nil {
		events, err := c.client.Watch(ctx, metav1.ListOptions{})
		if err != nil {
			continue
		}
		for e := range events.ResultChan() {
			d, ok := e.Object.(*appsv1.Deployment)
			if !ok || d.Status.ObservedGeneration >= d.Generation {
				continue
			}
			group.Go(func() error {
				c.available(ctx, d)
				if applied := appliedAt(d); time.Since(applied) >= within {
					c.mu.Lock()
					defer c.mu.Unlock()
					c.late[d.Name] = true
				}
				return nil
			})
		}
	}
}

// appliedAt is the second in which the daemon wrote a deployment last.
func appliedAt(d *appsv1.Deployment) (at time.Time) {
	for _, e := range d.ManagedFields {
		if e.Manager == "transom" && e.Time != nil {
			at = e.Time.Time
		}
	}
	return at
}

func (c *throng) available(ctx context.Context, d *appsv1.Deployment) {
	n := *d.Spec.Replicas
	d.Status = appsv1.DeploymentStatus{
		ObservedGeneration: d.Generation, Replicas: n, UpdatedReplicas: n, ReadyReplicas: n, AvailableReplicas: n,
		Conditions: []appsv1.DeploymentCondition{
			{Type: appsv1.DeploymentAvailable, Status: corev1.ConditionTrue},
			{Type: appsv1.DeploymentProgressing, Status: corev1.ConditionTrue, Reason: "NewReplicaSetAvailable"},
		},
	}
	_, _ = c.client.UpdateStatus(ctx, d, metav1.UpdateOptions{}) // where it lost a race, there is another event
}

// changed counts the deployments that have a colour.
func (c *throng) changed(color string) (n int) {
	all, err := c.client.List(c.t.Context(), metav1.ListOptions{})
	require.NoError(c.t, err)
	for _, d := range all.Items {
		if d.Spec.Template.Annotations["color"] == color {
			n++
		}
	}
	return n
}

// drift scales a deployment by hand, and returns how long it takes until it is as it shall be.
func (c *throng) drift(name string) time.Duration {
	events, err := c.client.Watch(c.t.Context(), metav1.ListOptions{FieldSelector: "metadata.name=" + name + "-page"})
	require.NoError(c.t, err)
	defer events.Stop()
	_, err = c.client.Patch(c.t.Context(), name+"-page", types.MergePatchType, []byte(`{"spec": {"replicas": 7}}`), metav1.PatchOptions{FieldManager: "somebody"})
	require.NoError(c.t, err)
	began, drifted := time.Now(), false
	for {
		select {
		case e := <-events.ResultChan():
			d, ok := e.Object.(*appsv1.Deployment)
			require.True(c.t, ok)
			drifted = drifted || *d.Spec.Replicas == 7
			if drifted && *d.Spec.Replicas == 1 {
				return time.Since(began)
			}
		case <-time.After(deadline):
			require.FailNow(c.t, "drift stays", name)
		}
	}
}

// rejections are the requests of which the state records that something was rejected.
func (c *throng) rejections() []string {
	found := exec.Command("git", "grep", "-l", "rejected:", "main", "--", "releases")
	found.Dir = filepath.Join(c.dir, "state-dev.git")
	out, _ := found.Output() // it fails where nothing is found
	return strings.Fields(string(out))
}

// falselyRejected are the rejections of deployments that were always available within the deadline.
func (c *throng) falselyRejected() (files []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, file := range c.rejections() {
		if !c.late[strings.TrimSuffix(path.Base(file), ".yaml")+"-page"] {
			files = append(files, file)
		}
	}
	return files
}

// A change of more requests than an API server takes within their deadline rejects none of them, and meanwhile drift is
// corrected.
func TestNobodyIsRejectedUnseen(t *testing.T) {
	c := newThrong(t, 150, 4, "6s") // long enough for the controllers of a busy machine
	c.hold(10)                      // so the change takes 15 seconds at least, on a machine of any speed
	commit := c.push("everybody is blue", c.colored("blue"))
	c.eventually("the change is under way", func() error {
		if c.changed("blue") == 0 {
			return fmt.Errorf("nothing is blue")
		}
		return nil
	})
	for _, name := range c.calm {
		c.drift(name)
		require.Less(t, c.changed("blue"), c.many, "drift is not corrected before the change is over")
	}
	c.eventually("everybody is healthy", func() error { return c.healthy(commit, c.many+len(c.calm)) })
	require.Empty(t, c.rejections())
	require.Equal(t, c.many, c.changed("blue"))
}

// BenchmarkUnderLoad changes 2,000 requests in one merge on an API server that takes 50 writes a second, with a deadline
// that is far shorter than that takes, while somebody changes things by hand: each three times at most, because an object that is
// changed again and again is corrected ever more seldom.
func BenchmarkUnderLoad(b *testing.B) {
	c := newThrong(b, 2000, 100, "5s")
	c.hold(50)
	c.push("everybody is blue", c.colored("blue"))
	c.eventually("the change is under way", func() error {
		if c.changed("blue") == 0 {
			return fmt.Errorf("nothing is blue")
		}
		return nil
	})
	var took []time.Duration
	began := time.Now()
	for i := 0; i < 3*len(c.calm) && c.changed("blue") < c.many && time.Since(began) < deadline; i++ {
		took = append(took, c.drift(c.calm[i%len(c.calm)]))
	}
	slices.Sort(took)
	b.Logf("%d releases were rejected", len(c.rejections()))
	b.ReportMetric(float64(len(c.falselyRejected())), "false-rejections:releases")
	b.ReportMetric(milliseconds(took[len(took)*99/100]), "drift-under-load-p99:ms")
	b.ReportMetric(0, "ns/op")
}
