package e2e_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/yaml"

	"transom.dev/render/state"
)

// An end is what the status of a request comes to: its version, its health, and words of its message.
type end struct {
	version string
	health  state.Health
	says    string
}

// firstEnds are the ends of the requests as the cases have them.
var firstEnds = map[string]end{
	"adopt-all": {"1.0.0", state.Healthy, ""}, "adopt-drop": {"1.0.0", state.Healthy, ""}, "anti": {"1.0.0", state.Healthy, ""}, "anti2": {"1.0.0", state.Healthy, ""},
	"crdcr": {"1.0.1", state.Healthy, ""}, "drift": {"1.0.0", state.Healthy, ""}, "ds-ondelete": {"1.0.0", state.Healthy, ""}, "envfile": {"1.0.0", state.Healthy, ""},
	"finalizer": {"1.0.0", state.Healthy, ""}, "hpa-replicas": {"1.0.0", state.Healthy, ""}, "nullish": {"1.0.1", state.Healthy, ""}, "opsel": {"1.0.0", state.Healthy, ""},
	"job-suspended": {"1.0.0", state.Suspended, "is suspended: it runs once spec.suspend is false"},
	"quantity":      {"1.0.1", state.Healthy, ""}, "strategy": {"1.0.0", state.Healthy, ""}, "strategy-two": {"1.0.0", state.Healthy, ""},
	"sts-rollback": {"1.0.0", state.Healthy, ""}, "svc-headless": {"1.0.0", state.Healthy, ""}, "uname": {"1.0.0", state.Healthy, ""}, "webhook": {"1.0.0", state.Healthy, ""},
}

// nextEnds are those of the versions that come after; all others stay as they are.
var nextEnds = map[string]end{
	"adopt-drop":   {"1.1.0", state.Healthy, ""},
	"ds-ondelete":  {"1.1.0", state.Suspended, "waits for its pods to be deleted"},
	"finalizer":    {"1.1.0", state.Healthy, "because of finalizers: example.com/hold"},
	"strategy":     {"1.1.0", state.Healthy, ""},
	"strategy-two": {"1.1.0", state.Healthy, ""},
	"svc-headless": {"1.0.0", state.Healthy, ""}, // and 1.1.0 is rejected
}

// TestCasesComeToTheirEnds has one daemon apply all cases that check lets through to one cluster: each comes to its end, at rest
// nothing is written, not even by a daemon that starts anew, and what ran before is left running when its request goes.
func TestCasesComeToTheirEnds(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range slices.Sorted(maps.Keys(cases)) {
		if !cases[name].problems && !cases[name].elsewhere {
			layCase(t, name, dir)
		}
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "environments/dev.yaml"), []byte(document("Environment", "dev", `
  state: {url: ../state-dev.git, branch: main}, clusters: {}, namespace: {adopt: [bugs]},
  reserved: [{namespace: default, kinds: [{group: x.example.com, kind: Gadget}]}],
  rollout: {instances: {first: 50, maxConcurrent: 100%, maxFailures: 100}, progressDeadline: 8s}`)), 0o644))
	w := newWorldFrom(t, os.DirFS(dir), []string{"dev"})
	w.hasBefore("adopt-all", "adopt-drop", "opsel")
	pods := w.podsOf("app=shop")
	w.start()
	w.eventually("all come to their first end", func() error { return w.come(firstEnds) })
	w.requireFirst()
	w.restartsWithoutAWrite()

	next := map[string]string{"requests/bugs/adopt-all.yaml": ""}
	for name := range nextEnds {
		next["requests/bugs/"+name+".yaml"] = strings.Replace(w.request(name), "1.0.0", "1.1.0", 1)
	}
	for file, content := range next {
		require.NoError(t, os.WriteFile(filepath.Join(w.clone(), file), []byte(content), 0o644))
	}
	require.NoError(t, os.Remove(filepath.Join(w.clone(), "requests/bugs/adopt-all.yaml")))
	planned := w.transom("plan", w.clone())
	require.Contains(t, planned, "legacy: b", "the key that goes")
	require.Contains(t, planned, "spec.clusterIP cannot change in place", "a Service cannot become headless")
	delete(next, "requests/bugs/adopt-all.yaml")
	w.scale("hpa-replicas-app", 7)
	w.push("the next versions", next)
	ends := maps.Clone(firstEnds)
	delete(ends, "adopt-all")
	maps.Copy(ends, nextEnds)
	w.eventually("all come to their next end", func() error {
		if w.recorded("dev", "bugs", "svc-headless").Promotion.Rejected == nil {
			return errors.New("a Service became headless")
		}
		return w.come(ends)
	})
	require.Equal(t, map[string]string{"keep": "a"}, w.configMap("csa-config"))
	require.EqualValues(t, 7, w.replicas("hpa-replicas-app"), "nobody but the scaler sets the replicas")
	require.Equal(t, map[string]string{"keep": "a", "legacy": "b"}, w.configMap("shop-config"), "what was adopted stays")
	require.Equal(t, pods, w.podsOf("app=shop"), "and no pod of it was restarted")
	for name := range nextEnds {
		require.Equal(t, nextEnds[name].version, w.recorded("dev", "bugs", name).Version)
	}
	headless := w.recorded("dev", "bugs", "svc-headless").Promotion.Rejected
	require.Len(t, headless, 1)
	require.Contains(t, headless[0].Message, "spec.clusterIPs[0] cannot be changed once the object exists")
	for _, name := range []string{"ds-ondelete", "job-suspended"} {
		require.Empty(t, w.recorded("dev", "bugs", name).Promotion.Rejected, name)
	}
	w.stop()
}

// come returns an error until all requests have come to their ends.
func (w *world) come(ends map[string]end) error {
	s, err := w.status()
	if err != nil {
		return err
	}
	var late []string
	seen := 0
	for _, in := range s.Instances {
		to, known := ends[in.Request.Name]
		if !known {
			late = append(late, in.Request.Name+" is there")
			continue
		}
		seen++
		if len(in.Placements) != 1 {
			late = append(late, fmt.Sprintf("%s: %v", in.Request.Name, in.Problems))
			continue
		}
		p := in.Placements[0]
		words := fmt.Sprint(p.Message, p.Problems, p.Leaving)
		if in.Version != to.version || p.Health != to.health || !strings.Contains(words, to.says) {
			late = append(late, fmt.Sprintf("%s %s is %s: %s", in.Request.Name, in.Version, p.Health, words))
		}
	}
	if len(late) > 0 || seen != len(ends) {
		return fmt.Errorf("%d of %d: %s", seen, len(ends), strings.Join(late, "\n"))
	}
	return nil
}

// requireFirst requires the facts of the cluster that status does not tell.
func (w *world) requireFirst() {
	t := w.t
	ctx, client := t.Context(), w.client("dev")
	selects := map[string]string{"db.example.com/cluster": "opsel-db", "role": "replica"}
	service, err := client.CoreV1().Services("bugs").Get(ctx, "opsel-db-ro", metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, selects, service.Spec.Selector, "the pods of an operator carry no identity")
	w.eventually("the operator's pods are found", func() error {
		found, err := client.DiscoveryV1().EndpointSlices("bugs").List(ctx, metav1.ListOptions{LabelSelector: "kubernetes.io/service-name=opsel-db-ro"})
		if err != nil || len(found.Items) != 1 || ready(&found.Items[0]) != 2 {
			return fmt.Errorf("%w, %+v", err, found)
		}
		budget, err := client.PolicyV1().PodDisruptionBudgets("bugs").Get(ctx, "opsel-db", metav1.GetOptions{})
		if err != nil || budget.Status.ExpectedPods != 2 {
			return fmt.Errorf("%w, %+v", err, budget)
		}
		return nil
	})
	policy, err := client.NetworkingV1().NetworkPolicies("bugs").Get(ctx, "opsel-db", metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, map[string]string{"db.example.com/cluster": "opsel-db"}, policy.Spec.PodSelector.MatchLabels)
	require.EqualValues(t, 4, w.replicas("hpa-replicas-app"), "it begins with the scaler's minimum")
	role, err := client.RbacV1().ClusterRoles().Get(ctx, "bugs-agg", metav1.GetOptions{})
	require.NoError(t, err)
	require.Len(t, role.Rules, 1, "the controller fills them")
}

// restartsWithoutAWrite ends the daemon and starts another one, which looks at everything and writes nothing.
func (w *world) restartsWithoutAWrite() {
	stored := func() map[string]stored {
		all := w.etcd("dev").objects()
		maps.DeleteFunc(all, func(key string, _ stored) bool { return strings.HasPrefix(key, "/horizontalpodautoscalers/") })
		return all
	}
	before, since := stored(), time.Now()
	w.eventually("nothing changes any more", func() error {
		if now := stored(); !reflect.DeepEqual(before, now) {
			err := fmt.Errorf("%q", changed(before, now))
			before, since = now, time.Now()
			return err
		}
		if time.Since(since) < 2*time.Second {
			return errors.New("for two seconds")
		}
		return nil
	})
	w.stop()
	w.start()
	w.eventually("the second daemon looked at all", func() error { return w.come(firstEnds) })
	now := stored()
	for _, key := range changed(before, now) {
		w.t.Logf("%s\nwas %s\nis  %s", key, toJSON(w.t, before[key].Value), toJSON(w.t, now[key].Value))
	}
	require.Empty(w.t, changed(before, now), "somebody wrote at rest")
}

// request is the file of a case's request.
func (w *world) request(name string) string {
	w.t.Helper()
	content, err := os.ReadFile(filepath.Join(w.clone(), "requests/bugs", name+".yaml"))
	require.NoError(w.t, err)
	return string(content)
}

// hasBefore makes the objects that are in the cluster before some cases begin, as kubectl apply does.
func (w *world) hasBefore(names ...string) {
	w.t.Helper()
	client, err := dynamic.NewForConfig(w.config("dev"))
	require.NoError(w.t, err)
	documents := []string{"apiVersion: v1\nkind: Namespace\nmetadata: {name: bugs}\n"}
	for _, name := range names {
		content, err := os.ReadFile(filepath.Join("testdata/cases", name, "pre.yaml"))
		require.NoError(w.t, err)
		documents = append(documents, strings.Split(string(content), "---\n")...)
	}
	for _, document := range documents {
		var u unstructured.Unstructured
		require.NoError(w.t, yaml.Unmarshal([]byte(document), &u.Object))
		u.SetAnnotations(map[string]string{"kubectl.kubernetes.io/last-applied-configuration": document})
		gvk := u.GroupVersionKind()
		resource := client.Resource(schema.GroupVersionResource{Group: gvk.Group, Version: gvk.Version, Resource: strings.ToLower(gvk.Kind) + "s"})
		_, err := resource.Namespace(u.GetNamespace()).Create(w.t.Context(), &u, metav1.CreateOptions{FieldManager: "kubectl-client-side-apply"})
		require.NoError(w.t, err)
	}
	w.eventually("their pods are there", func() error {
		if n := len(w.podsOf("app=shop")) + len(w.podsOf("db.example.com/cluster=opsel-db")); n != 4 {
			return fmt.Errorf("%d pods", n)
		}
		return nil
	})
}

// podsOf are the UIDs of the pods that a selector selects, sorted.
func (w *world) podsOf(selector string) (uids []string) {
	w.t.Helper()
	all, err := w.client("dev").CoreV1().Pods("bugs").List(w.t.Context(), metav1.ListOptions{LabelSelector: selector})
	require.NoError(w.t, err)
	for _, p := range all.Items {
		uids = append(uids, string(p.UID))
	}
	slices.Sort(uids)
	return uids
}

func (w *world) configMap(name string) map[string]string {
	w.t.Helper()
	m, err := w.client("dev").CoreV1().ConfigMaps("bugs").Get(w.t.Context(), name, metav1.GetOptions{})
	require.NoError(w.t, err)
	return m.Data
}

func (w *world) replicas(deployment string) int32 {
	w.t.Helper()
	d, err := w.client("dev").AppsV1().Deployments("bugs").Get(w.t.Context(), deployment, metav1.GetOptions{})
	require.NoError(w.t, err)
	return *d.Spec.Replicas
}

// scale sets the replicas of a Deployment as its scaler does.
func (w *world) scale(deployment string, replicas int32) {
	w.t.Helper()
	scales := w.client("dev").AppsV1().Deployments("bugs")
	s, err := scales.GetScale(w.t.Context(), deployment, metav1.GetOptions{})
	require.NoError(w.t, err)
	s.Spec.Replicas = replicas
	_, err = scales.UpdateScale(w.t.Context(), deployment, s, metav1.UpdateOptions{FieldManager: "kube-controller-manager"})
	require.NoError(w.t, err)
}
