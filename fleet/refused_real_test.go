package fleet_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"transom.dev/fleet"
	"transom.dev/fleet/apply"
	"transom.dev/fleet/credential"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// crowded is a fleet with many instances on one real API server, whose policy refuses all of them.
type crowded struct {
	testing.TB
	kube     kubernetes.Interface
	team     string
	requests atomic.Int64 // but for those of watches, which stand open

	mu       sync.Mutex
	cluster  fleet.ClusterResult
	messages map[string]string
	healthy  map[string]bool
}

func newCrowded(t testing.TB, team string, n int) *crowded {
	c := &crowded{TB: t, team: team, messages: map[string]string{}, healthy: map[string]bool{}}
	keys := credential.Keys{Sources: []credential.Source{credential.Directory(kubeconfigs(t))}}
	way, err := keys.Connect(t.Context(), "a", false)
	require.NoError(t, err)
	c.kube, err = kubernetes.NewForConfig(way.Config)
	require.NoError(t, err)
	c.deny()
	system, err := c.kube.CoreV1().Namespaces().Get(t.Context(), metav1.NamespaceSystem, metav1.GetOptions{})
	require.NoError(t, err)

	f := &fleet.Fleet{Report: c.report, ReportCluster: c.reportCluster, Connect: func(ctx context.Context, cluster string, own bool) (*credential.Credential, error) {
		way, err := keys.Connect(ctx, cluster, own)
		if err == nil {
			way.Config.Wrap(c.count)
		}
		return way, err
	}}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = f.Run(ctx)
	}()
	t.Cleanup(func() { stop(); <-ended })
	files := map[string][]byte{}
	for _, o := range many(n) {
		o.Environment, o.Team = team, team
		add(files, place(o, "1", "a"))
	}
	require.NoError(t, f.Deploy(fleet.Target{
		Environment: team, Commit: "c0ffee", Snapshot: commit(files),
		Clusters: []fleet.Cluster{{Name: "a", State: platform.ClusterActive, UID: string(system.UID)}},
	}))
	return c
}

func (c *crowded) count(next http.RoundTripper) http.RoundTripper {
	return transport(func(r *http.Request) (*http.Response, error) {
		if r.URL.Query().Get("watch") == "" {
			c.requests.Add(1)
		}
		return next.RoundTrip(r)
	})
}

type transport func(*http.Request) (*http.Response, error)

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) { return t(r) }

func (c *crowded) report(r fleet.Result) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.messages[r.Request], c.healthy[r.Request] = r.Message, r.Health == state.Healthy
}

func (c *crowded) reportCluster(r fleet.ClusterResult) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cluster = r
}

// well counts the instances that are healthy.
func (c *crowded) well() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, is := range c.healthy {
		if is {
			n++
		}
	}
	return n
}

// told says whether the cluster's status has a text.
func (c *crowded) told(text string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.Contains(c.cluster.Refusing, text)
}

// deny has a policy refuse the ConfigMaps of the team.
func (c *crowded) deny() {
	registration := c.kube.AdmissionregistrationV1()
	selector := &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": c.team}}
	_, err := registration.ValidatingAdmissionPolicies().Create(c.Context(), &admissionv1.ValidatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: c.team},
		Spec: admissionv1.ValidatingAdmissionPolicySpec{
			MatchConstraints: &admissionv1.MatchResources{NamespaceSelector: selector, ResourceRules: []admissionv1.NamedRuleWithOperations{{
				RuleWithOperations: admissionv1.RuleWithOperations{
					Operations: []admissionv1.OperationType{admissionv1.Create},
					Rule:       admissionv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"configmaps"}},
				},
			}}},
			Validations: []admissionv1.Validation{{Expression: "!('value' in object.data)", Message: "no values"}},
		},
	}, metav1.CreateOptions{})
	require.NoError(c, err)
	_, err = registration.ValidatingAdmissionPolicyBindings().Create(c.Context(), &admissionv1.ValidatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: c.team},
		Spec: admissionv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName: c.team, ValidationActions: []admissionv1.ValidationAction{admissionv1.Deny},
		},
	}, metav1.CreateOptions{})
	require.NoError(c, err)
	o := apply.Owner{Environment: c.team, Team: c.team, Request: "trial"}
	_, err = c.kube.CoreV1().Namespaces().Patch(c.Context(), c.team, "application/apply-patch+yaml", namespace(o), metav1.PatchOptions{FieldManager: "transom"})
	require.NoError(c, err)
	require.Eventually(c, func() bool {
		_, err := c.kube.CoreV1().ConfigMaps(c.team).Patch(c.Context(), "trial-settings", "application/apply-patch+yaml", configMap(o, "1"),
			metav1.PatchOptions{FieldManager: "transom", DryRun: []string{metav1.DryRunAll}})
		return err != nil && strings.Contains(err.Error(), "no values")
	}, patience, tick)
}

// allow ends the policy.
func (c *crowded) allow() {
	require.NoError(c, c.kube.AdmissionregistrationV1().ValidatingAdmissionPolicyBindings().Delete(c.Context(), c.team, metav1.DeleteOptions{}))
}

// observe returns how many requests a cluster gets in a time while all instances are refused, and how long it takes after the end of
// the policy until all are healthy.
func (c *crowded) observe(n int, while time.Duration) (requests int64, over time.Duration) {
	require.Eventually(c, func() bool { return c.told(" instances wait") }, patience, tick)
	last := int64(-1)
	require.Eventually(c, func() bool { // all of them had their first try
		before := last
		last = c.requests.Load()
		return before == last
	}, patience, 3*time.Second)
	before := c.requests.Load()
	<-time.After(while)
	requests = c.requests.Load() - before
	require.Zero(c, c.well())
	began := time.Now()
	c.allow()
	require.Eventually(c, func() bool { return c.well() == n }, patience, tick)
	return requests, time.Since(began)
}

// On a real cluster, instances that one policy refuses ask for it together, and are well soon after its end.
func TestOneOfManyThatAPolicyRefusesIsTried(t *testing.T) {
	t.Parallel()
	const n = 20
	c := newCrowded(t, "refused", n)
	requests, _ := c.observe(n, 15*time.Second)
	require.LessOrEqual(t, requests, int64(4), "a try or two, and twice who the cluster is")
	require.Positive(t, requests)
	require.Eventually(t, func() bool { return !c.told("wait") }, patience, tick)
}

// BenchmarkRefused has a policy refuse 100 instances for a minute.
func BenchmarkRefused(b *testing.B) {
	c := newCrowded(b, "refused-many", 100)
	requests, over := c.observe(100, time.Minute)
	b.ReportMetric(float64(requests), "refused-requests-a-minute:1/min")
	b.ReportMetric(over.Seconds(), "refused-until-well:s")
	b.ReportMetric(0, "ns/op")
}
