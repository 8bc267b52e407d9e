package e2e_test

import (
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/tools/txtar"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"transom.dev/reconciler/status"
)

var discard = log.New(io.Discard, "", 0)

func base64Of(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

// manyEnvironments is a platform with an environment of one cluster for each name, each in namespaces of its own: all may
// be the same cluster.
func manyEnvironments(t testing.TB, names []string) fstest.MapFS {
	t.Helper()
	platform := fstest.MapFS{}
	for _, f := range txtar.Parse([]byte(settings)).Files {
		if strings.HasPrefix(f.Name, "offerings/") {
			platform[f.Name] = &fstest.MapFile{Data: f.Data}
		}
	}
	put := func(file, format string, args ...any) {
		platform[file] = &fstest.MapFile{Data: fmt.Appendf(nil, "apiVersion: transom.dev/v1alpha1\n"+format, args...)}
	}
	for _, name := range names {
		put("environments/"+name+".yaml", "kind: Environment\nmetadata: {name: %s}\nspec:\n  state: {url: ../state-%s.git, branch: main}\n"+
			"  clusters: {matchLabels: {environment: %s}}\n  namespace: {name: 'request.team + \"-\" + environment.name'}\n", name, name, name)
		put("clusters/"+name+".yaml", "kind: Cluster\nmetadata: {name: %s, labels: {environment: %s}}\nspec: {state: active}\n", name, name)
	}
	return platform
}

// requestIn is a request in some environments.
func requestIn(color string, environments []string) string {
	return strings.Replace(request("shop", color), "{dev: {}, prod: {}}", "{"+strings.Join(environments, ": {}, ")+": {}}", 1)
}

// An outside is a world with one environment for each way in which Git and API servers can misbehave, each behind a proxy, and a
// neighbour "well". All behave at first.
type outside struct {
	*world
	ways    map[string]way
	names   []string // of environments
	proxies map[string]*proxy
}

func newOutside(t testing.TB) *outside {
	all := ways(t)
	names := append(slices.Sorted(maps.Keys(all)), "well")
	w := newWorldFrom(t, manyEnvironments(t, names), []string{"one"}, "--api-only")
	w.keys = t.TempDir()
	proxies, credentials := map[string]*proxy{}, "credentials:\n"
	urls := map[string]string{}
	for _, name := range names {
		p := newProxy(w, "one")
		proxies[name] = p
		ca := filepath.Join(w.dir, name+".pem")
		require.NoError(t, os.WriteFile(ca, p.certificate(), 0o600))
		require.NoError(t, os.WriteFile(filepath.Join(w.keys, name+".kubeconfig"), []byte(p.kubeconfig()), 0o600))
		credentials += fmt.Sprintf("- {url: %q, token: none, caFile: %q}\n", p.URL, ca)
		file := "environments/" + name + ".yaml"
		content, err := os.ReadFile(filepath.Join(w.clone(), file))
		require.NoError(t, err)
		urls[file] = strings.Replace(string(content), "../state", p.URL+"/git/state", 1)
	}
	file := filepath.Join(w.dir, "git.yaml")
	require.NoError(t, os.WriteFile(file, []byte(credentials), 0o600))
	w.flags = []string{"--git-credentials", file, "--interval", "2s", "--git-timeout", "2s", "--cluster-timeout", "3s"}
	urls["requests/payments/shop.yaml"] = requestIn("green", names)
	commit := w.push("begin", urls)
	w.start()
	w.eventually("all are well", func() error { return w.healthy(commit, len(names)) })
	return &outside{w, all, names, proxies}
}

// misbehave has each server answer in its way, the neighbour's excepted.
func (o *outside) misbehave() {
	for name, how := range o.ways {
		o.proxies[name].behave(&how)
	}
}

// BenchmarkPushToLiveBesideFaults reports how many times longer a change takes to be live while the servers of all other
// environments misbehave.
func BenchmarkPushToLiveBesideFaults(b *testing.B) {
	o := newOutside(b)
	began := time.Now().UnixNano()
	colors := func(i int) (map[string]string, func(*unstructured.Unstructured) bool) {
		want := fmt.Sprintf("c%d-%d", began, i)
		return map[string]string{"requests/payments/shop.yaml": requestIn(want, o.names)}, func(object *unstructured.Unstructured) bool {
			color, _, _ := unstructured.NestedString(object.Object, "data", "color")
			return color == want
		}
	}
	const changes = 40
	calm := o.latencies(b, changes, "one", configMaps, "payments-well", "shop-settings", nothing, colors)
	o.misbehave()
	began++
	beside := o.latencies(b, changes, "one", configMaps, "payments-well", "shop-settings", nothing, colors)
	b.ReportMetric(beside[changes/2].Seconds()/calm[changes/2].Seconds(), "beside-faults-p50:times")
	b.ReportMetric(beside[changes*99/100].Seconds()/calm[changes*99/100].Seconds(), "beside-faults-p99:times")
	b.ReportMetric(0, "ns/op")
}

// TestWhatMisbehavesOutsideDelaysOnlyItself is invariant 6 for Git servers and API servers: one environment for each way in
// which both can misbehave, and a neighbour where both are well.
func TestWhatMisbehavesOutsideDelaysOnlyItself(t *testing.T) {
	w := newOutside(t)
	all, names := w.ways, w.names
	began := time.Now()
	commit := w.push("blue", map[string]string{"requests/payments/shop.yaml": requestIn("blue", names)})
	w.eventually("it is live", func() error { return w.color("one", "payments-well", "shop", "blue") })
	usual := time.Since(began)
	w.eventually("all are well", func() error { return w.healthy(commit, len(names)) })

	w.misbehave()
	memory := w.watchMemory()
	began = time.Now()
	commit = w.push("red", map[string]string{"requests/payments/shop.yaml": requestIn("red", names)})
	w.eventually("the neighbour is live", func() error { return w.color("one", "payments-well", "shop", "red") })
	t.Logf("the neighbour is live after %s, before it was %s", time.Since(began), usual)
	require.Less(t, time.Since(began), 2*usual+2*time.Second, "nobody waits for a server of somebody else")
	w.eventually("each says what its servers do", func() error { return w.complains(all) })
	most := memory()
	require.Less(t, most, float64(1<<30), "memory of the daemon")
	t.Logf("at most %.0f MiB of memory", most/(1<<20))

	for _, p := range w.proxies {
		p.behave(nil)
	}
	w.eventually("all take part again", func() error { return w.healthy(commit, len(names)) })
	for _, name := range names {
		require.NoError(t, w.color("one", "payments-"+name, "shop", "red"))
	}
	w.stop()
}

// complains returns an error until each environment whose servers misbehave says so of its repository and its cluster, unless that is borne
// with, and no other does.
func (w *world) complains(all map[string]way) error {
	s, err := w.status()
	if err != nil {
		return err
	}
	var said []string
	for _, e := range s.Environments {
		how, misbehaves := all[e.Name]
		if misbehaves != (e.Error != "") {
			return fmt.Errorf("the repository of %s: %q", e.Name, e.Error)
		}
		if wrong := clusterError(e, s.Instances); !how.borne && (misbehaves && !how.git) != (wrong != "") {
			return fmt.Errorf("the cluster of %s: %q", e.Name, wrong)
		} else if misbehaves {
			said = append(said, e.Name+"\n  "+e.Error+"\n  "+wrong)
		}
	}
	w.t.Log(strings.Join(said, "\n"))
	return nil
}

// clusterError is the error of an environment's cluster in status.
func clusterError(e status.Environment, instances []status.Instance) string {
	for _, c := range e.Clusters {
		if !c.Reachable {
			return c.Message
		}
	}
	for _, in := range instances {
		for _, p := range in.Placements {
			if in.Environment == e.Name && p.Stage != status.Healthy {
				return p.Message
			}
		}
	}
	return ""
}
