package e2e_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/tools/txtar"
)

// A farm is a daemon with very many clusters, whose API servers keep their objects in memory.
type farm struct {
	*world
	b        *testing.B
	clusters int
	requests int
	pause    time.Duration // before the daemon's figures are read: that is no work of a daemon, and costs one of very many placements much
	control  http.Client   // of the sandbox
}

const farmPlatform = `
-- offerings/page/offering.yaml --
apiVersion: transom.dev/v1alpha1
kind: Offering
metadata: {name: page}
spec: {title: Page, description: A deployment and its settings., owner: platform}
-- offerings/page/1.0.0/version.yaml --
apiVersion: transom.dev/v1alpha1
kind: Version
metadata: {name: page}
spec: {parameters: {type: object, required: [color], properties: {color: {type: string}}}}
-- offerings/page/1.0.0/kustomization.yaml --
apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
resources: [all.yaml]
replacements:
- source: {kind: Inputs, fieldPath: parameters.color}
  targets: [{select: {kind: ConfigMap}, fieldPaths: [data.color]}]
-- offerings/page/1.0.0/all.yaml --
apiVersion: v1
kind: ConfigMap
metadata: {name: page}
data: {color: none}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: page}
---
apiVersion: v1
kind: Service
metadata: {name: page}
spec: {selector: {app: page}, ports: [{port: 80}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: page}
spec:
  replicas: 2
  selector: {matchLabels: {app: page}}
  template:
    metadata: {labels: {app: page}}
    spec: {serviceAccountName: page, containers: [{name: page, image: page, envFrom: [{configMapRef: {name: page}}]}]}
-- environments/edge.yaml --
apiVersion: transom.dev/v1alpha1
kind: Environment
metadata: {name: edge}
spec:
  state: {url: ../state-edge.git, branch: main}
  clusters: {matchLabels: {environment: edge}}
  rollout: {instances: {maxConcurrent: 100%}}
`

// BenchmarkFirstSync reports the processor time and the memory of a daemon that brings 20,000 objects to a cluster.
func BenchmarkFirstSync(b *testing.B) {
	f := newFarm(b, 1, 5_000)
	f.pause = 2 * time.Second
	f.begin()
	f.b.Logf("%s: applied, %s", f.name(), f.costs())
	b.ReportMetric(f.figure("process_cpu_seconds_total"), "first-sync-20000-cpu:s")
	b.ReportMetric(f.figure("process_resident_memory_bytes")/(1<<20), "first-sync-20000-rss:MiB")
	b.ReportMetric(f.most()/(1<<20), "first-sync-20000-peak:MiB")
	b.ReportMetric(0, "ns/op")
	f.stop()
}

// BenchmarkManyClusters reports the costs of a daemon with very many clusters of a hundred instances each: its memory and processor time,
// at rest, after a restart, and while one request changes on all of them. The first cluster is applied to; the others are given
// copies of its objects.
func BenchmarkManyClusters(b *testing.B) {
	for _, clusters := range []int{100, 1000} {
		b.Run(strconv.Itoa(clusters), func(b *testing.B) {
			f := newFarm(b, clusters, 100)
			f.fill()
			f.measureRestart()
			f.measureRest()
			f.measureFanout()
			f.measureHung()
			f.measureHungTenth()
			b.ReportMetric(0, "ns/op")
			f.stop()
		})
	}
}

func newFarm(b *testing.B, clusters, requests int) *farm {
	fleet := b.TempDir()
	runSandbox(b, binaries(b), fleet, "fake", "--clusters", strconv.Itoa(clusters))
	platform, err := txtar.FS(txtar.Parse([]byte(farmPlatform)))
	require.NoError(b, err)
	f := &farm{world: newWorldOn(b, fleet, platform), b: b, clusters: clusters, requests: requests}
	f.patience, f.pause = time.Hour, 200*time.Millisecond+time.Duration(clusters)*time.Millisecond
	f.control.Transport = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		dir, err := os.Open(fleet)
		if err != nil {
			return nil, err
		}
		defer func() { _ = dir.Close() }()
		var dialer net.Dialer
		return dialer.DialContext(ctx, "unix", fmt.Sprintf("/proc/self/fd/%d/control.sock", dir.Fd()))
	}}
	return f
}

func (f *farm) name() string { return fmt.Sprintf("%dx%d", f.clusters, f.requests) }

// begin has the daemon apply all requests to the first cluster.
func (f *farm) begin() {
	files := map[string]string{"clusters/edge-0000.yaml": farmCluster(0)}
	for i := range f.requests {
		name := fmt.Sprintf("page-%03d", i)
		files["requests/shop/"+name+".yaml"] = farmRequest(name, "green")
	}
	f.push("one cluster", files)
	f.start()
	f.eventually("the first cluster is healthy", func() error { return f.allHealthy(f.requests) })
}

// fill returns once everything is healthy on all clusters, with the daemon stopped.
func (f *farm) fill() {
	f.begin()
	f.stop()
	f.copyAndPush()
	began := time.Now()
	f.start()
	f.eventually("all clusters are healthy", func() error { return f.allHealthy(f.clusters * f.requests) })
	f.b.Logf("%s: all clusters joined after %s, %s", f.name(), time.Since(began), f.costs())
	f.stop()
}

// copyAndPush gives all clusters the objects of the first, and the platform all clusters.
func (f *farm) copyAndPush() {
	out, err := exec.Command(filepath.Join(f.bin, "sandbox"), "copy", "--dir", f.fleet).CombinedOutput()
	require.NoError(f.t, err, "%s", out)
	files := map[string]string{}
	for i := 1; i < f.clusters; i++ {
		files[fmt.Sprintf("clusters/edge-%04d.yaml", i)] = farmCluster(i)
	}
	f.push("all clusters", files)
}

func farmCluster(i int) string {
	name := fmt.Sprintf("edge-%04d", i)
	return "apiVersion: transom.dev/v1alpha1\nkind: Cluster\nmetadata: {name: " + name + ", labels: {environment: edge}}\nspec: {state: active}\n"
}

func farmRequest(name, color string) string {
	return document("Request", name, `offering: page, version: "1", parameters: {color: `+color+`}, environments: {edge: {}}`)
}

// measureRestart starts the daemon, and waits until it knows that everything is healthy.
func (f *farm) measureRestart() {
	before := f.requested()
	began := time.Now()
	f.start()
	f.eventually("all is known", func() error { return f.allHealthy(f.clusters * f.requests) })
	took, after := time.Since(began), f.requested()
	f.b.ReportMetric(took.Seconds(), "restart-"+f.name()+":s")
	f.b.ReportMetric(f.figure("process_resident_memory_bytes")/(1<<20), "restart-"+f.name()+"-rss:MiB")
	f.b.ReportMetric(float64(after.Written-before.Written), "restart-"+f.name()+"-writes:requests")
	f.b.ReportMetric(float64(after.Asked-before.Asked)/float64(f.clusters), "restart-"+f.name()+"-requests-a-cluster:requests")
	f.b.Logf("%s: restarted, %s", f.name(), f.costs())
}

// resting is for how long rest is measured.
const resting = time.Minute

// measureRest lets a minute go by in which nothing changes.
func (f *farm) measureRest() {
	before, used := f.requested(), f.figure("process_cpu_seconds_total")
	<-time.After(resting)
	after := f.requested()
	f.b.ReportMetric((f.figure("process_cpu_seconds_total")-used)/resting.Seconds(), "rest-"+f.name()+":cores")
	f.b.ReportMetric(f.figure("process_resident_memory_bytes")/(1<<20), "rest-"+f.name()+"-rss:MiB")
	f.b.ReportMetric(float64(after.Asked-before.Asked)/float64(f.clusters), "rest-"+f.name()+"-requests-a-cluster:1/min")
	f.b.ReportMetric(float64(after.Written-before.Written), "rest-"+f.name()+"-writes:1/min")
	f.b.Logf("%s: rested, %s", f.name(), f.costs())
}

// measureFanout changes one request, and waits until each cluster has the change and is healthy.
func (f *farm) measureFanout() {
	used := f.figure("process_cpu_seconds_total")
	before := f.requested()
	began := time.Now()
	commit := f.push("another colour", map[string]string{"requests/shop/page-007.yaml": farmRequest("page-007", "red")})
	f.eventually("the change is everywhere", func() error {
		if n := f.requested().Written - before.Written; n < int64(f.clusters) {
			return fmt.Errorf("%d writes", n)
		}
		if err := f.allHealthy(f.clusters * f.requests); err != nil {
			return err
		}
		s, err := f.status()
		if err != nil {
			return err
		}
		return follows(s, commit)
	})
	f.b.ReportMetric(time.Since(began).Seconds(), "fanout-"+strconv.Itoa(f.clusters)+":s")
	f.b.ReportMetric(f.figure("process_cpu_seconds_total")-used, "fanout-"+strconv.Itoa(f.clusters)+"-cpu:s")
	f.b.Logf("%s: fanned out, %s", f.name(), f.costs())
}

// costs are those of the daemon's process at present.
func (f *farm) costs() string {
	return fmt.Sprintf("%.0f MiB resident, %.0f goroutines, %.1f s of processor, heap %.0f MiB", f.figure("process_resident_memory_bytes")/(1<<20),
		f.figure("go_goroutines"), f.figure("process_cpu_seconds_total"), f.figure("go_memstats_heap_inuse_bytes")/(1<<20))
}

// allHealthy returns an error until that many placements are healthy.
func (f *farm) allHealthy(placements int) error {
	healthy := 0.0
	all := 0.0
	err := f.metrics(func(name, labels string, value float64) {
		if name == "transom_placements" {
			all += value
			if strings.Contains(labels, `health="Healthy"`) {
				healthy += value
			}
		}
	})
	if err == nil && int(healthy) != placements {
		err = fmt.Errorf("%.0f of %.0f placements are healthy, want %d", healthy, all, placements)
	}
	return err
}

// figure is a metric without labels.
func (f *farm) figure(name string) (found float64) {
	require.NoError(f.t, f.metrics(func(n, _ string, value float64) {
		if n == name {
			found = value
		}
	}))
	return found
}

// metrics reads the daemon's figures after a pause.
func (f *farm) metrics(each func(name, labels string, value float64)) error {
	<-time.After(f.pause)
	response, err := http.Get(f.api + "/metrics")
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		name, value, found := strings.Cut(lines.Text(), " ")
		if at := strings.LastIndex(lines.Text(), " "); found {
			name, value = lines.Text()[:at], lines.Text()[at+1:]
		}
		number, err := strconv.ParseFloat(value, 64)
		if strings.HasPrefix(name, "#") || err != nil {
			continue
		}
		name, labels, _ := strings.Cut(name, "{")
		each(name, labels, number)
	}
	return lines.Err()
}

// requested is how many requests were made of the clusters.
type requested struct{ Asked, Written int64 }

func (f *farm) requested() (r requested) {
	response, err := f.control.Get("http://sandbox/requests")
	require.NoError(f.t, err)
	defer func() { _ = response.Body.Close() }()
	require.NoError(f.t, json.NewDecoder(response.Body).Decode(&r))
	return r
}
