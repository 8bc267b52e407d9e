package e2e_test

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/tools/txtar"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/yaml"

	"transom.dev/reconciler/status"
	"transom.dev/render/platform"
)

// past is a platform whose life is recorded, to see later that a new binary leaves alone all that an older one wrote.
type past struct {
	name     string
	clusters []string
	platform func(testing.TB) fs.FS
	live     func(*ladder)
	soak     time.Duration // the longest that an environment asks for
	change   files         // one request, changed
	request  string        // that request: TEAM/NAME
	reaches  []string      // clusters that the change comes to
}

var pasts = []past{
	{
		name: "acme", clusters: []string{"dev", "staging", "prod-eu-1", "prod-us-1"}, platform: acme, live: liveAcme, soak: 3 * time.Second,
		request: "payments/sessions", reaches: []string{"dev"}, // it becomes healthy nowhere: no controller runs
		change: files{"requests/payments/sessions.yaml": `apiVersion: transom.dev/v1alpha1
kind: Request
metadata: {name: sessions}
spec:
  offering: cache
  version: "1"
  environments:
    dev: {parameters: {memory: 96}}
    staging: {}
    prod: {parameters: {memory: 2048}}
`},
	},
	{
		name: "crowd", clusters: everyCluster, platform: crowded, live: liveCrowded, soak: 2 * time.Second,
		request: "team-1/map-20", reaches: []string{"dev", "staging", "prod-1"}, // prod-2 is held
		change: askFor("settings", "~1.0.0", "team-1", "map-20", "changed", everywhere),
	},
}

// acme is the example, where nobody has to approve yet, and nobody is asked.
func acme(t testing.TB) fs.FS {
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS("../examples/acme")))
	edit(t, dir+"/environments/prod.yaml", "approval: required", "approval: none")
	content, err := os.ReadFile(dir + "/environments/prod.yaml")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(dir+"/environments/prod.yaml", []byte(unchecked(content)), 0o644))
	return os.DirFS(dir)
}

// unchecked is the file of the example's prod without its checks, which ask a Prometheus that is not there.
func unchecked(prod []byte) string {
	without, _, _ := strings.Cut(string(prod), "    checks:")
	return without
}

func edit(t testing.TB, file, old, replacement string) {
	t.Helper()
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Contains(t, string(content), old)
	require.NoError(t, os.WriteFile(file, []byte(strings.Replace(string(content), old, replacement, 1)), 0o644))
}

// liveAcme runs the example until it is healthy, and publishes a version for which prod wants an Approval.
func liveAcme(l *ladder) {
	l.start()
	l.settles(-1)
	edit(l.t, l.clone()+"/environments/prod.yaml", "approval: none", "approval: required")
	l.follows(l.push("prod: a person approves what enters", nil))
	require.NoError(l.t, os.CopyFS(l.clone()+"/offerings/cache/1.1.0", os.DirFS(l.clone()+"/offerings/cache/1.0.0")))
	edit(l.t, l.clone()+"/offerings/cache/1.1.0/deployment.yaml", "redis:7.4.2", "redis:7.4.3")
	l.push("cache: publish 1.1.0", nil)
	for _, request := range []string{"payments/sessions", "search/results"} {
		l.runs("prod", "prod-eu-1", request, "1.0.0", "approval")
		l.runs("staging", "staging", request, "1.1.0", "")
	}
}

// settles waits until every instance is healthy and no rollout is on its way.
func (l *ladder) settles(instances int) {
	l.t.Helper()
	commit := l.git(l.clone(), "rev-parse", "HEAD")
	l.eventually("all is healthy and nothing is on its way", func() error {
		s, err := l.status()
		for _, in := range s.Instances {
			if in.Rollout != nil {
				return fmt.Errorf("%s in %s: %+v", in.Request, in.Environment, *in.Rollout)
			}
		}
		return cmp.Or(err, l.healthy(commit, instances))
	})
}

// runs waits until a cluster has a request healthy in a version, and the request waits at a gate; "": at any or none.
func (l *ladder) runs(environment, cluster, request, version, gate string) {
	l.t.Helper()
	l.eventually(fmt.Sprintf("%s has %s in version %s and waits at the gate %q", cluster, request, version, gate), func() error {
		s, err := l.status()
		for _, in := range s.Instances {
			if in.Environment != environment || in.Request.String() != request {
				continue
			}
			waits := slices.ContainsFunc(in.Waiting, func(g status.Gate) bool { return string(g.Name) == gate })
			for _, p := range in.Placements {
				if p.Cluster == cluster && cmp.Or(p.Version, in.Version) == version && p.Stage == status.Healthy && (waits || gate == "") {
					return nil
				}
			}
			return fmt.Errorf("so far %s %+v waiting at %+v", in.Version, in.Placements, in.Waiting)
		}
		return cmp.Or(err, errors.New("there is no such instance"))
	})
}

// crowded is a generated platform of 75 requests on four clusters, of which one comes later: see liveCrowded.
func crowded(testing.TB) fs.FS {
	all := files{}
	for _, f := range txtar.Parse([]byte(crowdOfferings)).Files {
		all[f.Name] = string(f.Data)
	}
	for name := range usual {
		all = all.merged(environment(name, usual[name]))
	}
	for name, labels := range ladderClusters {
		all = all.merged(cluster(name, labels, "state: active"))
	}
	for i, name := range numbered("web-", 20) {
		version := "~1.0.0"
		if i < 3 {
			version = "1"
		}
		all = all.merged(askFor("web", version, team(i), name, "registry.acme.example/web:1", everywhere))
	}
	for i, name := range numbered("map-", 49) {
		version := "~1.0.0"
		if i < 5 {
			version = "1"
		}
		all = all.merged(askFor("settings", version, team(i), name, "first", everywhere))
	}
	for i, offering := range []string{"operated", "shared", "access", "dns", "rules"} {
		all = all.merged(askFor(offering, "1", team(i), offering, "first", everywhere))
	}
	all["requests/team-4/dns.yaml"] += "  adopt: true\n"
	return all.tree()
}

// team is one of five.
func team(i int) string { return fmt.Sprintf("team-%d", i%5+1) }

// liveCrowded takes a platform through states that it can be left in: objects that others had made, a version that was
// rolled back, one whose last wave is held, a pin, and a request that is removed from all clusters but the held one.
func liveCrowded(l *ladder) {
	for _, cluster := range everyCluster {
		l.kubectlApply(cluster, "kube-system", dnsObjects)
	}
	l.start()
	l.settles(3 * 74)
	for _, cluster := range everyCluster {
		l.kubectlApply(cluster, "team-2", legacyObjects)
	}
	legacy := askFor("legacy", "1", "team-2", "legacy", "adopted", everywhere)
	legacy["requests/team-2/legacy.yaml"] += "  adopt: true\n"
	l.change("team-2: adopt what is there", legacy)
	l.settles(3 * 75)

	require.NoError(l.t, os.CopyFS(l.clone()+"/offerings/web/1.1.0", os.DirFS(l.clone()+"/offerings/web/1.0.0")))
	edit(l.t, l.clone()+"/offerings/web/1.1.0/version.yaml", "spec:\n", "spec:\n  components: [{path: components/bad, when: 'environment.name == \"prod\"'}]\n")
	l.change("web: publish 1.1.0", files{"offerings/web/1.1.0/components/bad/kustomization.yaml": badInProd})
	var failed platform.RequestKey
	l.eventually("prod rejects it", func() error {
		s, err := l.status()
		for _, in := range s.Instances {
			if in.Environment == "prod" && len(in.Rejected) > 0 {
				failed = in.Request
				return nil
			}
		}
		return cmp.Or(err, errors.New("not yet"))
	})
	l.settles(3 * 75)
	l.runs("prod", "prod-1", failed.String(), "1.0.0", "rejected")

	require.NoError(l.t, os.CopyFS(l.clone()+"/offerings/settings/1.1.0", os.DirFS(l.clone()+"/offerings/settings/1.0.0")))
	edit(l.t, l.clone()+"/offerings/settings/1.1.0/configmap.yaml", "build: one", "build: two")
	l.change("settings: publish 1.1.0, and hold the last cluster",
		decide("Hold", "prod", "last", "cluster: prod-2, reason: an audit"),
		decide("Pin", "staging", "map", "request: team-5/map-04, version: 1.0.0, reason: a bug in 1.1"))
	l.runs("prod", "prod-1", "team-1/map-00", "1.1.0", "hold")
	for _, request := range []string{"team-2/map-01", "team-3/map-02", "team-4/map-03"} {
		l.runs("staging", "staging", request, "1.1.0", "")
		l.runs("prod", "prod-1", request, "1.0.0", "rollout")
	}
	l.runs("dev", "dev", "team-5/map-04", "1.1.0", "")
	l.follows(l.change("team-4: one less", files{"requests/team-4/map-48.yaml": ""}))
}

// kubectlApply creates objects as kubectl apply does that knows no server-side apply.
func (w *world) kubectlApply(cluster, namespace, manifests string) {
	w.t.Helper()
	client, err := dynamic.NewForConfig(w.config(cluster))
	require.NoError(w.t, err)
	for manifest := range strings.SplitSeq(manifests, "---\n") {
		var object unstructured.Unstructured
		require.NoError(w.t, yaml.Unmarshal([]byte(manifest), &object.Object))
		applied, err := object.MarshalJSON()
		require.NoError(w.t, err)
		object.SetAnnotations(map[string]string{"kubectl.kubernetes.io/last-applied-configuration": string(applied)})
		resource := schema.GroupVersionResource{Version: "v1", Resource: strings.ToLower(object.GetKind()) + "s"}
		_, err = client.Resource(resource).Namespace(namespace).
			Create(w.t.Context(), &object, metav1.CreateOptions{FieldManager: "kubectl-client-side-apply"})
		require.NoError(w.t, err)
	}
}
