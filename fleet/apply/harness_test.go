package apply_test

import (
	"context"
	"fmt"
	"hash/fnv"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"transom.dev/fleet/apply"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

const patience = 60 * time.Second

// rig is one test's connection to a cluster: the Cluster under test, with its requests and events on record, and
// clients that play other people.
type rig struct {
	*testing.T
	*apply.Cluster
	config  *rest.Config
	kube    kubernetes.Interface
	dynamic dynamic.Interface
	team    string // and namespace, of this test alone
	calls   *recorder
	events  chan apply.Owner
	bare    bool // pods have no labels of the instance

	shared *apply.Shared // as a fleet's Clusters share them
}

func newRig(t *testing.T, on *sandbox) *rig {
	t.Helper()
	t.Parallel()
	return newLoneRig(t, on)
}

// newLoneRig is newRig for a test beside which no other runs.
func newLoneRig(t *testing.T, on *sandbox) *rig {
	t.Helper()
	r := &rig{T: t, config: on.config(t, "a"), team: teamOf(t.Name()), events: make(chan apply.Owner, 100_000), shared: &apply.Shared{}}
	var err error
	r.kube, err = kubernetes.NewForConfig(r.config)
	require.NoError(t, err)
	r.dynamic, err = dynamic.NewForConfig(r.config)
	require.NoError(t, err)
	r.connect()
	return r
}

// connect connects anew, as a restarted daemon would.
func (r *rig) connect() {
	r.Helper()
	r.calls = &recorder{}
	config := rest.CopyConfig(r.config)
	config.Wrap(r.calls.wrap)
	c, err := apply.Connect(r.Context(), config, apply.Options{
		Shared: r.shared, OnEvent: func(o apply.Owner) { r.events <- o },
	})
	require.NoError(r, err)
	r.Cleanup(c.Close)
	r.Cluster = c
}

func teamOf(test string) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(test))
	return fmt.Sprintf("team-%08x", h.Sum32())
}

// instance is an instance of this test's team with these objects, labelled as rendering would.
func (r *rig) instance(request, manifests string) apply.Instance {
	o := apply.Owner{Environment: "test", Team: r.team, Request: request}
	return apply.Instance{
		Owner: o, Namespace: r.team, Scope: platform.Namespaced, Deletion: platform.DeletionDelete,
		NamespaceManifest: r.label(apply.Owner{Environment: "test", Team: r.team}, "",
			"{apiVersion: v1, kind: Namespace, metadata: {name: "+r.team+"}}"),
		Manifests: r.label(o, r.team, manifests),
	}
}

func (r *rig) label(o apply.Owner, namespace, manifests string) []byte {
	r.Helper()
	var out []string
	for document := range strings.SplitSeq(manifests, "\n---\n") {
		var u unstructured.Unstructured
		require.NoError(r, yaml.Unmarshal([]byte(document), &u.Object))
		labels := map[string]string{
			"app.kubernetes.io/managed-by": "transom", "transom.dev/team": o.Team, "transom.dev/environment": o.Environment,
		}
		if o.Request != "" {
			labels["transom.dev/request"] = o.Request
		}
		maps.Copy(labels, u.GetLabels())
		u.SetLabels(labels)
		if pods, ok, _ := unstructured.NestedStringMap(u.Object, "spec", "template", "metadata", "labels"); ok && !r.bare {
			maps.Copy(pods, map[string]string{"transom.dev/team": o.Team, "transom.dev/request": o.Request})
			require.NoError(r, unstructured.SetNestedStringMap(u.Object, pods, "spec", "template", "metadata", "labels"))
		}
		if u.GetNamespace() == "" {
			u.SetNamespace(namespace)
		}
		raw, err := yaml.Marshal(u.Object)
		require.NoError(r, err)
		out = append(out, string(raw))
	}
	text := []byte(strings.Join(out, "---\n"))
	r.Cleanup(func() {
		require.True(r, r.shared.Unaltered(text), "manifests that others share were changed:\n%s", text)
	})
	return text
}

// visit makes one visit, which must be answered.
func (r *rig) visit(in apply.Instance) apply.Result {
	r.Helper()
	result, err := r.Apply(r.Context(), in)
	require.NoError(r, err)
	return result
}

// until makes visits, as fleet would, until one has the wanted result.
func (r *rig) until(in apply.Instance, wanted func(apply.Result) bool) apply.Result {
	r.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for {
		result := r.visit(in)
		if wanted(result) {
			return result
		}
		again := time.NewTimer(time.Second)
		if !result.Settled {
			again.Reset(50 * time.Millisecond)
		}
		select {
		case <-r.events:
		case <-again.C:
		case <-deadline.C:
			require.Fail(r, "it never came to what is wanted", "%+v", result)
		}
		again.Stop()
	}
}

// healthy makes visits until the instance is healthy and nothing remains to do.
func (r *rig) healthy(in apply.Instance) apply.Result {
	r.Helper()
	return r.until(in, func(result apply.Result) bool { return result.Health == state.Healthy && result.Settled })
}

// told waits for an event about an owner.
func (r *rig) told(o apply.Owner) {
	r.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for {
		select {
		case told := <-r.events:
			if told == o {
				return
			}
		case <-deadline.C:
			require.Fail(r, "no event about "+o.String())
		}
	}
}

// quiet waits until the watches have been silent for a while, and forgets the events that they told.
func (r *rig) quiet() {
	for {
		select {
		case <-r.events:
		case <-time.After(500 * time.Millisecond):
			return
		}
	}
}

// recorder keeps the requests of a Cluster to the API server, but for its watches and discovery.
type recorder struct {
	mu     sync.Mutex
	calls  []string
	fail   func(*http.Request) error          // may stand in the way of a request
	stand  func(*http.Request) *http.Response // may answer instead of the API server
	answer func(*http.Response)               // sees every answer
	gate   sync.RWMutex                       // while it is locked, watches hear nothing
}

func (r *recorder) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(request *http.Request) (*http.Response, error) {
		path := request.URL.Path
		if request.URL.Query().Get("watch") == "" && path != "/api" && path != "/apis" {
			r.mu.Lock()
			r.calls = append(r.calls, request.Method+" "+path)
			fail, stand := r.fail, r.stand
			r.mu.Unlock()
			if fail != nil {
				if err := fail(request); err != nil {
					return nil, err
				}
			}
			if stand != nil {
				if response := stand(request); response != nil {
					return response, nil
				}
			}
		}
		response, err := next.RoundTrip(request)
		if err == nil && request.URL.Query().Get("watch") != "" {
			response.Body = gated{response.Body, &r.gate}
		}
		if err == nil && r.answer != nil {
			r.answer(response)
		}
		return response, err
	})
}

// take returns the requests since the last take, lists of whole kinds omitted.
func (r *recorder) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	calls := r.calls
	r.calls = nil
	return calls
}

func (r *recorder) failing(fail func(*http.Request) error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fail = fail
}

// standIn has a function answer instead of the API server, where it does not return nil.
func (r *recorder) standIn(answer func(*http.Request) *http.Response) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stand = answer
}

func writes(calls []string) []string {
	var w []string
	for _, call := range calls {
		if !strings.HasPrefix(call, "GET ") {
			w = append(w, call)
		}
	}
	return w
}

// gated is the body of a watch.
type gated struct {
	io.ReadCloser
	gate *sync.RWMutex
}

func (g gated) Read(into []byte) (int, error) {
	n, err := g.ReadCloser.Read(into)
	g.gate.RLock()
	defer g.gate.RUnlock()
	return n, err
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return f(request) }

func actions(r apply.Result) map[string]apply.Action {
	all := map[string]apply.Action{}
	for _, c := range r.Changes {
		all[c.Object.Kind+" "+c.Object.Name] = c.Action
	}
	return all
}

func configMap(name, value string) string {
	return fmt.Sprintf("{apiVersion: v1, kind: ConfigMap, metadata: {name: %s}, data: {value: %q}}", name, value)
}

func documents(all ...string) string { return strings.Join(all, "\n---\n") }

var background = context.Background()
